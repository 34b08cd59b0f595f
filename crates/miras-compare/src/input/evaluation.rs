//! `eval.json` and `eval-*.json`: evaluations of a trained run.

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
    /// In how many stretches of text they are.
    #[serde(default)]
    pub stretches: Option<u64>,
    /// Whether memories were carried from row to row.
    #[serde(default)]
    pub carried: bool,
    /// Tokens in a row.
    pub length: u64,
    /// Whether memories learned.
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

/// Whether memories learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// They learn.
    Live,
    /// They stay as they were at the start.
    Frozen,
    /// They are reset at each chunk.
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

/// What must be equal for evaluations of several runs to be of the same text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct EvaluatedOn {
    data: Option<String>,
    /// Bytes of the part that is evaluated.
    bytes: Option<u64>,
    size: Option<String>,
    stretches: Option<u64>,
}

impl Evaluation {
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

    fn evaluated_on(&self, run: &Run) -> EvaluatedOn {
        EvaluatedOn {
            data: run.measured_on(self),
            bytes: self.data.bytes,
            size: (self.size.clone()).or_else(|| Some(format!("{} scored", self.tokens))),
            stretches: self.stretches,
        }
    }
}

impl EvaluatedOn {
    /// The tokens that were asked for, and in how many stretches they are.
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

/// The evaluations of a run at any step, by length, then mode; and the reports that are not
/// compared. `at` is the step of the run.
pub(super) fn read(
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<(Vec<Evaluation>, Vec<ExcludedReport>), CompareError> {
    let (mut found, mut excluded) = (Vec::new(), Vec::new());
    for path in folder.reports()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = name.into_owned();
        let why = match report(&path) {
            Ok(None) => continue,
            Ok(Some(one)) => {
                let Some(why) = why_stale(&one, folder, at)? else {
                    found.push(Evaluation { file, ..one });
                    continue;
                };
                why
            }
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
    let checkpoint = match one.step.or(at) {
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
        weights if weights != one.weights => {
            Some(format!("is of other weights than those of step {step}"))
        }
        Some(_) => None,
    })
}

/// Keeps the evaluations of the step of each run or, with `at`, of the step at which it is
/// compared; and of these, one for each length and mode, those that are of the text and amount
/// that most runs have. The others become excluded reports.
pub(crate) fn keep_comparable<'a>(runs: impl Iterator<Item = &'a mut Run>, at: Option<u64>) {
    type At = (u64, MemoryMode);
    let mut runs: Vec<&mut Run> = runs.collect();
    for run in &mut runs {
        let (here, what) = match at {
            Some(_) => (run.compared_steps(), "is compared at"),
            None => (run.step, "is at"),
        };
        keep_reports(run, |_, one| match (one.step, here) {
            (Some(step), Some(here)) if step != here => {
                Err(format!("is of step {step}, and the run {what} step {here}"))
            }
            _ => Ok(()),
        });
    }
    let mut votes: BTreeMap<At, BTreeMap<EvaluatedOn, BTreeSet<usize>>> = BTreeMap::new();
    let voters = runs.iter().filter(|run| run.value.is_some());
    for (voter, run) in voters.enumerate() {
        for one in &run.evaluations {
            let texts = votes.entry((one.length, one.mode())).or_default();
            let own = one.evaluated_on(run);
            texts.entry(own).or_default().insert(voter);
        }
    }
    // What most runs have, and how many of those with a report.
    let chosen = votes.into_iter().filter_map(|(at, texts)| {
        let all: BTreeSet<usize> = texts.values().flatten().copied().collect();
        let (most, runs) = texts.into_iter().max_by_key(|(_, runs)| runs.len())?;
        let all = counted(all.len() as u64, "run", "runs");
        Some((at, (most, format!("{} of {all}", runs.len()))))
    });
    let chosen: BTreeMap<At, (EvaluatedOn, String)> = chosen.collect();
    for run in runs {
        let mut seen = BTreeSet::new();
        keep_reports(run, |run, one| {
            let at = (one.length, one.mode());
            let own = one.evaluated_on(run);
            match chosen.get(&at) {
                Some((most, share)) if own.data != most.data || own.bytes != most.bytes => {
                    Err(format!("is of another text than the reports of {share}"))
                }
                Some((most, share)) if own != *most => {
                    let (own, most) = (own.amount(), most.amount());
                    Err(format!(
                        "is of {own}, and the reports of {share} are of {most}"
                    ))
                }
                _ if !seen.insert(at) => {
                    Err("is of the same text as another one of the run".to_owned())
                }
                _ => Ok(()),
            }
        });
    }
}

/// Excludes the evaluations for which `check` returns a reason.
fn keep_reports(run: &mut Run, mut check: impl FnMut(&Run, &Evaluation) -> Result<(), String>) {
    for one in std::mem::take(&mut run.evaluations) {
        match check(run, &one) {
            Ok(()) => run.evaluations.push(one),
            Err(why) => run.excluded_reports.push(ExcludedReport {
                file: one.file,
                why,
            }),
        }
    }
}
