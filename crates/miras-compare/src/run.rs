//! One run, with all that its folder says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use miras_config::{Layers, Renamed};
use miras_log::JsonLines;
use miras_run::metrics::{SECONDS, SKIPPED, TOKENS_PER_S};
use miras_run::{Cost, Goal, Inputs, Memory, RunFolder, RunRecord, SourceTree, Status, Summary};
use miras_sweep::Trial;
use serde::Serialize;
use serde_json::Value;
use statrs::statistics::{Data, Median as _};

use crate::CompareError;
use crate::evaluation::{self, Evaluation, ExcludedReport};
use crate::later;
use crate::rows;
use crate::settings::{Settings, value_text};
use crate::tasks::{self, TaskScores};

/// How the checksum of a generator begins.
const GENERATOR: &str = "sha256-generator:";
/// How an earlier version marked a hash of generated rows, which depends on the seed.
const ROWS: &str = "sha256-generated:";

/// How a run ended, if it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It never started.
    #[default]
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

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Optimizer steps done.
    pub step: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds of training, if the run tells: by `perf/seconds`, or by tokens and
    /// `perf/tokens_per_s`.
    pub seconds: Option<f64>,
    /// The scalars of this line, by tag.
    pub values: BTreeMap<String, f64>,
}

/// One run, or a planned one that never started.
#[derive(Debug, Clone, Default)]
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
    /// What it scores on data sets.
    pub tasks: Vec<TaskScores>,
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
    pub(crate) fn read(path: &Path, renamed: &'static [Renamed]) -> Result<Self, CompareError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let parent = path.parent().unwrap_or(Path::new("."));
        let folder = RunFolder::open_to_read(parent, &name)?;
        let record = folder.read_record()?;
        let (points, is_torn) = points(&folder.metrics_path())?;
        let summary = folder.read_summary()?;
        let mut run = Self {
            name: name.into_owned(),
            path: Some(path.to_owned()),
            seed: record.seed,
            state: State::Unfinished,
            settings: settings(&folder.config_path(), &folder.read_config()?, renamed)?,
            points,
            is_torn: is_torn && !folder.is_busy(),
            cost: record.cost,
            record: Some(record),
            ..Self::default()
        };
        if let Some(summary) = &summary {
            run.state = State::Ended(summary.status);
            run.reason.clone_from(&summary.message);
            run.step = Some(summary.steps);
        } else {
            run.step = folder.newest()?.map(|newest| newest.step);
        }
        run.summary = summary;
        (run.evaluations, run.excluded_reports) = evaluation::read(&folder, run.step)?;
        // Earlier versions of the program had no other.
        let trained = run.settings.get("train.memory").and_then(Value::as_str);
        for one in &mut run.evaluations {
            one.is_own = one.memory.name() == trained.unwrap_or(Memory::Live.name());
        }
        let excluded;
        (run.tasks, excluded) = tasks::read(&folder, run.step)?;
        run.excluded_reports.extend(excluded);
        Ok(run)
    }

    /// A run that was planned and has no folder.
    pub(crate) fn planned(trial: &Trial) -> Self {
        Self {
            name: trial.name.clone(),
            seed: trial.seed,
            ..Self::default()
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
        match self.value_at(metric, at) {
            Ok((tokens, value)) => (self.at, self.value) = (tokens, Some(value)),
            Err(why) => self.excluded = Some(why),
        }
    }

    /// The tokens, if not those of the end, and the value of the metric, or why it does not count.
    fn value_at(&self, metric: &str, at: Option<u64>) -> Result<(Option<u64>, f64), String> {
        if !self.is_complete() && (at.is_none() || !self.can_continue()) {
            return Err(self.status_text());
        }
        if let (None, Some(rung)) = (at, self.stopped_on()) {
            let value = self.last(metric);
            let value = value.map_or(String::new(), |value| format!(", {metric} {value:.4}"));
            let tokens = self.tokens().unwrap_or_default();
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
        let found = match at {
            None => self.last(metric).map(|value| (None, value)),
            Some(tokens) => self.points.iter().rev().find_map(|point| {
                let value = point.values.get(metric)?;
                (point.tokens <= tokens).then_some((Some(point.tokens), *value))
            }),
        };
        match (found, at) {
            (Some(found), _) if found.1.is_finite() => Ok(found),
            (Some((_, value)), None) => Err(format!("{metric} is {value} at the end")),
            (Some((_, value)), Some(_)) => Err(format!("{metric} is {value} there")),
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
        // The message of an interrupted run says that it was interrupted.
        let why = self.reason.as_ref().map_or(String::new(), |reason| {
            let rest = reason.strip_prefix(&state);
            rest.map_or_else(|| format!(": {reason}"), str::to_owned)
        });
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
    /// `metrics.jsonl` were cut off; of the questions of a data set, `task/NAME/METRIC`; of a report
    /// on rows of a length, `rows/LENGTH/MEMORY/METRIC`; or of one on the test part of a series,
    /// `test/METRIC`, the one of the most values.
    pub fn last(&self, tag: &str) -> Option<f64> {
        let logged = self.logged(tag).next_back();
        let summary = self.summary.as_ref();
        let ended = summary.and_then(|summary| summary.metrics.get(tag).copied());
        match (ended, logged) {
            // In a summary all numbers that are not finite are NaN.
            (Some(end), Some(line)) if end.is_nan() && !line.is_finite() => Some(line),
            (Some(end), _) => Some(end),
            (None, logged) => logged
                .or_else(|| self.tasks.iter().find_map(|one| one.value(tag)))
                .or_else(|| self.rows(tag).find_map(|one| rows::value(one, tag)))
                .or_else(|| self.on_test(tag)),
        }
    }

    /// Of the reports of its last step, those that have a metric of rows.
    pub(crate) fn rows(&self, tag: &str) -> impl Iterator<Item = &Evaluation> {
        let own = self.evaluations.iter();
        own.filter(|one| one.step.is_none() || one.step == self.step)
            .filter(move |one| rows::value(one, tag).is_some())
    }

    /// Of the reports of its last step, the one of the most values.
    fn on_test(&self, tag: &str) -> Option<f64> {
        let own = self.evaluations.iter().filter(|one| one.step == self.step);
        let found = own.filter_map(|one| Some((one.tokens, one.of_test(tag)?)));
        let most = found.max_by_key(|(tokens, _)| *tokens);
        most.map(|(_, value)| value)
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
        finite.reduce(match goal {
            Goal::Lower => f64::min,
            Goal::Higher => f64::max,
        })
    }

    /// Optimizer steps done.
    pub fn steps(&self) -> Option<u64> {
        let ended = self.summary.as_ref().map(|end| end.steps);
        ended.or(self.points.last().map(|point| point.step))
    }

    /// Tokens trained on.
    pub fn tokens(&self) -> Option<u64> {
        let ended = self.summary.as_ref().map(|end| end.tokens);
        ended.or(self.points.last().map(|point| point.tokens))
    }

    /// Optimizer steps done up to where it is compared.
    pub fn compared_steps(&self) -> Option<u64> {
        self.compared(Self::steps, |point| Some(point.step))
    }

    /// Seconds of training up to where it is compared.
    pub fn compared_seconds(&self) -> Option<f64> {
        self.compared(Self::seconds, |point| point.seconds)
    }

    /// What is known of the end or, where it is compared before its end, of the point there.
    fn compared<T>(
        &self,
        end: impl Fn(&Self) -> Option<T>,
        at: impl Fn(&Point) -> Option<T>,
    ) -> Option<T> {
        let Some(tokens) = self.at else {
            return end(self);
        };
        let mut newest_first = self.points.iter().rev();
        at(newest_first.find(|point| point.tokens == tokens)?)
    }

    /// Seconds of training.
    pub fn seconds(&self) -> Option<f64> {
        let ended = self.summary.as_ref().map(|end| end.seconds);
        (ended.filter(|seconds| seconds.is_finite())).or_else(|| self.points.last()?.seconds)
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
fn settings(
    path: &Path,
    text: &str,
    renamed: &'static [Renamed],
) -> Result<Settings, CompareError> {
    let mut layers = Layers::new();
    let table: toml::Table = layers
        .text(&path.display().to_string(), text)
        .and_then(|()| layers.rename(renamed))
        .and_then(|_| layers.merge())
        .and_then(|mut tree| tree.section(""))
        .map_err(|error| CompareError::damaged(path, error))?;
    let settings = miras_config::flat(&table).into_iter();
    let settings = settings.map(|(key, value)| (key, miras_sweep::json(&value)));
    let mut settings: Settings = settings.collect();
    later::fill(&mut settings);
    Ok(settings)
}

/// Reads the lines of `metrics.jsonl`, and whether the final one is torn.
fn points(path: &Path) -> Result<(Vec<Point>, bool), CompareError> {
    let (lines, is_torn) = JsonLines::read(path)?;
    let points = lines.into_iter().map(|mut line| {
        let tokens = line
            .values
            .remove("tokens")
            .and_then(|count| count.as_u64());
        let values = line.values.into_iter();
        Point {
            step: line.step,
            tokens: tokens.unwrap_or_default(),
            seconds: None,
            values: values
                .filter_map(|(tag, value)| Some((tag, number(&value)?)))
                .collect(),
        }
    });
    let mut points: Vec<Point> = points.collect();
    set_seconds(&mut points);
    Ok((points, is_torn))
}

/// Numbers that JSON lacks are strings in this file.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(word) if ["NaN", "inf", "-inf"].contains(&&**word) => word.parse().ok(),
        value => value.as_f64(),
    }
}

/// Sets the seconds of each point to those of the newest point at or before it that tells them.
fn set_seconds(points: &mut [Point]) {
    let logs_seconds = points.iter().any(|p| p.values.contains_key(SECONDS.name));
    let mut now = None;
    let mut tokens = 0;
    for point in points {
        if logs_seconds {
            now = point.values.get(SECONDS.name).copied().or(now);
        } else if let Some(&speed) = point.values.get(TOKENS_PER_S.name)
            && speed > 0.0
        {
            let passed = point.tokens.saturating_sub(tokens) as f64 / speed;
            now = Some(now.unwrap_or(0.0) + passed);
            tokens = point.tokens;
        }
        point.seconds = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Point> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, text).unwrap();
        points(&path).unwrap().0
    }

    fn seconds(points: &[Point]) -> Vec<Option<f64>> {
        points.iter().map(|point| point.seconds).collect()
    }

    #[test]
    fn an_evaluation_has_the_time_of_the_training_before_it() {
        let points = read(
            r#"{"step":0,"tokens":0,"eval/loss":9}
{"step":1,"tokens":10,"train/loss":3,"perf/seconds":2.5,"perf/tokens_per_s":1}
{"step":1,"tokens":10,"eval/loss":3}
"#,
        );
        assert_eq!(seconds(&points), [None, Some(2.5), Some(2.5)]);
    }

    #[test]
    fn without_a_clock_time_is_tokens_by_speed() {
        let points = read(
            r#"{"step":1,"tokens":10,"perf/tokens_per_s":5}
{"step":1,"tokens":10,"eval/loss":3}
{"step":2,"tokens":30,"perf/tokens_per_s":10}
"#,
        );
        assert_eq!(seconds(&points), [Some(2.0), Some(2.0), Some(4.0)]);
    }

    #[test]
    fn numbers_that_json_lacks_are_read_and_other_words_are_not() {
        let points = read(r#"{"step":1,"a":"NaN","b":"inf","c":"-inf","d":"word","e":null,"f":1}"#);
        let values = &points[0].values;
        assert!(values["a"].is_nan());
        assert!(values["b"] > f64::MAX && values["c"] < f64::MIN);
        assert_eq!(values.len(), 4);
    }
}
