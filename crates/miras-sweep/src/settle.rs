//! What a configuration amounts to.

use miras_config::{ConfigError, Layers};
use miras_run::Cost;
use toml::Table;

/// Reads the configuration of a trial as training would.
pub trait Settle {
    /// Every key settled and checked, or the first mistake.
    fn settle(&self, layers: Layers) -> Result<Settled, ConfigError>;
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Settled {
    /// All keys.
    pub table: Table,
    /// The same, meaning the same from whatever working directory.
    pub stored: Table,
    /// What the model takes.
    pub cost: Cost,
    /// Tokens an optimiser step.
    pub step_tokens: u64,
    /// `train.steps`.
    pub steps: u64,
    /// `train.seed`.
    pub seed: u64,
    /// The tags that `metrics.jsonl` will have.
    pub metrics: Vec<String>,
}
