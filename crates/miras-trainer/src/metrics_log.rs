//! Where the metrics of a run go.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::{Origins, annotated, flat};
use miras_log::{HParam, JsonLines, Status, TensorBoard, Tracker, Trackers};
use miras_run::metrics::{EVAL_LOSS, GRAD_NORM, LOSS, Metric, SECONDS, TOKENS_PER_S, of_memory};
use miras_run::{RunFolder, sha256_hex};
use miras_spec::RunConfig;
use toml::{Table, Value};

use crate::TrainError;

/// What a run logs, and what it has logged.
pub(crate) struct MetricsLog {
    trackers: Trackers,
    /// The last value of each metric.
    last: BTreeMap<String, f64>,
    /// What an earlier process logged at the step where this one goes on.
    earlier: LoggedTags,
}

impl MetricsLog {
    /// That of a new run, or of one that goes on after `resumed_at`.
    pub(crate) fn open(
        folder: &RunFolder,
        config: &RunConfig,
        resumed_at: Option<u64>,
    ) -> Result<Self, TrainError> {
        let trackers = trackers(folder, config, resumed_at)?;
        let (last, earlier) = match resumed_at {
            Some(step) => logged(folder, step)?,
            None => Default::default(),
        };
        Ok(Self {
            trackers,
            last,
            earlier,
        })
    }

    /// Whether an earlier process logged a tag at the step where this one goes on.
    pub(crate) fn had_at_resume(&self, tag: &str) -> bool {
        self.earlier.tags.contains(tag)
    }

    /// Whether an earlier process logged a tag at this step.
    pub(crate) fn has_at(&self, step: u64, tag: &str) -> bool {
        self.earlier.step == step && self.had_at_resume(tag)
    }

    /// Logs those that have no point at this step yet.
    pub(crate) fn scalars(
        &mut self,
        step: u64,
        tokens: u64,
        values: &[(String, f64)],
    ) -> Result<(), TrainError> {
        let new: Vec<_> = (values.iter())
            .filter(|(tag, _)| !self.has_at(step, tag))
            .cloned()
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.trackers.scalars(step, tokens, &new)?;
        self.last.extend(new);
        Ok(())
    }

    /// Logs a distribution.
    pub(crate) fn histogram(
        &mut self,
        step: u64,
        tag: &str,
        values: &[f32],
    ) -> Result<(), TrainError> {
        Ok(self.trackers.histogram(step, tag, values)?)
    }

    /// Logs a text as it is, with its lines.
    pub(crate) fn text(&mut self, step: u64, tag: &str, text: &str) -> Result<(), TrainError> {
        Ok(self.trackers.text(step, tag, &block(text))?)
    }

    /// Waits until everything is on the disk.
    pub(crate) fn flush(&mut self) -> Result<(), TrainError> {
        Ok(self.trackers.flush()?)
    }

    /// Says how the run ended.
    pub(crate) fn finish(&mut self, status: Status) -> Result<(), TrainError> {
        Ok(self.trackers.finish(status)?)
    }

    /// The last value of each metric.
    pub(crate) fn last(&self) -> &BTreeMap<String, f64> {
        &self.last
    }
}

/// Opens `metrics.jsonl` and an event file, new or to go on after `resumed_at`, and writes the
/// configuration into the latter.
fn trackers(
    folder: &RunFolder,
    config: &RunConfig,
    resumed_at: Option<u64>,
) -> Result<Trackers, TrainError> {
    let keeps = |step: u64, tag: &str| {
        let is_end = Some(step) == resumed_at && step < config.train.steps;
        tag != CONFIG && (!is_end || is_due(config, step, tag))
    };
    let (lines, mut board) = match resumed_at {
        None => (
            JsonLines::create(folder.metrics_path())?,
            TensorBoard::create(folder.path())?,
        ),
        Some(step) => (
            JsonLines::resume(folder.metrics_path(), step, &keeps)?,
            TensorBoard::resume(folder.path(), step, &keeps)?,
        ),
    };
    let (columns, measures) = (&config.log.hparams, config.measures());
    let has_gates = config.model.has_gates();
    let config = &config.to_table();
    let values: BTreeMap<String, Value> = flat(config).into_iter().collect();
    let all: Vec<String> = values.keys().cloned().collect();
    let columns = if columns.is_empty() { &all } else { columns };
    let hparams: Vec<(String, HParam)> = (columns.iter())
        .map(|key| (key.clone(), values.get(key).map_or(HParam::Absent, hparam)))
        .collect();
    let measured: Vec<String> = measures.iter().map(|one| one.under("eval")).collect();
    let measured = measured.iter().map(String::as_str);
    let measured: Vec<&str> = std::iter::once(EVAL_LOSS).chain(measured).collect();
    board.hparams(&group(config), &hparams, &measured)?;
    let (learning, memory) = (learning(measures), memory(has_gates));
    board.layout(&[
        ("Learning", &charts(&learning)),
        ("Memory, by layer", &charts(&memory)),
    ])?;
    board.text(0, CONFIG, &block(&plain(config)))?;
    Ok(Trackers(vec![Box::new(lines), Box::new(board)]))
}

