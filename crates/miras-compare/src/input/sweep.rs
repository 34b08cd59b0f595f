//! A sweep folder: `sweep.json`, what was planned, and `ledger.jsonl`, what came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Settings, json};
use crate::CompareError;
use miras_run::Goal;

/// A sweep: the same file with some keys varied.
#[derive(Debug, Clone, Deserialize)]
pub struct Sweep {
    /// Its folder.
    #[serde(skip)]
    pub path: PathBuf,
    /// `miras_sweep`.
    pub schema: String,
    /// 1.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// The metric it was made for.
    pub metric: String,
    /// Which values of the metric are better.
    pub goal: Goal,
    /// The swept keys, without the seed.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How it was started.
    #[serde(default)]
    pub command: Vec<String>,
    /// The text of the sweep file.
    #[serde(default)]
    pub source: String,
    /// What was planned.
    pub trials: Vec<Trial>,
}

/// One planned run of a sweep.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Trial {
    /// Its id in the ledger.
    pub id: String,
    /// Its run folder, inside the sweep's.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// The swept keys and their values.
    #[serde(default)]
    pub values: Settings,
    /// Keys that were set to make trials comparable.
    #[serde(default)]
    pub matched: Settings,
    /// The values in words.
    #[serde(default)]
    pub label: String,
}

/// What the ledger says of a trial at last.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Event {
    trial: String,
    /// `running`, `done` or `failed`.
    #[serde(rename = "event")]
    pub(super) what: String,
    pub(super) reason: Option<String>,
}

/// Reads both files: the sweep, and the last event of each trial by its id.
pub(super) fn read(folder: &Path) -> Result<(Sweep, BTreeMap<String, Event>), CompareError> {
    let path = folder.join("sweep.json");
    let mut sweep: Sweep = json::file(&path)?;
    if sweep.schema != "miras_sweep" || sweep.version != 1 {
        let why = format!(
            "it is {} version {}, and this program knows miras_sweep version 1",
            sweep.schema, sweep.version
        );
        return Err(CompareError::damaged(&path, why));
    }
    folder.clone_into(&mut sweep.path);
    let events = json::lines::<Event>(&folder.join("ledger.jsonl"))?
        .into_iter()
        .map(|event| (event.trial.clone(), event))
        .collect();
    Ok((sweep, events))
}
