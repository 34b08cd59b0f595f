//! What a configuration amounts to.

use miras_config::{ConfigError, Layers};
use miras_run::Cost;
use toml::Table;

use crate::plan::Evaluations;

/// Reads the configuration of a trial as training would.
pub trait Settle {
    /// Every key settled and checked, or the first mistake.
    fn settle(&self, layers: Layers) -> Result<Settled, ConfigError>;

    /// Whether the data of a configuration that was settled can be measured as `[sweep.evaluate]`
    /// asks, and what is to be noted of it.
    fn measure(&self, layers: Layers, evaluations: &Evaluations) -> Result<Vec<String>, Misfit>;
}

/// Why data cannot be measured as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The key inside of `[sweep.evaluate]`, as `lengths[1]`.
    pub key: String,
    /// Why.
    pub why: String,
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
    /// Bytes that training is estimated to take, if they are those of this machine.
    pub memory: Option<u64>,
    /// Tokens an optimiser step.
    pub step_tokens: u64,
    /// `train.steps`.
    pub steps: u64,
    /// `train.seed`.
    pub seed: u64,
    /// The tags that `metrics.jsonl` will have.
    pub metrics: Vec<String>,
    /// What is allowed and may not be meant, a sentence each.
    pub notes: Vec<String>,
    /// Why this machine cannot train it, if it cannot.
    pub unfit: Option<String>,
}
