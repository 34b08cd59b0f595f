//! One variant: runs that are the same but for the seed.

use std::collections::BTreeMap;

use super::Verdict;
use super::group::Group;
use super::label::{Keys, pick};
use super::statistics::{Difference, Sample};
use crate::input::{Cost, Run, Settings};

/// Runs that are the same but for the seed, taken together.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What tells it from the others.
    pub label: String,
    /// The keys in its label.
    pub values: Settings,
    /// The other keys that are not the same in all variants. Empty if variants are called by
    /// the names of their runs.
    pub also: Settings,
    /// All settings that count.
    pub settings: Settings,
    /// Its runs by seed, also those that do not count.
    pub runs: Vec<Run>,
    /// The metric over the runs that count; none if none does.
    pub sample: Option<Sample>,
    /// What may be said of it against the best.
    pub verdict: Verdict,
    /// How far it is from the best, if that can be tested.
    pub difference: Option<Difference>,
    /// The p of that after Holm's correction for the number of tests; the verdict goes by this.
    pub p_holm: Option<f64>,
}

impl Variant {
    pub(super) fn new(group: Group, label: String, keys: &Keys) -> Self {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| run.value).collect();
        let also: Vec<String> = keys
            .differing
            .iter()
            .filter(|key| !keys.shown.is_empty() && !keys.shown.contains(key))
            .cloned()
            .collect();
        Self {
            label,
            values: pick(&group.settings, &keys.shown),
            also: pick(&group.settings, &also),
            settings: group.settings,
            runs: group.runs,
            sample: Sample::of(&values),
            verdict: Verdict::Unmeasured,
            difference: None,
            p_holm: None,
        }
    }

    /// The values of the metric, by seed.
    pub fn by_seed(&self) -> BTreeMap<u64, f64> {
        (self.runs.iter())
            .filter_map(|run| Some((run.seed, run.value?)))
            .collect()
    }

    /// The runs that count.
    pub fn counted(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.value.is_some())
    }

    /// How many runs do not count.
    pub fn excluded(&self) -> usize {
        self.runs.len() - self.counted().count()
    }

    /// What its model takes, if any of its runs says so.
    pub fn cost(&self) -> Option<Cost> {
        self.runs.iter().find_map(|run| run.cost)
    }

    /// Tokens of training where it is compared, the mean of the runs that count.
    pub fn tokens(&self) -> Option<f64> {
        self.mean(|run| Some(run.compared_tokens()? as f64))
    }

    /// Floating-point operations of training, the mean of the runs that count.
    pub fn flops(&self) -> Option<f64> {
        self.mean(Run::flops)
    }

    /// Seconds of training where it is compared, the mean of the runs that count.
    pub fn seconds(&self) -> Option<f64> {
        self.mean(Run::compared_seconds)
    }

    /// Speed, the mean of the runs that count.
    pub fn tokens_per_s(&self) -> Option<f64> {
        self.mean(Run::tokens_per_s)
    }

    fn mean(&self, of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.counted().filter_map(of).collect();
        Sample::of(&values).map(|sample| sample.mean)
    }
}