/// The tag of the configuration as text, which is that of the latest start.
const CONFIG: &str = "config";

/// Whether a run that goes on after `step` has a point of `tag` there. An earlier process that
/// ended there, because its steps or its time were over, has measured more.
fn is_due(config: &RunConfig, step: u64, tag: &str) -> bool {
    let is_due = |every: u64| every > 0 && step > 0 && step.is_multiple_of(every);
    let (is_logged, is_evaluated) = (is_due(config.log.every), is_due(config.eval.every));
    match tag.split('/').next() {
        // Texts are generated with the evaluations.
        Some("eval" | "samples") => is_evaluated,
        Some("control") => false,
        // They are never made for an end.
        Some("histograms") => true,
        _ if tag == SECONDS.name => is_logged || is_evaluated,
        _ => is_logged,
    }
}

/// A chart: its title, and a pattern of the tags in it.
type Chart = (String, String);

fn charts(all: &[Chart]) -> Vec<(&str, &str)> {
    all.iter()
        .map(|(title, tags)| (&**title, &**tags))
        .collect()
}

/// The charts of learning: what is lower or higher when a model is better, and its cost.
fn learning(measures: &[&Metric]) -> Vec<Chart> {
    let chart = |metric: &Metric, prefix: &str, data: &str| {
        let title = metric.title.unwrap_or(metric.name);
        Chart::from((
            format!("{title}{data}"),
            format!("^{prefix}{}$", metric.name),
        ))
    };
    let mut charts = vec![chart(&LOSS, "eval/", ", held out")];
    charts.extend((measures.iter()).map(|metric| chart(metric, "eval/", ", held out")));
    charts.extend([
        chart(&LOSS, "train/", ", training"),
        chart(&GRAD_NORM, "", ""),
        chart(&TOKENS_PER_S, "", ""),
    ]);
    charts
}

/// The charts of what memories do, a line for each run and layer.
fn memory(has_gates: bool) -> Vec<Chart> {
    of_memory(has_gates)
        .filter_map(|metric| {
            Some((
                metric.title?.to_owned(),
                format!(r"^memory/\d+/{}$", metric.name),
            ))
        })
        .collect()
}

/// The tags that have a point at one step already.
#[derive(Debug, Default)]
struct LoggedTags {
    step: u64,
    tags: BTreeSet<String>,
}

/// What `metrics.jsonl` holds, once it was cut off after `step`: the last value of each tag,
/// and the tags at that step.
fn logged(
    folder: &RunFolder,
    step: u64,
) -> Result<(BTreeMap<String, f64>, LoggedTags), TrainError> {
    let mut last = BTreeMap::new();
    let mut tags = BTreeSet::new();
    for line in JsonLines::read(folder.metrics_path())?.0 {
        for (tag, value) in line.values {
            if tag == "tokens" {
                continue;
            }
            let value = match &value {
                // Numbers that JSON lacks are written as their names.
                serde_json::Value::String(name) => name.parse().ok(),
                other => other.as_f64(),
            };
            let Some(value) = value else { continue };
            if line.step == step {
                tags.insert(tag.clone());
            }
            last.insert(tag, value);
        }
    }
    Ok((last, LoggedTags { step, tags }))
}

/// A configuration as plain TOML text.
pub(crate) fn plain(config: &Table) -> String {
    annotated(config, &Origins::default())
}

/// Names all runs that differ in their seed alone: a hash of the configuration without it.
fn group(config: &Table) -> String {
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

/// A text as a block of code in Markdown.
fn block(text: &str) -> String {
    format!("    {}", text.trim_end().replace('\n', "\n    "))
}
