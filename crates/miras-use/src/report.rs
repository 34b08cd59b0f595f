//! `eval-LENGTH-MEMORY.json`.

use std::fs;
use std::path::{Path, PathBuf};

use miras_run::{report_name, settings_hash};
use miras_spec::Details;
use serde::{Deserialize, Serialize};

use crate::Memory;

/// The name of the schema.
pub(crate) const SCHEMA: &str = miras_run::REPORT;
/// Its version: 1 had the first batches of the held-out part, and no settings.
pub(crate) const VERSION: u32 = 2;

/// What an evaluation found: the content of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `miras_eval`.
    pub schema: String,
    /// 2.
    pub version: u32,
    /// The run that the weights are from.
    pub run: String,
    /// Optimiser steps of the checkpoint.
    pub step: u64,
    /// Tokens it was trained on.
    pub trained_tokens: u64,
    /// SHA-256 of the file of the weights.
    pub weights: String,
    /// Name, size and fingerprint of the data.
    pub data: Weighed,
    /// Eight digits that stand for all settings but the length and the way of memories; empty for
    /// the defaults.
    pub settings: String,
    /// Tokens of a row.
    pub length: usize,
    /// The tokens that were asked for: a number or `all`.
    pub size: String,
    /// Rows that were read.
    pub rows: u64,
    /// In how many stretches of rows that follow one another.
    pub stretches: u64,
    /// Whether memories went on from row to row of a stretch.
    pub carried: bool,
    /// Rows that were computed at once.
    pub batch: usize,
    /// The rows, in so many batches.
    pub batches: u64,
    /// What memories did.
    pub memory: Memory,
    /// The state that every row started from; none for that of a new sequence.
    pub state: Option<StateUsed>,
    /// Where it was computed.
    pub device: String,
    /// All scored targets together.
    #[serde(flatten)]
    pub measured: Measured,
    /// What the task says beside them.
    #[serde(flatten)]
    pub details: Details,
    /// The same by the number of tokens that memories had read since they started: those of the
    /// row before, or of the stretch where memories are carried.
    pub by_position: Vec<ByPosition>,
    /// What gates by surprise let be written; memories that go on learning and have such a gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub write_rates: Vec<ByLayer>,
    /// The same as `measured` by load; recall only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_pairs: Vec<ByPairs>,
    /// The same by gap, where it was asked for; recall only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_gap: Vec<ByGap>,
    /// The same by whether a target comes for the first time in its row; text only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_occurrence: Vec<ByOccurrence>,
    /// What the user should know of how the data were opened; not in the file.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Report {
    /// Its file in the folder of the run: one for each setting, so that no evaluation replaces
    /// another one.
    pub fn path_in(&self, folder: &Path) -> PathBuf {
        let memory = self.memory.name();
        let name = |settings: &str| report_name(self.length as u64, memory, settings);
        let path = folder.join(name(&self.settings));
        // A sweep gives the plain name to what it measures, whatever its settings are.
        let is_other = fs::read(&path).is_ok_and(|bytes| {
            let there: Result<Self, _> = serde_json::from_slice(&bytes);
            there.is_ok_and(|there| there.settings != self.settings)
        });
        if is_other {
            let own = settings_hash(&[("settings", self.settings.clone())]);
            return folder.join(name(&own));
        }
        path
    }
}

/// The data of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// In a few words.
    pub name: String,
    /// Size of the part that is evaluated; none if it is generated.
    pub bytes: Option<u64>,
    /// Hash of the data.
    pub fingerprint: String,
    /// What generated data are, whatever their seed and the length of their rows; none for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<String>,
}

/// A state that an evaluation started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateUsed {
    /// The file.
    pub path: String,
    /// Tokens that it had seen.
    pub position: usize,
}

/// What scored targets say, on average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Scored targets.
    pub tokens: u64,
    /// The mean loss: the negative log-likelihood in nats.
    pub loss: f64,
    /// `exp(loss)` of tokens; null in the file where it is beyond the largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Nats over the bytes of the targets, over ln 2; text only.
    pub bits_per_byte: Option<f64>,
    /// Nats over ln 2, where each scored target is one of the four bases; DNA only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_base: Option<f64>,
    /// Share of targets that are right, of tokens ranked first; where targets are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// Targets at some positions of their rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByPosition {
    /// The first position, counted from 0.
    pub from: usize,
    /// The last.
    pub to: usize,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}

/// How much the gate of a memory layer lets be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByLayer {
    /// The layer, from 0.
    pub layer: usize,
    /// The mean of what it leaves of a step.
    pub write_rate: f64,
    /// Of 1,000 tokens, those of whose step it leaves more than half.
    pub written_per_1000: f64,
}

/// Rows with some number of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByPairs {
    /// `data.pairs`.
    pub pairs: usize,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}

/// Rows with some gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByGap {
    /// `data.gap`.
    pub gap: usize,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}

/// Targets that come again in their row, or those that do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByOccurrence {
    /// Tokens of the n-gram that a target ends.
    pub ngram: usize,
    /// Whether the n-gram is in the row before.
    pub occurrence: Occurrence,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occurrence {
    /// It was not.
    New,
    /// It was.
    Repeated,
}

impl Occurrence {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Repeated => "repeated",
        }
    }
}
