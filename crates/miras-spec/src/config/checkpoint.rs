use miras_config::{ConfigError, Tree};
use miras_run::Policy;
use serde::{Deserialize, Serialize};

use super::require::require;

/// `[checkpoint]`. A checkpoint stays if any of the rules keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Steps between checkpoints; with 0 the end and new bests alone are saved.
    pub every: u64,
    /// How many of the newest of those stay, 1 or more.
    pub keep_last: usize,
    /// Those whose step is a multiple of this stay for good; 0 is off.
    pub keep_every: u64,
    /// Whether an evaluation with the lowest `eval/loss` so far saves a checkpoint, which stays
    /// until there is a lower one.
    pub keep_best: bool,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            every: 200,
            keep_last: 2,
            keep_every: 0,
            keep_best: true,
        }
    }
}

impl CheckpointConfig {
    pub(super) fn take(tree: &mut Tree) -> Result<Self, ConfigError> {
        let config: Self = tree.section("checkpoint")?;
        require(
            tree,
            "checkpoint.keep_last",
            config.keep_last > 0,
            "1 or more",
            config.keep_last,
        )?;
        Ok(config)
    }

    /// Which checkpoints stay, for the run folder.
    pub fn policy(&self) -> Policy {
        Policy {
            keep_last: self.keep_last,
            keep_every: self.keep_every,
            keep_best: self.keep_best,
        }
    }
}
