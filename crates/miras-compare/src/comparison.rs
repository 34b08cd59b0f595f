//! Runs, grouped and judged.

mod contrast;
mod group;
pub(crate) mod label;
mod place;
mod resolution;
pub(crate) mod statistics;
mod variant;
mod verdict;
mod warnings;

use std::collections::BTreeSet;
use std::path::PathBuf;

use miras_run::Goal;
use miras_sweep::Short;

pub use contrast::{Contrast, Pair};
pub use place::Place;
pub use statistics::{Difference, Sample, holm};
pub use variant::Variant;
pub use verdict::Verdict;

use crate::CompareError;
use crate::input::{self, Run, Settings, Sweep};
use label::Keys;

/// Variants with their verdicts: the answer to "which is better".
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The metric that is compared.
    pub metric: String,
    /// After how many tokens it is compared; none for the end of each run.
    pub at: Option<u64>,
    /// The smallest step in which the metric can change, where it is known: of an accuracy, one
    /// question. No spread is taken to be smaller.
    pub resolution: Option<f64>,
    /// Which values of it are better.
    pub goal: Goal,
    /// Best first; those of which no run counts are last.
    pub variants: Vec<Variant>,
    /// In what the runs were not treated alike.
    pub warnings: Vec<String>,
    /// The keys in which variants differ.
    pub differing: Vec<String>,
    /// Those of them that make up the labels.
    pub shown: Vec<String>,
    /// What the keys of two values do, all else equal.
    pub contrasts: Vec<Contrast>,
    /// The settings that all variants have in common.
    pub common: Settings,
    /// The sweeps that were read.
    pub sweeps: Vec<Sweep>,
}

impl Comparison {
    /// As [`Self::read_at`], where [`Place::Auto`] says.
    pub fn read(
        paths: &[PathBuf],
        metric: Option<&str>,
        goal: Option<Goal>,
    ) -> Result<Self, CompareError> {
        Self::read_at(paths, metric, goal, Place::Auto)
    }

    /// Reads run folders and sweep folders and compares what is in them.
    ///
    /// Without a metric it is that of the sweeps, or `eval/loss`. Without a goal it is that of a
    /// sweep by this metric, or follows from its name: more accuracy and more tokens a second
    /// are better, and less of anything else.
    pub fn read_at(
        paths: &[PathBuf],
        metric: Option<&str>,
        goal: Option<Goal>,
        place: Place,
    ) -> Result<Self, CompareError> {
        let input = input::read(paths)?;
        let metric = match metric {
            Some(metric) => metric.to_owned(),
            None => sweeps_metric(&input.sweeps)?.unwrap_or_else(|| "eval/loss".to_owned()),
        };
        let of_sweep = input.sweeps.iter().find(|sweep| sweep.metric == metric);
        let by_name = || {
            let is_gain = ["accuracy", "tokens_per_s"]
                .iter()
                .any(|end| metric.ends_with(end));
            if is_gain { Goal::Higher } else { Goal::Lower }
        };
        let goal = goal
            .or(of_sweep.map(|sweep| sweep.goal))
            .unwrap_or_else(by_name);
        let runs = input.runs;
        if runs.iter().all(|run| run.last(&metric).is_none()) {
            return Err(no_metric(metric, &runs));
        }

        let swept: Vec<String> = (input.sweeps.iter())
            .flat_map(|sweep| sweep.keys.iter().cloned())
            .collect();
        let mut groups = group::group(runs, &swept);
        group::count(&mut groups, &metric, None);
        let at = place::find(place, &groups, &metric);
        if at.is_some() {
            group::count(&mut groups, &metric, at);
        }
        input::agree(groups.iter_mut().flat_map(|group| &mut group.runs), at);
        let keys = Keys::of(&groups, &input.sweeps);
        let common = groups
            .iter()
            .find(|group| group.started)
            .map(|group| group.settings.clone())
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| !keys.differing.contains(key))
            .collect();
        let labels = keys.labels(&groups);
        let short = Short::new(groups.iter().flat_map(|group| group.settings.keys()));
        let mut variants: Vec<Variant> = groups
            .into_iter()
            .zip(labels)
            .map(|(group, label)| Variant::new(group, label, &keys))
            .collect();
        sort(&mut variants, goal);
        let counted = variants.iter().flat_map(Variant::counted);
        let resolution = resolution::of(counted, &metric);
        let step = resolution.unwrap_or(0.0);
        verdict::judge(&mut variants, step);
        let contrasts = contrast::find(&variants, &keys.shown, &short, step);
        let warnings = warnings::find(&variants, &keys.differing, &metric, at);
        Ok(Self {
            metric,
            at,
            resolution,
            goal,
            variants,
            warnings,
            differing: keys.differing,
            shown: keys.shown,
            contrasts,
            common,
            sweeps: input.sweeps,
        })
    }

    /// The runs that do not count, each with its variant, best variant first.
    pub fn excluded(&self) -> impl Iterator<Item = (&Variant, &Run)> {
        self.variants
            .iter()
            .flat_map(|variant| variant.runs.iter().map(move |run| (variant, run)))
            .filter(|(_, run)| run.excluded.is_some())
    }

    /// Short names of all keys.
    pub(crate) fn short(&self) -> Short {
        Short::new(self.common.keys().chain(&self.differing))
    }

    /// All runs, best variant first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.variants.iter().flat_map(|variant| &variant.runs)
    }
}

fn sweeps_metric(sweeps: &[Sweep]) -> Result<Option<String>, CompareError> {
    let Some(first) = sweeps.first() else {
        return Ok(None);
    };
    match sweeps.iter().find(|sweep| sweep.metric != first.metric) {
        Some(other) => Err(CompareError::TwoMetrics {
            path: other.path.clone(),
            first: first.metric.clone(),
            second: other.metric.clone(),
        }),
        None => Ok(Some(first.metric.clone())),
    }
}

fn sort(variants: &mut [Variant], goal: Goal) {
    variants.sort_by(|a, b| match (a.sample, b.sample) {
        (Some(a), Some(b)) if goal == Goal::Higher => b.mean.total_cmp(&a.mean),
        (Some(a), Some(b)) => a.mean.total_cmp(&b.mean),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
}

fn no_metric(metric: String, runs: &[Run]) -> CompareError {
    let points = runs.iter().flat_map(|run| &run.points);
    let tags: BTreeSet<&str> = points
        .flat_map(|point| point.values.keys().map(String::as_str))
        .collect();
    let near = miras_config::did_you_mean(&metric, tags.iter().copied());
    // Those of each layer are many, and seldom what one compares by.
    let brief: Vec<&str> = tags
        .iter()
        .copied()
        .filter(|tag| !tag.starts_with("memory/"))
        .collect();
    let hint = match (near, brief.as_slice()) {
        (Some(near), _) => format!("; did you mean `{near}`?"),
        (None, []) => ": nothing has been logged yet; compare when runs have ended".to_owned(),
        (None, brief) => format!("; there are {}", brief.join(", ")),
    };
    CompareError::NoMetric { metric, hint }
}
