use miras_config::{ConfigError, Tree};
use serde::{Deserialize, Serialize};

use super::require::require;

/// `[optim]`: `AdamW`, its schedule and clipping.
///
/// Weight decay acts on projections, feed-forward weights and embeddings; norms, biases,
/// gates, convolutions and the memories' initial weights and gains are left alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate after the warm-up, above 0 and at most 1e38.
    pub lr: f64,
    /// Decoupled weight decay, from 0 to 1000; a step shrinks weights by `lr · weight_decay`.
    pub weight_decay: f64,
    /// Decay of the mean of gradients, from 0 to below 1.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, from 0 to below 1.
    pub beta2: f64,
    /// Added to the root of the mean square, above 0 and at most 1.
    pub epsilon: f64,
    /// Steps over which the learning rate rises linearly, 0 or more.
    pub warmup: u64,
    /// Step at which the cosine after the warm-up has fallen to `min_lr`, `warmup` or more.
    /// A number of its own, so that a run that is continued equals one that was longer
    /// from the start.
    pub decay_steps: u64,
    /// Share of `lr` that is left after `decay_steps`, from 0 to 1.
    pub min_lr: f64,
    /// Largest norm of the whole gradient, from 1e-30 to 1e30; 0 is off.
    pub clip: f64,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            lr: 3e-3,
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            warmup: 50,
            decay_steps: 1000,
            min_lr: 0.1,
            clip: 1.0,
        }
    }
}

impl OptimConfig {
    pub(super) fn take(tree: &mut Tree) -> Result<Self, ConfigError> {
        let config: Self = tree.section("optim")?;
        // The optimiser counts in single precision.
        let is_positive = |value: f64| value as f32 > 0.0;
        let is_share = |value: f64| (0.0..1.0).contains(&value) && (value as f32) < 1.0;
        for (key, value, fine, must) in [
            (
                "lr",
                config.lr,
                // A step moves a weight by up to lr / sqrt(1 - beta2), which has to be finite.
                is_positive(config.lr) && config.lr <= 1e38,
                "above 0 and at most 1e38",
            ),
            (
                "weight_decay",
                config.weight_decay,
                (0.0..=1000.0).contains(&config.weight_decay),
                "from 0 to 1000, a step shrinks weights by optim.lr times as much",
            ),
            (
                "beta1",
                config.beta1,
                is_share(config.beta1),
                "from 0 to below 1",
            ),
            (
                "beta2",
                config.beta2,
                is_share(config.beta2),
                "from 0 to below 1",
            ),
            (
                "epsilon",
                config.epsilon,
                is_positive(config.epsilon) && config.epsilon <= 1.0,
                "above 0 and at most 1",
            ),
            (
                "min_lr",
                config.min_lr,
                (0.0..=1.0).contains(&config.min_lr),
                "from 0 to 1, a share of optim.lr",
            ),
            (
                "clip",
                config.clip,
                config.clip == 0.0 || (1e-30..=1e30).contains(&config.clip),
                "0 (off), or from 1e-30 to 1e30",
            ),
        ] {
            let found = if value.abs() < 1e15 {
                value.to_string()
            } else {
                format!("{value:e}")
            };
            require(tree, &format!("optim.{key}"), fine, must, found)?;
        }
        if config.decay_steps < config.warmup {
            let message = format!(
                "optim.decay_steps = {} ends before the warm-up, which takes optim.warmup = {} steps",
                config.decay_steps, config.warmup
            );
            let help = "decay_steps counts from the first step, the warm-up included".to_owned();
            return Err(tree.error("optim.decay_steps", message, Some(help)));
        }
        Ok(config)
    }
}
