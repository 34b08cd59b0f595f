//! The plan of a sweep: `sweep.json`.

use std::collections::BTreeMap;

use miras_data::Selection;
use miras_run::{Cost, Goal, Memory};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `sweep.json` calls itself.
pub(crate) const SCHEMA: &str = "miras_sweep";
pub(crate) const VERSION: u32 = 1;

/// The plan of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Hash of the resolved configuration.
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

impl Plan {
    /// A plan without trials, to be filled in.
    pub fn new(name: &str, command: Vec<String>, source: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            name: name.to_owned(),
            command,
            source,
            ..Self::default()
        }
    }
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lengths: Vec<usize>,
    /// Tokens read at each length; of a text, the same ones for all lengths.
    #[serde(default)]
    pub tokens: usize,
    /// Data sets and their files, as `eval --task`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// So many questions or texts of each data set; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What memories do during the evaluation, as `eval --memory`; live by default.
    #[serde(default)]
    pub memory: Vec<String>,
}

impl Evaluations {
    /// Each length with each memory mode of the model. A model without a memory has only the mode
    /// live.
    pub fn each(&self, has_memory: bool) -> Vec<(What<'_>, &str)> {
        let mut ways: Vec<&str> = self.memory.iter().map(String::as_str).collect();
        if ways.is_empty() || !has_memory {
            ways = vec!["live"];
        }
        let lengths = self.lengths.iter().map(|length| What::Rows(*length));
        let tasks = self.tasks.iter().map(|task| What::Task(task));
        let all = lengths.chain(tasks);
        let all = all.flat_map(|what| ways.iter().map(move |&way| (what, way)));
        // What follows a context goes on from its state.
        let goes_on = |way| Memory::of_name(way).is_none_or(Memory::goes_on);
        all.filter(|(what, way)| matches!(what, What::Rows(_)) || goes_on(way))
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
        let step = self.lengths.iter().fold(1, |common: u64, &length| {
            let (mut divisor, mut rest) = (common, length as u64);
            while rest > 0 {
                (divisor, rest) = (rest, divisor % rest);
            }
            (common / divisor.max(1)).saturating_mul(length as u64)
        });
        limit - limit % step.max(1)
    }
}

/// One of the things that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// Rows of so many tokens.
    Rows(usize),
    /// A data set and its file, as `NAME=FILE`.
    Task(&'a str),
}

impl What<'_> {
    /// The file of its report in the trial's folder.
    pub fn file(&self, memory: &str) -> String {
        match self {
            Self::Rows(length) => miras_run::report_name(*length as u64, memory, ""),
            Self::Task(task) => {
                let name = task.split('=').next().unwrap_or_default();
                miras_run::task_report_name(name, memory, "")
            }
        }
    }
}

/// A value of a configuration in JSON, the same one. JSON has no NaN, no infinities and no dates: they become the text that TOML
/// writes, so that two of them stay two.
pub fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) if number.is_finite() => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Float(_) | toml::Value::Datetime(_) => value.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::Table(table) => (table.iter())
            .map(|(key, value)| (key.clone(), json(value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_stay_different() {
        let text = "a = [nan, inf, -inf, 1e3, 1, true, 'nan?', 2026-01-02]\nb = { c = [] }";
        let table = toml::Value::Table(text.parse().unwrap());
        let expected = serde_json::json!({
            "a": ["nan", "inf", "-inf", 1000.0, 1, true, "nan?", "2026-01-02"],
            "b": { "c": [] },
        });
        assert_eq!(json(&table), expected);
    }
}
