use miras_config::{ConfigError, Tree};
use serde::{Deserialize, Serialize};

use super::require;

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Steps between lines of metrics, 1 or more; the last step always has one.
    pub every: u64,
    /// Steps between histograms; 0 is off.
    pub histograms: u64,
    /// Norm of a token's inner gradient above which it counts in
    /// `memory/<layer>/surprise_share`, 0 or more.
    pub surprise_threshold: f64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            every: 10,
            histograms: 100,
            surprise_threshold: 1.0,
        }
    }
}

impl LogConfig {
    pub(super) fn take(tree: &mut Tree) -> Result<Self, ConfigError> {
        let config: Self = tree.section("log")?;
        let threshold = config.surprise_threshold;
        require(
            tree,
            "log.every",
            config.every > 0,
            "1 or more",
            config.every,
        )?;
        require(
            tree,
            "log.surprise_threshold",
            threshold >= 0.0 && threshold.is_finite(),
            "0 or more",
            threshold,
        )?;
        Ok(config)
    }
}
