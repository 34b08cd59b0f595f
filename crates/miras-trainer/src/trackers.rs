//! Where the metrics of a run go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use miras_config::{Origins, annotated, flat};
use miras_data::Metric;
use miras_log::{HParam, JsonLines, TensorBoard, Tracker, Trackers};
use miras_run::{RunError, RunFolder, sha256_hex};
use toml::{Table, Value};

use crate::TrainError;
use crate::evaluate::beside;
use crate::samples::block;

/// Opens `metrics.jsonl` and an event file, fresh or to go on after `resumed_at`, and writes
/// the configuration into the latter.
pub(crate) fn open(
    folder: &RunFolder,
    config: &Table,
    columns: &[String],
    metric: Metric,
    resumed_at: Option<u64>,
) -> Result<Trackers, TrainError> {
    let (lines, mut board) = match resumed_at {
        None => (
            JsonLines::create(folder.metrics_path())?,
            TensorBoard::create(folder.path())?,
        ),
        Some(step) => (
            JsonLines::resume(folder.metrics_path(), step)?,
            TensorBoard::resume(folder.path(), step)?,
        ),
    };
    let values: BTreeMap<String, Value> = flat(config).into_iter().collect();
    let all: Vec<String> = values.keys().cloned().collect();
    let columns = if columns.is_empty() { &all } else { columns };
    let hparams: Vec<(String, HParam)> = (columns.iter())
        .map(|key| (key.clone(), values.get(key).map_or(HParam::Absent, hparam)))
        .collect();
    let beside = format!("eval/{}", beside(metric));
    board.hparams(&group(config), &hparams, &["eval/loss", &beside])?;
    board.layout(&[
        ("Learning", &learning(metric)),
        ("Memory, by layer", MEMORY_CHARTS),
    ])?;
    board.text(resumed_at.unwrap_or(0), "config", &block(&plain(config)))?;
    Ok(Trackers(vec![Box::new(lines), Box::new(board)]))
}

/// The charts of learning: what is lower or higher when a model is better, and its cost.
fn learning(metric: Metric) -> [(&'static str, &'static str); 5] {
    let (title, tag) = match metric {
        Metric::Accuracy => ("Accuracy, held out", r"^eval/accuracy$"),
        Metric::BitsPerByte => ("Bits a byte, held out", r"^eval/bits_per_byte$"),
    };
    [
        ("Loss, held out", r"^eval/loss$"),
        (title, tag),
        ("Loss, training", r"^train/loss$"),
        ("Norm of the gradient", r"^optim/grad_norm$"),
        ("Tokens a second", r"^perf/tokens_per_s$"),
    ]
}

/// What memories do, a line for each run and layer.
const MEMORY_CHARTS: &[(&str, &str)] = &[
    ("Surprise", r"^memory/\d+/surprise$"),
    ("Surprise that stands out", r"^memory/\d+/surprise_share$"),
    ("Norm of a write", r"^memory/\d+/write_norm$"),
    ("Retention", r"^memory/\d+/retention$"),
    ("Norm of the state", r"^memory/\d+/state_norm$"),
];

/// The tags that have a point at one step already.
#[derive(Debug, Default)]
pub(crate) struct Known {
    step: u64,
    tags: BTreeSet<String>,
}

impl Known {
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }

    pub(crate) fn is_at(&self, step: u64, tag: &str) -> bool {
        self.step == step && self.has(tag)
    }
}

/// What `metrics.jsonl` holds, once it was cut off after `step`: the last value of each tag,
/// and the tags at that step.
pub(crate) fn logged(
    folder: &RunFolder,
    step: u64,
) -> Result<(BTreeMap<String, f64>, Known), TrainError> {
    let path = folder.metrics_path();
    let text = fs::read(&path).map_err(|cause| RunError::Io {
        action: "read",
        path,
        cause,
    })?;
    let mut last = BTreeMap::new();
    let mut tags = BTreeSet::new();
    for line in text.split(|byte| *byte == b'\n') {
        // A line that somebody edited is none of ours.
        let Ok(line) = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(line) else {
            continue;
        };
        let at = line.get("step").and_then(serde_json::Value::as_u64);
        for (tag, value) in line {
            if tag == "step" || tag == "tokens" {
                continue;
            }
            let value = match &value {
                // Numbers that JSON lacks are written as their names.
                serde_json::Value::String(name) => name.parse().ok(),
                other => other.as_f64(),
            };
            let Some(value) = value else { continue };
            if at == Some(step) {
                tags.insert(tag.clone());
            }
            last.insert(tag, value);
        }
    }
    Ok((last, Known { step, tags }))
}

/// A configuration as plain TOML text.
pub(crate) fn plain(config: &Table) -> String {
    annotated(config, &Origins::default())
}

/// Names all runs that differ in their seed alone: a hash of the configuration without it.
pub(crate) fn group(config: &Table) -> String {
    let mut config = config.clone();
    if let Some(Value::Table(train)) = config.get_mut("train") {
        train.remove("seed");
    }
    let mut name = sha256_hex(plain(&config).as_bytes());
    name.truncate(16);
    name
}

fn hparam(value: &Value) -> HParam {
    match value {
        Value::String(text) => HParam::String(text.clone()),
        Value::Integer(number) => HParam::Number(*number as f64),
        Value::Float(number) => HParam::Number(*number),
        Value::Boolean(switch) => HParam::Bool(*switch),
        other => HParam::String(other.to_string()),
    }
}
