//! `[model]`: size and shape of the network.

use miras_config::{ConfigError, Tree};
use serde::{Deserialize, Serialize};

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Width of the residual stream, 1 or more.
    pub dim: usize,
    /// Blocks, 1 or more.
    pub layers: usize,
    /// Hidden width of the `SwiGLU`; default 8/3 `dim`, rounded up to a multiple of 8.
    pub ffn_dim: Option<usize>,
    /// How weights start: `"recall"` (keys like queries, convolutions near the identity) or `"standard"`.
    pub init: InitKind,
    /// Whether the output head is the embedding.
    pub tie_head: bool,
    /// Kinds of mixers that the layers have in turn, such as `["memory", "attention"]`. Short for
    /// `[[layers]]`, as which it is stored.
    #[serde(skip_serializing)]
    pub pattern: Option<Vec<String>>,
}

/// How weights start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitKind {
    /// `W_k := W_q`, convolutions near the identity, keys that see the token before theirs:
    /// decides whether recall is learned at all in a small budget, and costs on text
    /// (`docs/architecture.md`, Measured defaults).
    Recall,
    /// All projections and taps independent and uniform.
    Standard,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            dim: 128,
            layers: 4,
            ffn_dim: None,
            init: InitKind::Standard,
            tie_head: true,
            pattern: None,
        }
    }
}

impl ModelConfig {
    /// Takes `[model]` out of a config.
    pub(crate) fn take(tree: &mut Tree) -> Result<Self, ConfigError> {
        let config: Self = tree.section("model")?;
        check_sizes(tree, &config)?;
        Ok(config)
    }
}

/// The largest value of a size: beyond it nothing fits any machine, and products overflow.
pub(crate) const LARGEST: usize = 1 << 20;

fn check_sizes(tree: &mut Tree, config: &ModelConfig) -> Result<(), ConfigError> {
    for (key, value) in [
        ("dim", config.dim),
        ("layers", config.layers),
        ("ffn_dim", config.ffn_dim.unwrap_or(1)),
    ] {
        let message = if value == 0 {
            format!("{key} must be 1 or more")
        } else if value > LARGEST {
            format!("{key} = {value} is more than the largest size, {LARGEST}")
        } else {
            continue;
        };
        let mistake = tree.error(&format!("model.{key}"), message, None);
        tree.note(mistake)?;
    }
    Ok(())
}
