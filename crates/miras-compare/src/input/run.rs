//! One run, with all that its folder says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use miras_run::metrics::{SKIPPED, TOKENS_PER_S};
use miras_run::{Goal, Inputs, RunFolder, RunRecord, SourceTree, Status, Summary};
use serde::Serialize;
use serde_json::Value;
use statrs::statistics::{Data, Median as _};

use super::{Cost, Evaluation, ExcludedReport, Point, Trial, evaluation, metrics};
use crate::CompareError;
use crate::comparison::label::value_text;

/// How the checksum of a generator begins.
const GENERATOR: &str = "sha256-generator:";
/// How an earlier version marked a hash of generated rows, which depends on the seed.
const ROWS: &str = "sha256-generated:";
/// Retention gates that had no key `anchored` in earlier versions, and no anchor. Every settled
/// configuration of this version has the key, whose default is another value.
const UNANCHORED: [&str; 3] = ["lq", "kl", "elastic_net"];

/// The settings of a run, by dotted key.
pub type Settings = BTreeMap<String, Value>;

/// How a run ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It never started.
    Planned,
    /// It has not ended, or was killed.
    Unfinished,
    /// It ended, in this way.
    #[serde(untagged)]
    Ended(Status),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned => f.write_str("planned"),
            Self::Unfinished => f.write_str("unfinished"),
            Self::Ended(status) => status.fmt(f),
        }
    }
}

/// One run, or a planned one that never started.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its folder; none if the run never started.
    pub path: Option<PathBuf>,
    /// Its seed.
    pub seed: u64,
    /// How it ended, if it did.
    pub state: State,
    /// Why it did not end as planned, if that is known.
    pub reason: Option<String>,
    /// Its settled configuration; empty if it never started.
    pub settings: Settings,
    /// What it logged.
    pub points: Vec<Point>,
    /// Whether the final line that it logged is torn, and no process is writing it.
    pub is_torn: bool,
    /// The step at which it ended or, if it has not, that of its newest checkpoint.
    pub step: Option<u64>,
    /// Evaluations after training.
    pub evaluations: Vec<Evaluation>,
    /// Reports in its folder that are not compared.
    pub excluded_reports: Vec<ExcludedReport>,
    /// Its `run.json`; `None` if it never started.
    pub record: Option<RunRecord>,
    /// What its model takes, if `run.json` says so.
    pub cost: Option<Cost>,
    /// Its `summary.json`, if it ended.
    pub summary: Option<Summary>,
    /// The index of the sweep that planned it, and the plan.
    pub trial: Option<(usize, Trial)>,
    /// The compared metric at its end, or where runs are compared, if the run counts.
    pub value: Option<f64>,
    /// Tokens of training at which that value was measured, if that is not the end of the run.
    pub at: Option<u64>,
    /// Why it does not count, if it does not.
    pub excluded: Option<String>,
}

