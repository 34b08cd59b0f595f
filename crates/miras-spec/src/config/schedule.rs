//! The learning rate.

use std::f64::consts::PI;

use super::OptimConfig;

/// The learning rate of the update after `done` updates: a linear rise over `warmup`
/// steps, half a cosine down to `min_lr · lr` at `decay_steps`, constant from there.
pub fn learning_rate(config: &OptimConfig, done: u64) -> f64 {
    let OptimConfig {
        lr,
        warmup,
        decay_steps,
        min_lr,
        ..
    } = *config;
    if done < warmup {
        return lr * (done + 1) as f64 / warmup as f64;
    }
    if done >= decay_steps {
        return lr * min_lr;
    }
    let progress = (done - warmup) as f64 / (decay_steps - warmup) as f64;
    lr * (min_lr + (1.0 - min_lr) * 0.5 * (1.0 + (PI * progress).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_falls_and_stays() {
        let config = OptimConfig {
            lr: 2.0,
            warmup: 4,
            decay_steps: 12,
            min_lr: 0.1,
            ..OptimConfig::default()
        };
        for (done, expected) in [(0, 0.5), (3, 2.0), (4, 2.0), (8, 1.1), (12, 0.2), (99, 0.2)] {
            let rate = learning_rate(&config, done);
            assert!((rate - expected).abs() < 1e-12, "{done}: {rate}");
        }
    }

    #[test]
    fn nothing_divides_by_zero() {
        let config = OptimConfig {
            warmup: 0,
            decay_steps: 0,
            ..OptimConfig::default()
        };
        assert!((learning_rate(&config, 0) - config.lr * config.min_lr).abs() < 1e-12);
    }
}
