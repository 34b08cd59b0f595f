//! One variant: runs that are the same except for the seed, its label and its verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use miras_run::Cost;
use miras_sweep::KeyNames;
use serde::Serialize;

use crate::group::Group;
use crate::run::Run;
use crate::settings::{Settings, label};
use crate::statistics::{Difference, MIN_SEEDS, Sample};

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
    pub(crate) fn new(group: Group, label: String, keys: &Keys) -> Self {
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

/// Whether a variant can be told from the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its mean is the best.
    Best,
    /// It cannot be told from the best.
    WithinNoise,
    /// It is worse than the best.
    Worse,
    /// It or the best has one seed, so nothing is known of the noise.
    OneSeed,
    /// It or the best has two seeds, too few to estimate the noise.
    TwoSeeds,
    /// Its difference to the best is the same for all seeds, so nothing is known of the noise.
    NoSpread,
    /// It was trained or measured on other data than the best.
    OtherData,
    /// Its runs were stopped on an earlier rung than the last.
    Stopped,
    /// No run of it counts.
    Unmeasured,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Best => "best",
            Self::WithinNoise => "within noise",
            Self::Worse => "worse",
            Self::OneSeed => "one seed: cannot tell",
            Self::TwoSeeds => "two seeds: cannot tell",
            Self::NoSpread => "no spread: cannot tell",
            Self::OtherData => "other data: cannot tell",
            Self::Stopped => "stopped on an earlier rung",
            Self::Unmeasured => "no run counts",
        })
    }
}

impl Verdict {
    /// Why two variants cannot be tested, by the seeds of the one that has fewer.
    pub(crate) fn untested(seeds: usize) -> Self {
        match seeds {
            0 => Self::Unmeasured,
            1 => Self::OneSeed,
            few if few < MIN_SEEDS => Self::TwoSeeds,
            _ => Self::NoSpread,
        }
    }
}

/// With more differing keys than this, variants have the names of their runs.
const MAX_KEYS: usize = 6;

/// The keys in which variants differ.
#[derive(Debug)]
pub(crate) struct Keys {
    /// All of them.
    pub(crate) differing: Vec<String>,
    /// Those in labels, which tell every variant from every other; none if variants have the names
    /// of their runs.
    pub(crate) shown: Vec<String>,
}

impl Keys {
    pub(crate) fn of(groups: &[Group], mut swept: Vec<String>) -> Self {
        let differing = differing(groups, &swept);
        swept.retain(|key| differing.contains(key));
        let mut runs = groups.iter().flat_map(|group| &group.runs);
        let all_swept = runs.all(|run| run.trial.is_some());
        let shown = if all_swept && !swept.is_empty() && determines(groups, &swept, &differing) {
            swept
        } else if differing.len() <= MAX_KEYS {
            without_determined(groups, differing.clone())
        } else {
            Vec::new()
        };
        Self { differing, shown }
    }

    /// The labels of all variants, in the order of the groups, no two the same.
    pub(crate) fn labels(&self, groups: &[Group], names: &KeyNames) -> Vec<String> {
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let labels = groups.iter().map(|group| {
            let mut label = label(names, &group.settings, &self.shown);
            if label.is_empty() {
                label = run_name(group);
            }
            let count = used.entry(label.clone()).or_default();
            *count += 1;
            match *count {
                1 => label,
                n => format!("{label} ({n})"),
            }
        });
        labels.collect()
    }
}

/// Keys whose values are not the same in all variants: swept ones first, then kinds.
fn differing(groups: &[Group], swept: &[String]) -> Vec<String> {
    let all = groups.iter().flat_map(|group| group.settings.keys());
    let all: BTreeSet<&String> = all.collect();
    let differs = |key: &&String| {
        // Of a variant that never started only the planned keys are known.
        let known = groups
            .iter()
            .filter(|one| one.started || one.settings.contains_key(*key));
        let values: BTreeSet<_> = known.map(|group| group.identity(key)).collect();
        values.len() > 1
    };
    let mut found: Vec<String> = all.into_iter().filter(differs).cloned().collect();
    found.sort_by_key(|key| {
        let place = swept.iter().position(|one| one == key);
        (
            place.unwrap_or(usize::MAX),
            key.strip_suffix(".kind").is_none(),
            key.clone(),
        )
    });
    found
}

/// Whether variants with the same values of `by` have the same values of `keys`.
fn determines(groups: &[Group], by: &[String], keys: &[String]) -> bool {
    let values = |group: &Group, keys: &[String]| -> Vec<_> {
        keys.iter().map(|key| group.identity(key)).collect()
    };
    let mut seen = BTreeMap::new();
    groups.iter().filter(|group| group.started).all(|group| {
        let own = values(group, keys);
        *seen.entry(values(group, by)).or_insert_with(|| own.clone()) == own
    })
}

/// Drops keys, last ones first, whose values follow from those of the others.
fn without_determined(groups: &[Group], mut keys: Vec<String>) -> Vec<String> {
    for at in (0..keys.len()).rev() {
        let mut rest = keys.clone();
        let key = rest.remove(at);
        if !rest.is_empty() && determines(groups, &rest, &[key]) {
            keys = rest;
        }
    }
    keys
}

/// The label of the plan, or the name of the first run without its seed.
fn run_name(group: &Group) -> String {
    let Some(run) = group.runs.first() else {
        return String::new();
    };
    match (&run.trial, run.name.rsplit_once("-s")) {
        (Some((_, trial)), _) if !trial.label.is_empty() => trial.label.clone(),
        (_, Some((stem, seed))) if !stem.is_empty() && seed.parse::<u64>().is_ok() => {
            stem.to_owned()
        }
        _ => run.name.clone(),
    }
}
