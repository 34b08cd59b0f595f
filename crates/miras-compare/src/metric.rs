//! What is known of a metric: which values are better, the smallest step in which it can change,
//! and what guessing gives.

use std::collections::BTreeSet;

use miras_run::Goal;
use miras_run::metrics::{self, ACCURACY, EVAL_LOSS, Metric, QUESTIONS};
use serde_json::Value;

use crate::CompareError;
use crate::input::Sweep;
use crate::rows;
use crate::run::Run;
use crate::tasks::{self, TaskScores};
use crate::variant::Variant;

/// Accuracies nearer to each other than this are the same share of questions, rounded.
const ROUNDING: f64 = 1e-6;
/// Recall is hardly better than guessing with up to this many times the accuracy of a guess, or
/// with at least this share of its loss.
const GUESS_ACCURACY: f64 = 2.0;
const GUESS_LOSS: f64 = 0.97;

/// The metric of the sweeps, or `eval/loss`.
pub(crate) fn default_metric(sweeps: &[Sweep]) -> Result<String, CompareError> {
    let Some(first) = sweeps.first() else {
        return Ok(EVAL_LOSS.to_owned());
    };
    let first = &first.metric;
    match sweeps.iter().find(|sweep| sweep.metric != *first) {
        Some(Sweep { path, plan }) => Err(CompareError::Usage(format!(
            "{} is a sweep for {}, the one before it for {first}: say which metric to compare by, \
             as in `--metric {first}`",
            path.display(),
            plan.metric
        ))),
        None => Ok(first.clone()),
    }
}

/// The goal of a sweep by this metric, or what its name implies.
pub(crate) fn default_goal(sweeps: &[Sweep], metric: &str) -> Goal {
    match sweeps.iter().find(|sweep| sweep.metric == metric) {
        Some(sweep) => sweep.goal,
        None => metrics::default_goal(metric),
    }
}

/// The error of a metric that no run has.
pub(crate) fn unknown(metric: &str, runs: &[Run]) -> CompareError {
    let reports = || runs.iter().flat_map(|run| &run.evaluations);
    if let Some(why) = reports().find_map(|one| rows::why_none(one, metric)) {
        return CompareError::Usage(format!("no run has the metric `{metric}`: {why}"));
    }
    let points = runs.iter().flat_map(|run| &run.points);
    let logged = points.flat_map(|point| point.values.keys().cloned());
    let scores = || runs.iter().flat_map(|run| &run.tasks);
    let of_tasks = scores().flat_map(TaskScores::values).map(|(tag, _)| tag);
    let of_cells = scores().flat_map(TaskScores::by_cell).map(|(tag, _)| tag);
    let of_rows = reports().flat_map(|one| rows::values(one).map(|(tag, _)| tag));
    let of_rows: BTreeSet<String> = of_rows.collect();
    let losses = of_rows.iter().filter(|tag| tag.ends_with("/loss")).cloned();
    // What is measured of each layer, length and cell is much, and seldom what one compares by.
    let brief = logged.chain(of_tasks).chain(losses);
    let (layers, brief): (BTreeSet<String>, BTreeSet<String>) =
        brief.partition(|tag| tag.starts_with("memory/"));
    let all = brief.iter().chain(&layers).cloned();
    let all: BTreeSet<String> = all.chain(of_cells).chain(of_rows).collect();
    let near = miras_config::did_you_mean(metric, all.iter().map(String::as_str));
    // Where one of these is meant, all of them are named.
    let family = [rows::PREFIX, tasks::PREFIX]
        .into_iter()
        .find(|one| metric.starts_with(one));
    let meant = all
        .iter()
        .filter(|tag| family.is_some_and(|one| tag.starts_with(one)));
    let meant: Vec<&str> = meant.map(String::as_str).collect();
    let listed: Vec<&str> = if meant.is_empty() {
        brief.iter().map(String::as_str).collect()
    } else {
        meant
    };
    let hint = match (near, &*listed) {
        (Some(near), _) => format!("; did you mean `{near}`?"),
        (None, []) => ": nothing has been logged yet; compare when runs have ended".to_owned(),
        (None, listed) => format!("; there are {}", listed.join(", ")),
    };
    CompareError::Usage(format!("no run has the metric `{metric}`{hint}"))
}

/// The smallest step in which a metric can change: of an accuracy, one question, the largest of
/// the runs. Where a run does not say how many questions it was asked, the smallest step between
/// logged values stands for it. `None` for other metrics, whose values change by any amount.
pub(crate) fn resolution<'a>(runs: impl Iterator<Item = &'a Run>, metric: &str) -> Option<f64> {
    if metric.starts_with(tasks::PREFIX) {
        let scores = runs.flat_map(|run| &run.tasks);
        let asked = scores.filter(|one| one.value(metric).is_some());
        let steps = asked.map(|one| 1.0 / one.questions(metric) as f64);
        return steps
            .filter(|_| metrics::is_accuracy(metric))
            .reduce(f64::max);
    }
    if Metric::of_tag(metric) != Some(&ACCURACY) {
        return None;
    }
    if metric.starts_with(rows::PREFIX) {
        let steps = runs
            .flat_map(|run| run.rows(metric))
            .map(|one| 1.0 / one.tokens.max(1) as f64);
        return steps.reduce(f64::max);
    }
    // Training asks other questions than an evaluation.
    let is_evaluation = !metric.starts_with("train/");
    let (mut steps, mut values) = (Vec::new(), Vec::new());
    for run in runs {
        match run
            .last(QUESTIONS.name)
            .filter(|&count| is_evaluation && count >= 1.0)
        {
            Some(count) => steps.push(1.0 / count),
            None => values.extend(run.logged(metric).filter(|value| value.is_finite())),
        }
    }
    values.sort_by(f64::total_cmp);
    let gaps = values.windows(2).map(|pair| pair[1] - pair[0]);
    steps.extend(gaps.filter(|&gap| gap > ROUNDING).reduce(f64::min));
    steps.into_iter().reduce(f64::max)
}

/// A note on a variant whose recall is hardly better than guessing, which a table of equal numbers
/// does not show.
pub(crate) fn guessing(variant: &Variant, metric: &str) -> Option<String> {
    let setting = |key: &str| variant.settings.get(key);
    if setting("data.kind")?.as_str() != Some("mqar") {
        return None;
    }
    // Values are the upper half of the tokens.
    let vocab = setting("data.vocab").and_then(Value::as_u64)?;
    let values = (vocab - vocab / 2) as f64;
    let mean = variant.sample?.mean;
    let (guess, is_near) = if metric.ends_with("/accuracy") {
        (1.0 / values, mean <= GUESS_ACCURACY / values)
    } else if metric.ends_with("/loss") {
        (values.ln(), mean >= GUESS_LOSS * values.ln())
    } else {
        return None;
    };
    is_near.then(|| {
        format!(
            "recall is hardly better than guessing one of the {values} values, which gives {metric} {guess:.4}: \
             differences say nothing of the memories"
        )
    })
}
