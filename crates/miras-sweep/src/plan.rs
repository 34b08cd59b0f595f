//! The plan of a sweep: `sweep.json`.

use std::collections::BTreeMap;

use miras_config::{ConfigError, Tree, item_path};
use miras_data::Selection;
use miras_run::{Cost, Goal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `sweep.json` calls itself.
pub(crate) const SCHEMA: &str = "miras_sweep";
pub(crate) const VERSION: u32 = 1;

/// The plan of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `"miras_sweep"`.
    pub schema: String,
    /// 1.
    pub version: u32,
    /// The name of the folder.
    pub name: String,
    /// The metric that ranks trials.
    pub metric: String,
    /// Whether higher or lower is better.
    pub goal: Goal,
    /// The swept keys, without the seed.
    pub keys: Vec<String>,
    /// The number of consecutive failures for the same reason that ends the sweep; 0 for never.
    pub alike: usize,
    /// The budgets, one or more.
    pub rungs: Vec<Rung>,
    /// The evaluations of trials that reached the last rung.
    pub evaluate: Option<Evaluations>,
    /// How it was started.
    pub command: Vec<String>,
    /// The text of the sweep's file.
    pub source: String,
    /// In the order in which they are begun.
    pub trials: Vec<Trial>,
}

/// A training budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// How many points of the previous rung continue on this one; all on the first rung.
    pub best: Option<usize>,
}

/// One configuration to be trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Hash of the settled configuration.
    pub id: String,
    /// Checksum of the configuration in its file, `log.hparams` aside; none before that is
    /// written, and in the plan of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Its run folder, inside the sweep's.
    pub name: String,
    /// Its swept keys, as a short text.
    pub label: String,
    /// Trials that differ only in their seed have the same point.
    pub point: usize,
    /// `train.seed`.
    pub seed: u64,
    /// The swept keys that it has.
    pub values: BTreeMap<String, Value>,
    /// Keys that were chosen to meet a budget.
    pub matched: BTreeMap<String, Value>,
    /// Steps at the end of each rung.
    pub steps: Vec<u64>,
    /// Tokens per step.
    pub step_tokens: u64,
    /// What the model takes.
    pub cost: Cost,
}

impl Trial {
    /// Whether its model learns at test time.
    pub fn has_memory(&self) -> bool {
        self.cost.fast_weights > 0
    }

    /// Floating point operations of training it to the end of a rung.
    pub fn flops(&self, rung: usize) -> f64 {
        self.cost.flops_per_token * self.tokens(rung) as f64
    }

    /// Tokens it has seen at the end of a rung.
    pub fn tokens(&self, rung: usize) -> u64 {
        self.steps[rung] * self.step_tokens
    }
}

/// `[sweep.evaluate]`: what is measured on a trial that is trained to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluations {
    /// Row lengths in tokens; each is measured separately.
    pub lengths: Vec<usize>,
    /// Tokens read at each length; of a text, the same ones for all lengths.
    pub tokens: usize,
    /// What memories do during the evaluation, as `eval --memory`; live by default.
    #[serde(default)]
    pub memory: Vec<String>,
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut common, mut rest) = (a, b);
    while rest > 0 {
        (common, rest) = (rest, common % rest);
    }
    (a / common.max(1)).saturating_mul(b)
}

impl Evaluations {
    /// Each length with each memory mode of the model. A model without a memory has only the mode
    /// live.
    pub fn each(&self, has_memory: bool) -> Vec<(usize, &str)> {
        let mut ways: Vec<&str> = self.memory.iter().map(String::as_str).collect();
        if ways.is_empty() || !has_memory {
            ways = vec!["live"];
        }
        (self.lengths.iter())
            .flat_map(|&length| ways.iter().map(move |&way| (length, way)))
            .collect()
    }

    /// The number of stretches of the text: few enough for the longest rows, so that rows of every
    /// length read the same text.
    pub fn stretches(&self) -> u64 {
        let longest = self.lengths.iter().max().copied().unwrap_or(1);
        Selection::usual_stretches(self.tokens as u64, longest as u64)
    }

    /// The largest number of tokens, up to `limit`, that is a multiple of every length.
    pub fn most(&self, limit: u64) -> u64 {
        let rows = self.lengths.iter().map(|&length| length as u64);
        let step = rows.reduce(least_common_multiple).unwrap_or(1).max(1);
        limit - limit % step
    }

    /// The file in the trial's folder.
    pub fn file(length: usize, memory: &str) -> String {
        miras_run::report_name(length as u64, memory, "")
    }

    /// Takes `[sweep.evaluate]` out of the tree, if it is there.
    pub(crate) fn take(tree: &mut Tree) -> Result<Option<Self>, ConfigError> {
        let Some(read) = tree.value::<Self>("sweep.evaluate")? else {
            return Ok(None);
        };
        let Self {
            lengths,
            tokens,
            memory,
        } = &read;
        let mut mistakes = Vec::new();
        let mut refuse = |key: &str, message: String| mistakes.push((key.to_owned(), message));
        if lengths.is_empty() {
            refuse("lengths", "lengths is empty".to_owned());
        }
        if let Some(at) = lengths.iter().position(|&length| length == 0) {
            let message = "a length must be 1 or more".to_owned();
            refuse(&item_path("lengths", at), message);
        } else if let Some(long) = lengths.iter().find(|&length| length > tokens) {
            let message = format!("tokens = {tokens} is less than a row of {long}");
            refuse("tokens", message);
        } else if let Some(odd) = (lengths.iter()).find(|&&length| !tokens.is_multiple_of(length)) {
            let message = format!(
                "tokens = {tokens} is no whole number of rows of {odd}: lengths would read different texts"
            );
            refuse("tokens", message);
        }
        let known = ["live", "frozen", "reset"];
        for (at, way) in memory.iter().enumerate() {
            let here = item_path("memory", at);
            if !known.contains(&&**way) {
                let message = format!("memory is one of `live`, `frozen`, `reset`, found `{way}`");
                refuse(&here, message);
            } else if memory[..at].contains(way) {
                refuse(&here, format!("`{way}` is named twice"));
            }
        }
        for (key, message) in mistakes {
            let mistake = tree.error(&format!("sweep.evaluate.{key}"), message, None);
            tree.note(mistake)?;
        }
        Ok(Some(read))
    }
}
