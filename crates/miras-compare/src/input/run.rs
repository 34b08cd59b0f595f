//! One run, with all that its folder says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use miras_run::{Goal, Inputs, RunFolder, RunRecord, SourceTree, Status, Summary};

use super::{
    Cost, Evaluation, LeftOut, Point, Settings, State, Trial, evaluation, metrics, settings,
};
use crate::CompareError;
use crate::comparison::label::in_words;
use crate::comparison::statistics::median;

/// How the checksum of a generator begins.
const GENERATOR: &str = "sha256-generator:";
/// How an earlier version marked a hash of generated rows, which depends on the seed.
const ROWS: &str = "sha256-generated:";
/// The tag of the number of skipped steps.
const SKIPPED: &str = "train/skipped";

/// One run, or a planned one that never came to be.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its folder; none if the run never started.
    pub path: Option<PathBuf>,
    /// Its seed.
    pub seed: u64,
    /// How far it came.
    pub state: State,
    /// Why it came no farther, if that is known.
    pub reason: Option<String>,
    /// Its settled configuration; empty if it never started.
    pub settings: Settings,
    /// What it logged.
    pub points: Vec<Point>,
    /// Whether the last line that it logged is torn, and no process is writing it.
    pub is_torn: bool,
    /// The step that it ended at or, before that, that of its newest checkpoint.
    pub step: Option<u64>,
    /// What it was measured at afterwards.
    pub evaluations: Vec<Evaluation>,
    /// Reports in its folder that are not compared.
    pub left_out: Vec<LeftOut>,
    /// Where it comes from.
    pub record: Option<RunRecord>,
    /// What it takes, if it was counted.
    pub cost: Option<Cost>,
    /// How it ended.
    pub summary: Option<Summary>,
    /// The sweep that planned it, by its place in the list of sweeps, and the plan.
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
        let cost = record.cost;
        let summary = folder.read_summary()?;
        let (points, is_torn) = metrics::read(&folder.metrics_path())?;
        let step = match &summary {
            Some(summary) => Some(summary.steps),
            None => folder.newest()?.map(|newest| newest.step),
        };
        let (evaluations, left_out) = evaluation::read(&folder, step)?;
        Ok(Self {
            name: name.into_owned(),
            path: Some(path.to_owned()),
            seed: record.seed,
            state: summary
                .as_ref()
                .map_or(State::Unfinished, |summary| match summary.status {
                    Status::Finished => State::Finished,
                    Status::Time => State::Time,
                    Status::Interrupted => State::Interrupted,
                    Status::Nonfinite => State::Nonfinite,
                    Status::Failed => State::Failed,
                }),
            reason: summary.as_ref().and_then(|summary| summary.message.clone()),
            settings: settings::read(&folder.config_path(), &folder.read_config()?)?,
            points,
            is_torn: is_torn && !folder.is_busy(),
            step,
            evaluations,
            left_out,
            record: Some(record),
            cost,
            summary,
            trial: None,
            value: None,
            at: None,
            excluded: None,
        })
    }

    /// A run that was planned and has no folder.
    pub(super) fn planned(trial: &Trial) -> Self {
        Self {
            name: trial.name.clone(),
            path: None,
            seed: trial.seed,
            state: State::Planned,
            reason: None,
            settings: Settings::new(),
            points: Vec::new(),
            is_torn: false,
            step: None,
            evaluations: Vec::new(),
            left_out: Vec::new(),
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
        matches!(self.state, State::Finished | State::Time)
    }

    /// Decides whether it counts in a comparison by `metric`: at its end, or at the last value
    /// that it has after at most `at` tokens.
    pub(crate) fn count(&mut self, metric: &str, at: Option<u64>) {
        (self.value, self.at, self.excluded) = (None, None, None);
        let found = match at {
            None => self.at_end(metric),
            Some(tokens) => self.after(metric, tokens),
        };
        match found {
            Err(why) => self.excluded = Some(why),
            Ok((_, value)) if !value.is_finite() => {
                let place = if at.is_some() { "there" } else { "at the end" };
                self.excluded = Some(format!("{metric} is {value} {place}"));
            }
            Ok((tokens, value)) => (self.value, self.at) = (Some(value), tokens),
        }
    }

    /// The metric at the end, or why it does not count there.
    fn at_end(&self, metric: &str) -> Result<(Option<u64>, f64), String> {
        if !self.is_complete() {
            return Err(self.how_it_stands());
        }
        if let Some(rung) = self.stopped_on() {
            let tokens = self.tokens().unwrap_or_default();
            let value = self
                .last(metric)
                .map_or(String::new(), |value| format!(", {metric} {value:.4}"));
            return Err(format!(
                "stopped on rung {rung} after {tokens} tokens{value}"
            ));
        }
        self.refuse_skipped()?;
        let value = self.last(metric).ok_or(format!("has no {metric}"))?;
        Ok((None, value))
    }

    /// The last value within a number of tokens, or why no value counts.
    fn after(&self, metric: &str, tokens: u64) -> Result<(Option<u64>, f64), String> {
        if !self.is_complete() && !self.may_go_on() {
            return Err(self.how_it_stands());
        }
        self.refuse_skipped()?;
        let points = self.points.iter().rev();
        points
            .filter(|point| point.tokens <= tokens)
            .find_map(|point| Some((Some(point.tokens), *point.values.get(metric)?)))
            .ok_or(format!("has no {metric} at {tokens} tokens or before"))
    }

    /// Weights that hardly any step has changed say nothing of the variant.
    fn refuse_skipped(&self) -> Result<(), String> {
        let (skipped, steps) = (self.skipped(), self.steps().unwrap_or_default());
        if skipped * 2 <= steps {
            return Ok(());
        }
        Err(format!(
            "skipped {skipped} of its {steps} steps, because something in them was not finite"
        ))
    }

    /// Whether it was stopped, or is still training, with nothing wrong.
    pub(crate) fn may_go_on(&self) -> bool {
        matches!(self.state, State::Unfinished | State::Interrupted)
    }

    /// After how many tokens of training a metric was measured.
    pub(crate) fn measured_at(&self, metric: &str) -> BTreeSet<u64> {
        let measured = self.points.iter();
        measured
            .filter(|point| point.values.contains_key(metric))
            .map(|point| point.tokens)
            .collect()
    }

    /// The state, the step and the reason of a run that is not complete.
    fn how_it_stands(&self) -> String {
        let at = self.steps().map(|steps| format!(" at step {steps}"));
        let at = at.filter(|_| self.path.is_some()).unwrap_or_default();
        let state = self.state.to_string();
        let why = match self.reason.as_deref() {
            None => String::new(),
            // The message of a run says itself that it was interrupted.
            Some(reason) => match reason.strip_prefix(&state) {
                Some(rest) => rest.to_owned(),
                None => format!(": {reason}"),
            },
        };
        let state = match self.state {
            State::Planned => "not started yet",
            _ => &state,
        };
        let words = format!("{state}{at}{why}");
        let words = words.split(char::is_control).map(str::trim);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    /// The rung, from 1, that it got to the end of, if its sweep has further ones.
    pub fn stopped_on(&self) -> Option<usize> {
        let (_, trial) = self.trial.as_ref()?;
        let (done, last) = (self.steps()?, *trial.steps.last()?);
        let is_short = self.state == State::Finished && done < last;
        is_short.then(|| trial.steps.iter().filter(|&&steps| steps <= done).count())
    }

    /// The last value of a metric: that of the summary, which is whole where the lines of
    /// `metrics.jsonl` were cut off.
    pub fn last(&self, tag: &str) -> Option<f64> {
        let mut newest_first = self.points.iter().rev();
        let logged = newest_first.find_map(|point| point.values.get(tag).copied());
        let summary = self.summary.as_ref();
        let ended = summary.and_then(|summary| summary.metrics.get(tag).copied());
        match (ended, logged) {
            // A summary has one word for all numbers that are not finite.
            (Some(end), Some(line)) if end.is_nan() && !line.is_finite() => Some(line),
            (Some(end), _) => Some(end),
            (None, logged) => logged,
        }
    }

    /// The last step in `metrics.jsonl`, if a metric has another last value in the summary: lines
    /// at the end of the file are missing.
    pub(crate) fn cut_off_after(&self) -> Option<u64> {
        let is_missing = |(tag, &end): (&String, &f64)| {
            let mut newest_first = self.points.iter().rev();
            let logged = newest_first.find_map(|point| point.values.get(tag));
            let is_same = |&logged: &f64| (logged - end).abs() <= end.abs() * 1e-9;
            tag != SKIPPED && end.is_finite() && !logged.is_some_and(is_same)
        };
        let mut ended = self.summary.as_ref()?.metrics.iter();
        let last = self.points.last().map_or(0, |point| point.step);
        ended.any(is_missing).then_some(last)
    }

    /// Steps that were skipped because something in them was not finite.
    pub fn skipped(&self) -> u64 {
        self.last(SKIPPED)
            .filter(|count| count.is_finite())
            .unwrap_or(0.0) as u64
    }

    /// The best value of a metric, numbers that are not finite aside.
    pub fn best(&self, tag: &str, goal: Goal) -> Option<f64> {
        let logged = self.points.iter();
        let logged = logged.filter_map(|point| point.values.get(tag).copied());
        let summary = self.summary.as_ref().and_then(|end| end.best.as_ref());
        let kept = summary.filter(|best| best.metric == tag && goal == Goal::Lower);
        logged
            .chain(kept.map(|best| best.value))
            .filter(|value| value.is_finite())
            .reduce(|best, value| {
                if goal.is_better(value, best) {
                    value
                } else {
                    best
                }
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

    /// Optimizer steps done where it is compared.
    pub fn compared_steps(&self) -> Option<u64> {
        match self.at {
            Some(_) => self.compared_point().map(|point| point.step),
            None => self.steps(),
        }
    }

    /// Seconds of training where it is compared.
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
        let speeds = self.points.iter();
        median(
            speeds
                .filter_map(|point| point.values.get("perf/tokens_per_s").copied())
                .filter(|speed| speed.is_finite())
                .collect(),
        )
    }

    /// Tokens of training where it is compared.
    pub fn compared_tokens(&self) -> Option<u64> {
        self.at.or_else(|| self.tokens())
    }

    /// Floating-point operations of the training up to where it is compared.
    pub fn flops(&self) -> Option<f64> {
        Some(self.compared_tokens()? as f64 * self.cost?.flops_per_token)
    }

    /// The source tree of the program that began it.
    pub fn source(&self) -> Option<&SourceTree> {
        self.record
            .as_ref()?
            .starts
            .first()?
            .provenance
            .built_from
            .as_ref()
    }

    /// Checksums of what it reads.
    pub fn inputs(&self) -> Inputs {
        let record = self.record.as_ref();
        record.map(RunRecord::inputs).unwrap_or_default()
    }

    /// What identifies its data: the checksums of text and validation text, or the settings of the
    /// generator. Neither a path nor a seed nor the length of rows has a part in it.
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

    /// The settings of generated data, but for the length of rows; none of text.
    pub(crate) fn generator(&self) -> Option<String> {
        if self.settings.contains_key("data.path") {
            return None;
        }
        let keys = self.settings.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix("data.")?;
            (key != "seq_len").then(|| format!("{key}={}", in_words(value)))
        });
        let words: Vec<String> = keys.collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// What identifies the text or the generator of an evaluation. The fingerprint that an
    /// earlier version gave to generated rows depends on the seed.
    pub(crate) fn measured_on(&self, evaluation: &Evaluation) -> Option<String> {
        if let Some(generator) = &evaluation.data.generator {
            return Some(generator.clone());
        }
        let fingerprint = evaluation.data.fingerprint.as_deref()?;
        if fingerprint.starts_with(ROWS) {
            return self.generator();
        }
        Some(fingerprint.to_owned())
    }
}
