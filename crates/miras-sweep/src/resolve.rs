//! Resolved configurations.

use miras_config::{ConfigError, Layers};
use miras_run::Cost;
use toml::Table;

use crate::plan::Evaluations;

/// Reads the configuration of a trial as training would.
pub trait ResolveConfig {
    /// All keys, resolved and checked, or the first mistake.
    fn resolve(&self, layers: Layers) -> Result<ResolvedConfig, ConfigError>;

    /// Checks that the data of a resolved configuration can be measured as `[sweep.evaluate]`
    /// asks, and gives notes about it.
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
pub struct ResolvedConfig {
    /// All keys.
    pub table: Table,
    /// All keys, with absolute paths.
    pub stored: Table,
    /// What the model takes.
    pub cost: Cost,
    /// Estimated bytes of training, if they are memory of this machine.
    pub memory: Option<u64>,
    /// Tokens per optimiser step.
    pub step_tokens: u64,
    /// `train.steps`.
    pub steps: u64,
    /// `train.seed`.
    pub seed: u64,
    /// The tags that `metrics.jsonl` will have.
    pub metrics: Vec<String>,
    /// Notes on settings that are allowed but may not be meant, one sentence each.
    pub notes: Vec<String>,
    /// Why this machine cannot train it, if it cannot.
    pub unfit: Option<String>,
}
