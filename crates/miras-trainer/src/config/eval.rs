use miras_config::{ConfigError, Tree};
use miras_model::{Ablation, MixerKind, ModelSpec};
use serde::{Deserialize, Serialize};

use super::require;

/// `[eval]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Steps between evaluations; 0 evaluates at the end alone.
    pub every: u64,
    /// Batches an evaluation, 1 or more; fewer if the data has fewer.
    pub batches: u64,
    /// Evaluations of the trained model with something taken away, each at most once:
    /// `"read_zero"`, `"step_zero"`. A model of memories only.
    pub controls: Vec<Control>,
}

/// What a control takes away from every memory of the trained model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// What is read is 0.
    ReadZero,
    /// The inner step size is 0, so nothing is written.
    StepZero,
}

impl Control {
    /// Its name in a config and in tags (`control/<name>/loss`).
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadZero => "read_zero",
            Self::StepZero => "step_zero",
        }
    }

    pub(crate) fn ablation(self) -> Ablation {
        match self {
            Self::ReadZero => Ablation::ReadZero,
            Self::StepZero => Ablation::StepZero,
        }
    }
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            every: 100,
            batches: 8,
            controls: Vec::new(),
        }
    }
}

impl EvalConfig {
    pub(super) fn take(tree: &mut Tree, model: Option<&ModelSpec>) -> Result<Self, ConfigError> {
        let config: Self = tree.section("eval")?;
        require(
            tree,
            "eval.batches",
            config.batches > 0,
            "1 or more",
            config.batches,
        )?;
        let controls = &config.controls;
        if !controls.is_empty()
            && model.is_some_and(|model| model.config.mixer == MixerKind::Attention)
        {
            let message = "eval.controls take something away from memories, and attention has none";
            let help = "leave it out, or use model.mixer = \"memory\"".to_owned();
            return Err(tree.error("eval.controls", message, Some(help)));
        }
        let again = (1..controls.len()).find(|&at| controls[..at].contains(&controls[at]));
        if let Some(at) = again {
            let message = format!("eval.controls names {:?} twice", controls[at].name());
            return Err(tree.error("eval.controls", message, None));
        }
        Ok(config)
    }
}
