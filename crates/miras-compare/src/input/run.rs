//! One run, with all that its folder says.

use std::path::{Path, PathBuf};

use miras_run::{Goal, RunFolder, RunRecord, SourceTree, Status, Summary};

use super::{
    Cost, Evaluation, LeftOut, Point, Settings, State, Trial, evaluation, metrics, settings,
};
use crate::CompareError;
use crate::comparison::statistics::median;

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
    /// The compared metric at its end, if the run counts.
    pub value: Option<f64>,
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
        let (evaluations, left_out) = evaluation::read(&folder, summary.as_ref())?;
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
            points: metrics::read(&folder.metrics_path())?,
            evaluations,
            left_out,
            record: Some(record),
            cost,
            summary,
            trial: None,
            value: None,
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
            evaluations: Vec::new(),
            left_out: Vec::new(),
            record: None,
            cost: None,
            summary: None,
            trial: None,
            value: None,
            excluded: None,
        }
    }

    /// Whether it came to the end that its configuration asked for.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Finished | State::Time)
    }

    /// Decides whether it counts in a comparison by `metric`.
    pub(crate) fn count(&mut self, metric: &str) {
        self.excluded = None;
        self.value = None;
        if !self.is_complete() {
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
            self.excluded = Some(words.join(" "));
            return;
        }
        if let Some(rung) = self.stopped_on() {
            let tokens = self.tokens().unwrap_or_default();
            let value = self
                .last(metric)
                .map_or(String::new(), |value| format!(", {metric} {value:.4}"));
            self.excluded = Some(format!(
                "stopped on rung {rung} after {tokens} tokens{value}"
            ));
            return;
        }
        match self.last(metric) {
            None => self.excluded = Some(format!("has no {metric}")),
            Some(value) if !value.is_finite() => {
                self.excluded = Some(format!("{metric} is {value} at the end"));
            }
            value => self.value = value,
        }
    }

    /// The rung, from 1, that it got to the end of, if its sweep has further ones.
    pub fn stopped_on(&self) -> Option<usize> {
        let (_, trial) = self.trial.as_ref()?;
        let (done, last) = (self.steps()?, *trial.steps.last()?);
        let is_short = self.state == State::Finished && done < last;
        is_short.then(|| trial.steps.iter().filter(|&&steps| steps <= done).count())
    }

    /// The last value of a metric.
    pub fn last(&self, tag: &str) -> Option<f64> {
        let mut newest_first = self.points.iter().rev();
        newest_first
            .find_map(|point| point.values.get(tag).copied())
            .or_else(|| self.summary.as_ref()?.metrics.get(tag).copied())
    }

    /// The best value of a metric, numbers that are not finite aside.
    pub fn best(&self, tag: &str, goal: Goal) -> Option<f64> {
        self.points
            .iter()
            .filter_map(|point| point.values.get(tag).copied())
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

    /// Floating-point operations of the training so far.
    pub fn flops(&self) -> Option<f64> {
        Some(self.tokens()? as f64 * self.cost?.flops_per_token)
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

    /// The checksum of the data, or what else says which they are.
    pub fn data(&self) -> Option<&str> {
        let data = self.record.as_ref()?.data.as_str();
        Some(data.find("sha256").map_or(data, |at| &data[at..]))
    }
}
