//! `eval.json` and `eval-*.json`: evaluations of a trained run.

use std::fmt;
use std::fs;
use std::path::Path;

use miras_run::{Kept, Memory, REPORT, RunFolder};
use serde::Deserialize;
use serde_json::Value;

use crate::CompareError;

/// One evaluation of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evaluation {
    /// The name of its file.
    #[serde(skip)]
    pub file: String,
    /// Whether memories did what they did in training.
    #[serde(skip)]
    pub is_own: bool,
    /// Optimizer steps of the weights.
    #[serde(default)]
    pub step: Option<u64>,
    /// SHA-256 of the file of the weights.
    #[serde(default)]
    pub weights: Option<String>,
    /// The tokens that were asked for.
    #[serde(default)]
    pub size: Option<String>,
    /// In how many stretches of text they are.
    #[serde(default)]
    pub stretches: Option<u64>,
    /// Whether memories were carried from row to row.
    #[serde(default)]
    pub carried: bool,
    /// Tokens in a row.
    pub length: u64,
    /// What memories did.
    pub memory: Memory,
    /// What was read.
    #[serde(default)]
    pub data: Data,
    /// The state that rows started from, if any.
    #[serde(default)]
    pub state: Value,
    /// Scored targets.
    #[serde(default)]
    pub tokens: u64,
    /// The part of a series, `valid` or `test`.
    #[serde(default)]
    pub part: Option<String>,
    /// Mean squared error, of a series.
    #[serde(default)]
    pub mse: Option<f64>,
    /// Mean absolute error, of a series.
    #[serde(default)]
    pub mae: Option<f64>,
    /// Mean negative log-likelihood, nats; of a series the mean squared error.
    pub loss: Option<f64>,
    /// Bits per byte, where there are bytes.
    pub bits_per_byte: Option<f64>,
    /// Share of targets ranked first.
    pub accuracy: Option<f64>,
    /// The same by position in the row.
    #[serde(default)]
    pub by_position: Vec<Bin>,
    /// The same by number of pairs, for recall.
    #[serde(default)]
    pub by_pairs: Vec<Pairs>,
    /// The same of targets that are new in their row, and that come again, of text.
    #[serde(default)]
    pub by_occurrence: Vec<Occurrences>,
}

/// The data of an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Data {
    /// Checksum of the data.
    pub fingerprint: Option<String>,
    /// What generated data are, whatever their seed.
    #[serde(default)]
    pub generator: Option<String>,
    /// Size of the part that is evaluated.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A range of positions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Bin {
    /// First position.
    pub from: u64,
    /// Last position.
    pub to: u64,
    /// Scored targets.
    #[serde(default)]
    pub tokens: u64,
    /// Mean negative log-likelihood, nats.
    pub loss: Option<f64>,
}

/// A number of pairs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pairs {
    /// How many there were to remember.
    pub pairs: u64,
    /// Share of targets ranked first.
    pub accuracy: Option<f64>,
}

/// Targets that are new in their row, or those that come again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Occurrences {
    /// `new` or `repeated`.
    pub occurrence: String,
    /// Tokens of the n-gram that has to come again.
    pub ngram: u64,
    /// Mean negative log-likelihood, nats.
    pub loss: Option<f64>,
}

/// How memories are used in an evaluation. Evaluations of several runs at the same length and mode
/// measure the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemoryMode {
    pub(crate) memory: Memory,
    /// Whether they are carried from row to row.
    pub(crate) carried: bool,
}

impl fmt::Display for MemoryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carried = if self.carried { ", carried" } else { "" };
        write!(f, "{}{carried}", self.memory)
    }
}

/// A report that is not compared: it cannot be read, is not of the weights that are compared, or
/// is not of the same text as the reports of other runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedReport {
    /// The name of its file.
    pub file: String,
    /// Why, after "it ".
    pub why: String,
}

impl Evaluation {
    /// The value of `test/mse`, `test/mae` or `test/loss`, where this is of the test part of a series,
    /// with live memories.
    pub(crate) fn of_test(&self, tag: &str) -> Option<f64> {
        let is_test = self.part.as_deref() == Some("test") && self.memory == Memory::Live;
        let value = match tag.strip_prefix("test/")? {
            "mse" => self.mse,
            "mae" => self.mae,
            "loss" => self.loss,
            _ => None,
        };
        value.filter(|_| is_test)
    }

    pub(crate) fn mode(&self) -> MemoryMode {
        MemoryMode {
            memory: self.memory,
            carried: self.carried,
        }
    }

    /// The bits per byte, or the loss.
    pub(crate) fn value(&self, in_bits: bool) -> Option<f64> {
        if in_bits {
            self.bits_per_byte
        } else {
            self.loss
        }
    }
}

/// The evaluations of a run at any step, by length, then mode; and the reports that are not
/// compared. `at` is the step of the run.
pub(crate) fn read(
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<(Vec<Evaluation>, Vec<ExcludedReport>), CompareError> {
    let (mut found, mut excluded) = (Vec::new(), Vec::new());
    for path in folder.reports()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = name.into_owned();
        let why = match report(&path) {
            Ok(None) => continue,
            Ok(Some(one)) => match why_stale(&one, folder, at)? {
                None => {
                    found.push(Evaluation { file, ..one });
                    continue;
                }
                Some(why) => why,
            },
            Err(why) => format!("cannot be read: {why}"),
        };
        excluded.push(ExcludedReport { file, why });
    }
    found.sort_by_key(|one: &Evaluation| (one.length, one.mode()));
    Ok((found, excluded))
}

/// A report; `None` if the file is something else. The error says why it cannot be read.
fn report(path: &Path) -> Result<Option<Evaluation>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if value["schema"] != REPORT {
        return Ok(None);
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Why a report is not of the run's weights at its step, if so.
fn why_stale(
    one: &Evaluation,
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<Option<String>, CompareError> {
    if !one.state.is_null() {
        return Ok(Some("starts from a stored state".to_owned()));
    }
    why_other_weights(one.step, one.weights.as_deref(), folder, at)
}

/// Why a report of a step is not of the weights that the run has at that step, if so.
pub(crate) fn why_other_weights(
    step: Option<u64>,
    own: Option<&str>,
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<Option<String>, CompareError> {
    let checkpoint = match step.or(at) {
        Some(step) => folder.kept(step)?,
        None => None,
    };
    // Without a checkpoint only the step can be compared.
    let Some(Kept { step, weights }) = checkpoint else {
        return Ok(None);
    };
    Ok(match weights {
        None => Some(format!(
            "cannot be held against the checkpoint of step {step}, which is damaged"
        )),
        weights if weights.as_deref() != own => {
            Some(format!("is of other weights than those of step {step}"))
        }
        Some(_) => None,
    })
}
