use miras_config::{ConfigError, Tree};
use miras_data::{Amount, DataConfig, Dataset, Selection};
use miras_model::{Ablation, ModelSpec};
use miras_run::Memory;
use serde::{Deserialize, Serialize};

use super::TrainConfig;

/// The old name of `eval.tokens`, by which it counts batches of `train.batch` rows.
pub(super) const BATCHES: &str = "eval.batches";
/// The most tokens that can be counted.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// `[eval]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Steps between evaluations; 0 evaluates at the end alone.
    pub every: u64,
    /// Held-out tokens an evaluation reads, from 1 to 10^12, in whole rows of `data.seq_len` that
    /// are spread over the validation part; fewer if it has fewer. They are the same whatever
    /// `train.batch` and `train.accumulate` are.
    pub tokens: u64,
    /// Evaluations of the trained model with something taken away, each at most once:
    /// `"read_zero"`, `"step_zero"`. A model of memories only.
    pub controls: Vec<Control>,
    /// The number of batches that `tokens` was made of, if it was written as `eval.batches`.
    #[serde(skip)]
    pub batches: Option<u64>,
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

    /// How a pass of the model takes it away.
    pub fn ablation(self) -> Ablation {
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
            tokens: 16_384,
            controls: Vec::new(),
            batches: None,
        }
    }
}

impl EvalConfig {
    /// The held-out rows that an evaluation reads.
    pub fn selection(&self, data: &dyn Dataset, seq_len: usize) -> Selection {
        let amount = Amount::Tokens(self.tokens);
        Selection::new(amount, None, seq_len, data.eval_tokens())
            .expect("a number of tokens is a selection of any data")
    }

    pub(super) fn take(
        tree: &mut Tree,
        model: Option<&ModelSpec>,
        data: Option<&DataConfig>,
        train: Option<&TrainConfig>,
    ) -> Result<Self, ConfigError> {
        let counts_batches = tree.written_as("eval.tokens") == Some(BATCHES);
        let mut config: Self = tree.section("eval")?;
        let batches = counts_batches.then_some(config.tokens);
        // How many tokens a batch has depends on its rows.
        if let (Some(batches), Some(data), Some(train)) = (batches, data, train) {
            let row = data.seq_len() as u64;
            config.tokens = batches
                .saturating_mul(train.batch as u64)
                .saturating_mul(row);
            config.batches = Some(batches);
        }
        let (key, value) = match batches {
            Some(batches) => (BATCHES, batches),
            None => ("eval.tokens", config.tokens),
        };
        if !(1..=MOST_TOKENS).contains(&config.tokens) {
            let message = format!("{key} must be from 1 to {MOST_TOKENS} tokens, got {value}");
            let mistake = tree.error("eval.tokens", message, None);
            tree.note(mistake)?;
        }
        let controls = &config.controls;
        if !controls.is_empty() && model.is_some_and(|model| !model.has_memory()) {
            let message = "eval.controls take something away from memories, and attention has none";
            let help = "leave it out, or use mixer.kind = \"memory\"".to_owned();
            return Err(tree.error("eval.controls", message, Some(help)));
        }
        let memory = train.map_or(Memory::Live, |train| train.memory);
        if !controls.is_empty() && memory != Memory::Live {
            let message = format!(
                "eval.controls take something away from memories that learn, and train.memory = \"{memory}\""
            );
            let help = "leave it out, or use `eval --memory`".to_owned();
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
