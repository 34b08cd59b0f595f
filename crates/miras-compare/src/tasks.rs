//! `task-*.json`: how well runs answer the questions of data sets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use miras_run::{RunFolder, TASK_REPORT, counted};
use serde::Deserialize;
use serde_json::Value;

use crate::CompareError;
use crate::evaluation::{ExcludedReport, why_other_weights};

/// How the tags begin.
pub(crate) const PREFIX: &str = "task/";

/// What a run scores on a data set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskScores {
    /// The name of its file.
    #[serde(skip)]
    pub file: String,
    step: Option<u64>,
    weights: Option<String>,
    task: String,
    memory: String,
    /// The names of the metrics.
    metrics: Vec<String>,
    #[serde(flatten)]
    pub(crate) asked: Asked,
    /// Of prompts that are made, the metrics by cell.
    #[serde(default)]
    cells: Vec<CellScores>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What a run scores on the prompts of a cell.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct CellScores {
    samples: u64,
    /// What tells it from the others, and the metrics by name.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl CellScores {
    /// What tells cells apart, in the order in which it names one.
    const KEYS: [&str; 4] = ["kind", "length", "depth", "distance"];

    /// What tells it from the others, with a `/` behind each.
    fn prefix(&self) -> String {
        let parts = Self::KEYS.iter().filter_map(|key| self.rest.get(*key));
        // A depth of 50.0 is 50.
        let texts = parts.map(|part| match part {
            Value::String(text) => text.clone(),
            part => part
                .as_f64()
                .map_or_else(String::new, |number| number.to_string()),
        });
        texts.map(|text| text + "/").collect()
    }
}

/// What must be equal for scores of several runs to be of the same questions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Asked {
    questions: u64,
    fingerprint: String,
    #[serde(default)]
    length: Option<u64>,
    #[serde(default)]
    stride: Option<u64>,
    /// What was asked of prompts that are made.
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl Asked {
    /// Why these are not the questions of most reports.
    pub(crate) fn why_not(&self, most: &Self) -> String {
        if self.fingerprint != most.fingerprint {
            return "is of another file of questions than the reports of most runs".to_owned();
        }
        if self.questions != most.questions {
            let own = counted(self.questions, "question", "questions");
            let most = most.questions;
            return format!("is of {own}, and the reports of most runs are of {most}");
        }
        if self.options != most.options {
            return "has other options than the reports of most runs".to_owned();
        }
        let windows = |one: &Self| {
            let [length, stride] = [one.length, one.stride].map(Option::unwrap_or_default);
            format!("--length {length} --stride {stride}")
        };
        let (own, most) = (windows(self), windows(most));
        format!("has windows of {own}, and the reports of most runs of {most}")
    }
}

impl TaskScores {
    /// How its metrics are named: `task/NAME/METRIC`, with memories that are not live
    /// `task/NAME/MEMORY/METRIC`.
    fn prefix(&self) -> String {
        match &*self.memory {
            "live" => format!("{PREFIX}{}/", self.task),
            memory => format!("{PREFIX}{}/{memory}/", self.task),
        }
    }

    /// Its metrics by tag, without their standard errors.
    pub(crate) fn values(&self) -> Vec<(String, f64)> {
        self.named(&self.prefix(), &self.rest)
    }

    /// The same by cell: `task/NAME/CELL/METRIC`, as in `task/recall/256/gain`.
    pub(crate) fn by_cell(&self) -> impl Iterator<Item = (String, f64)> {
        let cells = self.cells.iter();
        cells.flat_map(|cell| self.named(&(self.prefix() + &cell.prefix()), &cell.rest))
    }

    fn named(&self, prefix: &str, of: &BTreeMap<String, Value>) -> Vec<(String, f64)> {
        let names = self.metrics.iter();
        let value = |name: &String| of.get(name)?.as_f64();
        let numbers = names.filter_map(|name| Some((format!("{prefix}{name}"), value(name)?)));
        numbers.collect()
    }

    /// The value under a tag.
    pub(crate) fn value(&self, tag: &str) -> Option<f64> {
        let mut all = self.values().into_iter().chain(self.by_cell());
        all.find(|(own, _)| own == tag).map(|(_, value)| value)
    }

    /// Questions that were asked for what is under a tag.
    pub(crate) fn questions(&self, tag: &str) -> u64 {
        let cells = self.cells.iter();
        let mut of_cells = cells.map(|cell| (self.prefix() + &cell.prefix(), cell.samples));
        let own = of_cells.find(|(prefix, _)| {
            let name = tag.strip_prefix(&**prefix);
            name.is_some_and(|name| !name.contains('/'))
        });
        own.map_or(self.asked.questions, |(_, samples)| samples)
    }
}

/// The scores of a run's weights, and the reports that are not compared.
pub(crate) fn read(
    folder: &RunFolder,
    at: Option<u64>,
) -> Result<(Vec<TaskScores>, Vec<ExcludedReport>), CompareError> {
    let (mut found, mut excluded) = (Vec::new(), Vec::new());
    for path in folder.task_reports()? {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let why = match report(&path) {
            Ok(None) => continue,
            Ok(Some(one)) if one.step.is_some() && one.step != at => {
                let (own, now) = (one.step.unwrap_or_default(), at.unwrap_or_default());
                format!("is of step {own}, and the run is at step {now}")
            }
            Ok(Some(one)) => match why_other_weights(one.step, one.weights.as_deref(), folder, at)?
            {
                None => {
                    found.push(TaskScores { file, ..one });
                    continue;
                }
                Some(why) => why,
            },
            Err(why) => format!("cannot be read: {why}"),
        };
        excluded.push(ExcludedReport { file, why });
    }
    Ok((found, excluded))
}

/// A report; `None` if the file is something else. The error says why it cannot be read.
fn report(path: &Path) -> Result<Option<TaskScores>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if value["schema"] != TASK_REPORT {
        return Ok(None);
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
