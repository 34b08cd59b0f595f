//! `eval.json` and `eval-*.json`: what a trained run was measured at.

use std::cmp::Reverse;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json;
use crate::CompareError;

/// One evaluation of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evaluation {
    /// Tokens in a row.
    pub length: u64,
    /// What memories did with what they read.
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
    /// Mean negative log-likelihood, nats.
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
}

/// The data of an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Data {
    /// Checksum of the data.
    pub fingerprint: Option<String>,
}

/// A range of positions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Bin {
    /// First position.
    pub from: u64,
    /// Last position.
    pub to: u64,
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

/// What memories do with what they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// They learn.
    Live,
    /// They are read as they were at the start.
    Frozen,
    /// They begin again at each chunk.
    Reset,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Frozen => "frozen",
            Self::Reset => "reset",
        })
    }
}

/// The evaluations in a run folder, by length, then memory; those on most tokens first among
/// equals. Rows that started from a state are no measure of the run alone and are left out.
pub(super) fn read(folder: &Path) -> Result<Vec<Evaluation>, CompareError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(CompareError::io("list", folder))? {
        let entry = entry.map_err(CompareError::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".json");
        if stem.is_some_and(|stem| stem == "eval" || stem.starts_with("eval-")) {
            names.push(name);
        }
    }
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let path = folder.join(name);
        let value: Value = json::file(&path)?;
        if value["schema"] != "miras_eval" {
            continue;
        }
        let one: Evaluation =
            serde_json::from_value(value).map_err(|error| CompareError::damaged(&path, error))?;
        if one.state.is_null() {
            found.push(one);
        }
    }
    found.sort_by_key(|one: &Evaluation| (one.length, one.memory, Reverse(one.tokens)));
    Ok(found)
}
