//! Runs, grouped into variants, with verdicts.

use std::path::PathBuf;

use miras_config::{Renamed, present_name};
use miras_run::Goal;
use miras_sweep::{KeyNames, Note};

use crate::CompareError;
use crate::group::{self, CompareAt};
use crate::input::{self, Sweep};
use crate::metric;
use crate::reports;
use crate::run::Run;
use crate::settings::Settings;
use crate::variant::{Keys, Variant};
use crate::verdict::{self, Contrast};
use crate::warnings;

/// Variants with their verdicts: the answer to "which is better".
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The metric that is compared.
    pub metric: String,
    /// The number of tokens of training after which it is compared; `None` for the end of each run.
    pub at: Option<u64>,
    /// The smallest step in which the metric can change, where it is known: of an accuracy, one
    /// question. No spread is taken to be smaller.
    pub resolution: Option<f64>,
    /// Whether lower or higher values are better.
    pub goal: Goal,
    /// Best first; those of which no run counts are last.
    pub variants: Vec<Variant>,
    /// In what the runs were not treated alike.
    pub warnings: Vec<String>,
    /// The keys in which variants differ.
    pub differing: Vec<String>,
    /// Those of them that make up the labels.
    pub shown: Vec<String>,
    /// The effect of each key that has two values, all else equal.
    pub contrasts: Vec<Contrast>,
    /// The settings that all variants have in common.
    pub common: Settings,
    /// The sweeps that were read.
    pub sweeps: Vec<Sweep>,
    /// Notes on the variants; see [`note`](Self::note).
    pub notes: Vec<Note>,
}

impl Comparison {
    /// As [`Self::read_at`], with [`CompareAt::Auto`] and no renamed keys.
    pub fn read(
        paths: &[PathBuf],
        metric: Option<&str>,
        goal: Option<Goal>,
    ) -> Result<Self, CompareError> {
        Self::read_at(paths, metric, goal, CompareAt::Auto, &[])
    }

    /// Reads run folders and sweep folders and compares what is in them.
    ///
    /// The default metric is that of the sweeps, or `eval/loss`. The default goal is that of a
    /// sweep by this metric, or follows from its name: more accuracy and more tokens a second
    /// are better, and less of anything else. Runs of earlier versions may have the old names of
    /// keys that are `renamed`.
    pub fn read_at(
        paths: &[PathBuf],
        metric: Option<&str>,
        goal: Option<Goal>,
        at: CompareAt,
        renamed: &'static [Renamed],
    ) -> Result<Self, CompareError> {
        let (mut runs, sweeps) = input::read(paths, renamed)?;
        let metric = match metric {
            Some(metric) => metric.to_owned(),
            None => metric::default_metric(&sweeps)?,
        };
        let goal = goal.unwrap_or_else(|| metric::default_goal(&sweeps, &metric));
        reports::keep_comparable_scores(&mut runs, &metric);
        reports::keep_comparable_rows(&mut runs, &metric);
        if runs.iter().all(|run| run.last(&metric).is_none()) {
            return Err(metric::unknown(&metric, &runs));
        }

        let mut swept: Vec<String> = Vec::new();
        for key in sweeps.iter().flat_map(|sweep| &sweep.keys) {
            let key = present_name(renamed, key).unwrap_or_else(|| key.clone());
            if !swept.contains(&key) {
                swept.push(key);
            }
        }
        let mut groups = group::group(runs, &swept);
        group::count(&mut groups, &metric, None);
        let at = at.tokens(&groups, &metric);
        if at.is_some() {
            group::count(&mut groups, &metric, at);
        }
        reports::keep_comparable(groups.iter_mut().flat_map(|group| &mut group.runs), at);
        let keys = Keys::of(&groups, swept);
        let started = groups.iter().find(|group| group.started);
        let mut common = started.map_or(Settings::new(), |group| group.settings.clone());
        common.retain(|key, _| !keys.differing.contains(key));
        let key_names = KeyNames::new(groups.iter().flat_map(|group| group.settings.keys()));
        let labels = keys.labels(&groups, &key_names);
        let variants = groups.into_iter().zip(labels);
        let variants = variants.map(|(group, label)| Variant::new(group, label, &keys));
        let mut variants: Vec<Variant> = variants.collect();
        sort(&mut variants, goal);
        let resolution = metric::resolution(variants.iter().flat_map(Variant::counted), &metric);
        let step = resolution.unwrap_or(0.0);
        verdict::assign(&mut variants, step);
        let mut comparison = Self {
            at,
            resolution,
            goal,
            warnings: warnings::find(&variants, &keys.differing, &metric, at),
            contrasts: verdict::contrasts(&variants, &keys.shown, &key_names, step),
            metric,
            variants,
            differing: keys.differing,
            shown: keys.shown,
            common,
            sweeps,
            notes: Vec::new(),
        };
        let metric = comparison.metric.clone();
        comparison.note(|variant| metric::guessing(variant, &metric).into_iter().collect());
        Ok(comparison)
    }

    /// Adds notes on the variants that have results, equal notes once. This crate knows nothing of
    /// models, so the caller says them.
    pub fn note(&mut self, of: impl Fn(&Variant) -> Vec<String>) {
        let measured = self.variants.iter().filter(|one| one.sample.is_some());
        let notes: Vec<(&str, Vec<String>)> = measured
            .map(|variant| (&*variant.label, of(variant)))
            .collect();
        let notes = Note::merge(notes.iter().map(|(label, notes)| (*label, &**notes)));
        self.notes.extend(notes);
    }

    /// The runs that do not count, each with its variant, best variant first.
    pub fn excluded(&self) -> impl Iterator<Item = (&Variant, &Run)> {
        let all = self.variants_and_runs();
        all.filter(|(_, run)| run.excluded.is_some())
    }

    /// All runs, best variant first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.variants.iter().flat_map(|variant| &variant.runs)
    }

    pub(crate) fn variants_and_runs(&self) -> impl Iterator<Item = (&Variant, &Run)> {
        let variants = self.variants.iter();
        variants.flat_map(|variant| variant.runs.iter().map(move |run| (variant, run)))
    }

    /// The runs that count, best variant first.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &Run> {
        self.variants.iter().flat_map(Variant::counted)
    }

    /// Short names of all keys.
    pub(crate) fn key_names(&self) -> KeyNames {
        KeyNames::new(self.common.keys().chain(&self.differing))
    }
}

fn sort(variants: &mut [Variant], goal: Goal) {
    variants.sort_by(|a, b| match (a.sample, b.sample) {
        (Some(a), Some(b)) if goal == Goal::Higher => b.mean.total_cmp(&a.mean),
        (Some(a), Some(b)) => a.mean.total_cmp(&b.mean),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
}
