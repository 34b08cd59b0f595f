//! `eval.json` and `eval-*.json`: what a trained run was measured at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use miras_run::{Kept, REPORT, RunFolder, counted};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Run;
use crate::CompareError;

/// One evaluation of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evaluation {
    /// The name of its file.
    #[serde(skip)]
    pub file: String,
    /// Optimizer steps of the weights.
    #[serde(default)]
    pub step: Option<u64>,
    /// SHA-256 of the file of the weights.
    #[serde(default)]
    pub weights: Option<String>,
    /// The tokens that were asked for.
    #[serde(default)]
    pub size: Option<String>,
    /// In how many stretches they lay.
    #[serde(default)]
    pub stretches: Option<u64>,
    /// Whether memories went on from row to row.
    #[serde(default)]
    pub carried: bool,
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

/// What memories do in the rows of an evaluation: those of one length and way are the same
/// measurement of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) memory: Memory,
    /// Whether they go on from row to row.
    pub(crate) carried: bool,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carried = if self.carried { ", carried" } else { "" };
        write!(f, "{}{carried}", self.memory)
    }
}

/// A report that cannot be read, that says nothing of the run as it is now, or that cannot be held
/// beside the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The name of its file.
    pub file: String,
    /// Why, after "it ".
    pub why: String,
}

/// What must be equal for evaluations of several runs to be of the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Same {
    data: Option<String>,
    /// Bytes of the part that is evaluated.
    bytes: Option<u64>,
    size: Option<String>,
    stretches: Option<u64>,
}

impl Evaluation {
    pub(crate) fn way(&self) -> Way {
        Way {
            memory: self.memory,
            carried: self.carried,
        }
    }

    fn same(&self, run: &Run) -> Same {
        Same {
            data: run.measured_on(self),
            bytes: self.data.bytes,
            size: (self.size.clone()).or_else(|| Some(format!("{} scored", self.tokens))),
            stretches: self.stretches,
        }
    }
}

impl Same {
    /// The tokens that were asked for, and where they lay.
    fn amount(&self) -> String {
        let size = match self.size.as_deref() {
            None | Some("all") => "all tokens".to_owned(),
            Some(size) => format!("{size} tokens"),
        };
        match self.stretches {
            None => size,
            Some(count) => format!("{size} in {}", counted(count, "stretch", "stretches")),
        }
    }
}

/// The evaluations of a run at any step, by length, then memory; and the reports that do not
/// count, with the reason, damaged ones among them. `at` is the step that the run is at.
pub(super) fn read(
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<(Vec<Evaluation>, Vec<LeftOut>), CompareError> {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for path in folder.reports()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = name.into_owned();
        let why = match report(&path) {
            Ok(None) => continue,
            Ok(Some(one)) => {
                let Some(why) = stale(&one, folder, at)? else {
                    found.push(Evaluation { file, ..one });
                    continue;
                };
                why
            }
            Err(why) => format!("cannot be read: {why}"),
        };
        left_out.push(LeftOut { file, why });
    }
    found.sort_by_key(|one: &Evaluation| (one.length, one.way()));
    Ok((found, left_out))
}

/// A report; none if the file is something else. An error is why it cannot be read.
fn report(path: &Path) -> Result<Option<Evaluation>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if value["schema"] != REPORT {
        return Ok(None);
    }
    let one = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(Some(one))
}

/// Why a report says nothing of a run at the report's step, if so.
fn stale(
    one: &Evaluation,
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<Option<String>, CompareError> {
    if !one.state.is_null() {
        return Ok(Some("starts from a stored state".to_owned()));
    }
    // Where checkpoints were removed there is nothing to hold it against but the step.
    let kept = match one.step.or(at) {
        Some(step) => folder.kept(step)?,
        None => None,
    };
    Ok(kept.and_then(|Kept { step, weights }| match weights {
        None => Some(format!(
            "cannot be held against the checkpoint of step {step}, which is damaged"
        )),
        Some(weights) if one.weights.as_ref() != Some(&weights) => {
            Some(format!("is of other weights than those of step {step}"))
        }
        Some(_) => None,
    }))
}

/// Leaves the evaluations, one a length and way of the memory, that are of the same text and
/// amount in as many runs as possible; what differs from them goes to those that are left out. So
/// does what is of another step than that at which a run is compared.
pub(crate) fn agree<'a>(runs: impl Iterator<Item = &'a mut Run>, at: Option<u64>) {
    type At = (u64, Way);
    let mut runs: Vec<&mut Run> = runs.collect();
    for run in &mut runs {
        leave_out_other_steps(run, at.is_some());
    }
    let mut votes: BTreeMap<At, BTreeMap<Same, BTreeSet<usize>>> = BTreeMap::new();
    let valued = runs.iter().filter(|run| run.value.is_some());
    for (at, run) in valued.enumerate() {
        for one in &run.evaluations {
            let same = votes.entry((one.length, one.way())).or_default();
            same.entry(one.same(run)).or_default().insert(at);
        }
    }
    // What the reports at a length are held against, and how many of the runs that have one agree.
    let chosen: BTreeMap<At, (Same, String)> = (votes.into_iter())
        .filter_map(|(at, same)| {
            let all: BTreeSet<usize> = same.values().flatten().copied().collect();
            let (most, runs) = same.into_iter().max_by_key(|(_, runs)| runs.len())?;
            let share = format!(
                "{} of {}",
                runs.len(),
                counted(all.len() as u64, "run", "runs")
            );
            Some((at, (most, share)))
        })
        .collect();
    for run in runs {
        let mut kept: Vec<Evaluation> = Vec::new();
        for one in std::mem::take(&mut run.evaluations) {
            let at = (one.length, one.way());
            let same = one.same(run);
            let is_double = (kept.iter()).any(|kept| (kept.length, kept.way()) == at);
            let why = match chosen.get(&at) {
                Some((most, share)) if same.data != most.data || same.bytes != most.bytes => {
                    format!("is of another text than the reports of {share}")
                }
                Some((most, share)) if same != *most => format!(
                    "is of {}, and the reports of {share} are of {}",
                    same.amount(),
                    most.amount()
                ),
                _ if is_double => "is of the same text as another one of the run".to_owned(),
                _ => {
                    kept.push(one);
                    continue;
                }
            };
            let file = one.file;
            run.left_out.push(LeftOut { file, why });
        }
        run.evaluations = kept;
    }
}

/// Leaves the evaluations at the step that a run is at or, `within` its training, is compared at.
fn leave_out_other_steps(run: &mut Run, within: bool) {
    let (here, what) = if within {
        (run.compared_steps(), "is compared at")
    } else {
        (run.step, "is at")
    };
    for one in std::mem::take(&mut run.evaluations) {
        let Some((step, here)) = one.step.zip(here).filter(|(step, here)| step != here) else {
            run.evaluations.push(one);
            continue;
        };
        run.left_out.push(LeftOut {
            file: one.file,
            why: format!("is of step {step}, and the run {what} step {here}"),
        });
    }
}