impl Run {
    pub(super) fn read(path: &Path) -> Result<Self, CompareError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let parent = path.parent().unwrap_or(Path::new("."));
        let folder = RunFolder::open_to_read(parent, &name)?;
        let record = folder.read_record()?;
        let mut run = Self::new(&name, record.seed);
        run.path = Some(path.to_owned());
        run.settings = settings(&folder.config_path(), &folder.read_config()?)?;
        (run.points, run.is_torn) = metrics::read(&folder.metrics_path())?;
        run.is_torn &= !folder.is_busy();
        run.cost = record.cost;
        run.record = Some(record);
        run.state = State::Unfinished;
        run.summary = folder.read_summary()?;
        if let Some(summary) = &run.summary {
            run.state = State::Ended(summary.status);
            run.reason.clone_from(&summary.message);
            run.step = Some(summary.steps);
        } else {
            run.step = folder.newest()?.map(|newest| newest.step);
        }
        (run.evaluations, run.excluded_reports) = evaluation::read(&folder, run.step)?;
        Ok(run)
    }

    /// A run that was planned and has no folder.
    pub(super) fn planned(trial: &Trial) -> Self {
        Self::new(&trial.name, trial.seed)
    }

    fn new(name: &str, seed: u64) -> Self {
        Self {
            name: name.to_owned(),
            path: None,
            seed,
            state: State::Planned,
            reason: None,
            settings: Settings::new(),
            points: Vec::new(),
            is_torn: false,
            step: None,
            evaluations: Vec::new(),
            excluded_reports: Vec::new(),
            record: None,
            cost: None,
            summary: None,
            trial: None,
            value: None,
            at: None,
            excluded: None,
        }
    }

    /// Whether it came to the end that its configuration asked for.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Ended(Status::Finished | Status::Time))
    }

    /// Whether it was stopped, or is still training, with nothing wrong.
    pub(crate) fn can_continue(&self) -> bool {
        self.state == State::Unfinished || self.state == State::Ended(Status::Interrupted)
    }

    /// Decides whether it counts in a comparison by `metric`: at its end, or at the last value
    /// that it has after at most `at` tokens.
    pub(crate) fn count(&mut self, metric: &str, at: Option<u64>) {
        (self.value, self.at, self.excluded) = (None, None, None);
        match self.compared(metric, at) {
            Ok((tokens, value)) => (self.at, self.value) = (tokens, Some(value)),
            Err(why) => self.excluded = Some(why),
        }
    }

    /// The tokens, if not those of the end, and the value of the metric, or why it does not count.
    fn compared(&self, metric: &str, at: Option<u64>) -> Result<(Option<u64>, f64), String> {
        if !self.is_complete() && (at.is_none() || !self.can_continue()) {
            return Err(self.status_text());
        }
        if let (None, Some(rung)) = (at, self.stopped_on()) {
            let value = self
                .last(metric)
                .map(|value| format!(", {metric} {value:.4}"));
            let (tokens, value) = (self.tokens().unwrap_or_default(), value.unwrap_or_default());
            return Err(format!(
                "stopped on rung {rung} after {tokens} tokens{value}"
            ));
        }
        let (skipped, steps) = (self.skipped(), self.steps().unwrap_or_default());
        // The weights are hardly trained.
        if skipped * 2 > steps {
            return Err(format!(
                "skipped {skipped} of its {steps} steps, because something in them was not finite"
            ));
        }
        let (found, place) = match at {
            None => (self.last(metric).map(|value| (None, value)), "at the end"),
            Some(tokens) => {
                let mut before = self
                    .points
                    .iter()
                    .rev()
                    .filter(|point| point.tokens <= tokens);
                let value = |point: &Point| Some((Some(point.tokens), *point.values.get(metric)?));
                (before.find_map(value), "there")
            }
        };
        match (found, at) {
            (Some((_, value)), _) if !value.is_finite() => {
                Err(format!("{metric} is {value} {place}"))
            }
            (Some(found), _) => Ok(found),
            (None, None) => Err(format!("has no {metric}")),
            (None, Some(tokens)) => Err(format!("has no {metric} at {tokens} tokens or before")),
        }
    }

    /// After how many tokens of training a metric was measured.
    pub(crate) fn measured_at(&self, metric: &str) -> BTreeSet<u64> {
        let points = self.points.iter();
        let measured = points.filter(|point| point.values.contains_key(metric));
        measured.map(|point| point.tokens).collect()
    }

    /// The logged values of a metric.
    pub(crate) fn logged(&self, tag: &str) -> impl DoubleEndedIterator<Item = f64> {
        let points = self.points.iter();
        points.filter_map(move |point| point.values.get(tag).copied())
    }

    /// The state, the step and the reason of a run that is not complete.
    fn status_text(&self) -> String {
        let at = self.steps().map(|steps| format!(" at step {steps}"));
        let at = at.filter(|_| self.path.is_some()).unwrap_or_default();
        let state = self.state.to_string();
        let why = match self.reason.as_deref() {
            None => String::new(),
            // The message of an interrupted run says that it was interrupted.
            Some(reason) => match reason.strip_prefix(&state) {
                Some(rest) => rest.to_owned(),
                None => format!(": {reason}"),
            },
        };
        let state = match self.state {
            State::Planned => "not started yet",
            _ => &state,
        };
        let text = format!("{state}{at}{why}");
        let lines = text.split(char::is_control).map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    }

    /// The rung, from 1, that it got to the end of, if its sweep has further ones.
    pub fn stopped_on(&self) -> Option<usize> {
        let (_, trial) = self.trial.as_ref()?;
        let (done, last) = (self.steps()?, *trial.steps.last()?);
        let is_short = self.state == State::Ended(Status::Finished) && done < last;
        is_short.then(|| trial.steps.iter().filter(|&&steps| steps <= done).count())
    }

    /// The last value of a metric: that of the summary, which is whole where the lines of
    /// `metrics.jsonl` were cut off.
    pub fn last(&self, tag: &str) -> Option<f64> {
        let logged = self.logged(tag).next_back();
        let summary = self.summary.as_ref();
        let ended = summary.and_then(|summary| summary.metrics.get(tag).copied());
        match (ended, logged) {
            // In a summary all numbers that are not finite are NaN.
            (Some(end), Some(line)) if end.is_nan() && !line.is_finite() => Some(line),
            (Some(end), _) => Some(end),
            (None, logged) => logged,
        }
    }

    /// The last step in `metrics.jsonl`, if a metric has another last value in the summary: lines
    /// at the end of the file are missing.
    pub(crate) fn truncated_after(&self) -> Option<u64> {
        let is_missing = |(tag, &end): (&String, &f64)| {
            let is_same = |logged: f64| (logged - end).abs() <= end.abs() * 1e-9;
            let logged = self.logged(tag).next_back();
            tag != SKIPPED.name && end.is_finite() && !logged.is_some_and(is_same)
        };
        let mut ended = self.summary.as_ref()?.metrics.iter();
        let last = self.points.last().map_or(0, |point| point.step);
        ended.any(is_missing).then_some(last)
    }

    /// Steps that were skipped because something in them was not finite.
    pub fn skipped(&self) -> u64 {
        let count = self.last(SKIPPED.name).filter(|count| count.is_finite());
        count.unwrap_or(0.0) as u64
    }

    /// The best value of a metric, numbers that are not finite aside.
    pub fn best(&self, tag: &str, goal: Goal) -> Option<f64> {
        let summary = self.summary.as_ref().and_then(|end| end.best.as_ref());
        let kept = summary.filter(|best| best.metric == tag && goal == Goal::Lower);
        let values = self.logged(tag).chain(kept.map(|best| best.value));
        let finite = values.filter(|value| value.is_finite());
        finite.reduce(if goal == Goal::Lower {
            f64::min
        } else {
            f64::max
        })
    }

    /// Optimizer steps done.
    pub fn steps(&self) -> Option<u64> {
        let logged = || self.points.last().map(|point| point.step);
        self.summary.as_ref().map(|end| end.steps).or_else(logged)
    }

    /// Tokens trained on.
    pub fn tokens(&self) -> Option<u64> {
        let logged = || self.points.last().map(|point| point.tokens);
        self.summary.as_ref().map(|end| end.tokens).or_else(logged)
    }

    /// Optimizer steps done up to where it is compared.
    pub fn compared_steps(&self) -> Option<u64> {
        match self.at {
            Some(_) => self.compared_point().map(|point| point.step),
            None => self.steps(),
        }
    }

    /// Seconds of training up to where it is compared.
    pub fn compared_seconds(&self) -> Option<f64> {
        match self.at {
            Some(_) => self.compared_point()?.seconds,
            None => self.seconds(),
        }
    }

    fn compared_point(&self) -> Option<&Point> {
        let mut newest_first = self.points.iter().rev();
        newest_first.find(|point| Some(point.tokens) == self.at)
    }

    /// Seconds of training.
    pub fn seconds(&self) -> Option<f64> {
        let logged = || self.points.last().and_then(|point| point.seconds);
        let whole = self.summary.as_ref().map(|end| end.seconds);
        whole.filter(|s| s.is_finite()).or_else(logged)
    }

    /// The median of the logged speeds.
    pub fn tokens_per_s(&self) -> Option<f64> {
        let speeds = self.logged(TOKENS_PER_S.name);
        let speeds: Vec<f64> = speeds.filter(|speed| speed.is_finite()).collect();
        (!speeds.is_empty()).then(|| Data::new(speeds).median())
    }

    /// Tokens of training up to where it is compared.
    pub fn compared_tokens(&self) -> Option<u64> {
        self.at.or_else(|| self.tokens())
    }

    /// Floating-point operations of the training up to where it is compared.
    pub fn flops(&self) -> Option<f64> {
        Some(self.compared_tokens()? as f64 * self.cost?.flops_per_token)
    }

    /// The source tree of the program that began it.
    pub fn source(&self) -> Option<&SourceTree> {
        let start = self.record.as_ref()?.starts.first()?;
        start.provenance.built_from.as_ref()
    }

    /// Checksums of what it reads.
    pub fn inputs(&self) -> Inputs {
        let record = self.record.as_ref();
        record.map(RunRecord::inputs).unwrap_or_default()
    }

    /// What identifies its data: the checksums of text and validation text, or the settings of the
    /// generator, without paths, seeds and the length of rows.
    pub fn data(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let inputs = record.inputs();
        let text = inputs.data.filter(|text| !text.starts_with(GENERATOR));
        Some(match (text, inputs.valid) {
            (Some(text), Some(valid)) => format!("{text} {valid}"),
            (Some(text), None) => text,
            (None, _) => self.generator().unwrap_or_else(|| record.data.clone()),
        })
    }

    /// The settings of generated data without the length of rows; `None` of text.
    pub(crate) fn generator(&self) -> Option<String> {
        if self.settings.contains_key("data.path") {
            return None;
        }
        let words = self.settings.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix("data.").filter(|key| *key != "seq_len")?;
            Some(format!("{key}={}", value_text(value)))
        });
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// What identifies the text or the generator of an evaluation. The fingerprint that an
    /// earlier version gave to generated rows depends on the seed.
    pub(crate) fn measured_on(&self, evaluation: &Evaluation) -> Option<String> {
        let data = &evaluation.data;
        match (&data.generator, &data.fingerprint) {
            (Some(generator), _) => Some(generator.clone()),
            (None, Some(rows)) if rows.starts_with(ROWS) => self.generator(),
            (None, fingerprint) => fingerprint.clone(),
        }
    }
}

/// The settings in the text of a settled configuration; `path` is for messages.
fn settings(path: &Path, text: &str) -> Result<Settings, CompareError> {
    let mut layers = miras_config::Layers::new();
    let table: toml::Table = layers
        .text(&path.display().to_string(), text)
        .and_then(|()| layers.merge())
        .and_then(|mut tree| tree.section(""))
        .map_err(|error| CompareError::damaged(path, error))?;
    let settings = miras_config::flat(&table).into_iter();
    let settings = settings.map(|(key, value)| (key, miras_sweep::json(&value)));
    let mut settings: Settings = settings.collect();
    let kind = settings.get("retention.kind").and_then(Value::as_str);
    if kind.is_some_and(|kind| UNANCHORED.contains(&kind)) {
        let anchored = settings.entry("retention.anchored".to_owned());
        anchored.or_insert(Value::Bool(false));
    }
    Ok(settings)
}
