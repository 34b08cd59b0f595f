//! One variant: runs that are the same except for the seed.

use std::collections::BTreeMap;

use super::Verdict;
use super::group::Group;
use super::label::Keys;
use super::statistics::{Difference, Sample};
use crate::input::{Cost, Run, Settings};

/// Runs that are the same except for the seed, taken together.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What tells it from the others.
    pub label: String,
    /// The keys in its label.
    pub values: Settings,
    /// The other keys that are not the same in all variants. Empty if variants have the names of
    /// their runs.
    pub also: Settings,
    /// All settings that have an effect.
    pub settings: Settings,
    /// Its runs by seed, also those that do not count.
    pub runs: Vec<Run>,
    /// The metric over the runs that count; `None` if none does.
    pub sample: Option<Sample>,
    /// Whether it can be told from the best.
    pub verdict: Verdict,
    /// The difference to the best, if it can be tested.
    pub difference: Option<Difference>,
    /// The p of that after Holm's correction for the number of tests; it decides the verdict.
    pub p_holm: Option<f64>,
}

impl Variant {
    pub(super) fn new(group: Group, label: String, keys: &Keys) -> Self {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| run.value).collect();
        let pick = |key: &String| Some((key.clone(), group.settings.get(key)?.clone()));
        let also = keys
            .differing
            .iter()
            .filter(|key| !keys.shown.contains(key));
        Self {
            label,
            values: keys.shown.iter().filter_map(pick).collect(),
            also: match keys.shown.len() {
                0 => Settings::new(),
                _ => also.filter_map(pick).collect(),
            },
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
        let values = self.runs.iter();
        values
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

    /// Tokens of training up to where it is compared, the mean of the runs that count.
    pub fn tokens(&self) -> Option<f64> {
        self.mean(|run| Some(run.compared_tokens()? as f64))
    }

    /// Floating-point operations of training, the mean of the runs that count.
    pub fn flops(&self) -> Option<f64> {
        self.mean(Run::flops)
    }

    /// Seconds of training up to where it is compared, the mean of the runs that count.
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
