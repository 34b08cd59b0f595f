//! Which runs are one variant, and at which tokens of training they are compared.

use std::collections::{BTreeMap, BTreeSet};

use miras_run::Inputs;
use serde_json::Value;

use crate::run::Run;
use crate::settings::Settings;

/// Keys that have no effect on the results of training: how a run is watched, measured besides its
/// evaluations, stored, placed and stopped. The seed is what the runs of a variant differ in.
const NO_EFFECT: [&str; 10] = [
    "train.seed",
    "train.device",
    "train.verify_device",
    "train.fusion",
    // Runs are compared by their tokens, and skipped steps are counted.
    "train.max_minutes",
    "train.max_skips",
    "train.on_nonfinite",
    "eval.every",
    "eval.controls",
    // The same bytes are the same data, whether or not they are text.
    "data.allow_binary",
];
/// Tables without an effect.
const NO_EFFECT_TABLES: [&str; 2] = ["checkpoint.", "log."];
/// Keys that a configuration lacks where nothing is set.
const OPTIONAL: [&str; 2] = ["train.init_from", "data.valid_path"];

/// Runs whose configurations are equal except for the seed and keys without an effect.
#[derive(Debug)]
pub(crate) struct Group {
    /// The keys with an effect; the planned ones only if no run has started.
    pub(crate) settings: Settings,
    /// The checksums of the files that keys name.
    contents: Contents,
    /// Whether any run of it has started.
    pub(crate) started: bool,
    pub(crate) runs: Vec<Run>,
}

type Contents = BTreeMap<&'static str, String>;

impl Group {
    /// What is compared of a key: the checksum of the file it names, or its value.
    pub(crate) fn identity(&self, key: &str) -> Option<String> {
        let content = self.contents.get(key).cloned();
        content.or_else(|| self.settings.get(key).map(Value::to_string))
    }

    /// Whether a run has the same settings. Keys that came later have their value of before in
    /// [`Run::read`]. Another key that only one of two versions of the program knows is taken to
    /// make no difference; a warning says that the versions differ.
    fn has_settings_of(&self, run: &Run, settings: &Settings, contents: &Contents) -> bool {
        let is_other_version = self.runs.iter().all(|other| {
            let trees = (other.source(), run.source());
            // Trees with uncommitted changes may differ although the commit is the same.
            matches!(trees, (Some(one), Some(two)) if one != two || one.dirty)
        });
        let keys: BTreeSet<&String> = self.settings.keys().chain(settings.keys()).collect();
        keys.into_iter().all(|key| {
            let checksums = (self.contents.get(&**key), contents.get(&**key));
            match (self.settings.get(key), settings.get(key), checksums) {
                (Some(_), Some(_), (Some(one), Some(other))) => one == other,
                (Some(one), Some(other), _) => one == other,
                _ => is_other_version && !OPTIONAL.contains(&&**key),
            }
        })
    }

    /// Whether the same sweep planned the same settings for a run.
    fn has_plan_of(&self, run: &Run) -> bool {
        let sweep = |run: &Run| run.trial.as_ref().map(|(sweep, _)| *sweep);
        let mut others = self.runs.iter();
        others.any(|other| sweep(other) == sweep(run) && planned(other) == planned(run))
    }
}

/// The checksums of what a run reads, by the keys that name it. Data without a path are compared
/// by their settings.
fn contents(run: &Run) -> Contents {
    let inputs = run.inputs();
    let set = Inputs::KEYS
        .into_iter()
        .filter(|key| run.settings.contains_key(*key));
    set.filter_map(|key| Some((key, inputs.of_key(key)?.to_owned())))
        .collect()
}

/// What a sweep set for a run.
fn planned(run: &Run) -> Option<Settings> {
    let (_, trial) = run.trial.as_ref()?;
    let mut settings = trial.values.clone();
    settings.extend(trial.matched.clone());
    Some(settings)
}

/// Groups runs. Swept keys count as keys with an effect.
pub(crate) fn group(runs: Vec<Run>, swept: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let (started, waiting): (Vec<Run>, Vec<Run>) =
        runs.into_iter().partition(|run| run.path.is_some());
    for run in started {
        let mut settings = run.settings.clone();
        if matches!(&run.trial, Some((_, trial)) if trial.steps.len() > 1) {
            // The steps say on which rung it was stopped.
            settings.remove("train.steps");
        }
        let has_no_effect = |key: &str| {
            NO_EFFECT.contains(&key)
                || Inputs::is_of_mixture(key)
                || NO_EFFECT_TABLES.iter().any(|table| key.starts_with(table))
        };
        settings.retain(|key, _| swept.contains(key) || !has_no_effect(key));
        let contents = contents(&run);
        let same = |group: &&mut Group| group.has_settings_of(&run, &settings, &contents);
        if let Some(group) = groups.iter_mut().find(same) {
            for (key, value) in settings {
                group.settings.entry(key).or_insert(value);
            }
            for (key, content) in contents {
                group.contents.entry(key).or_insert(content);
            }
            group.runs.push(run);
        } else {
            groups.push(Group {
                settings,
                contents,
                started: true,
                runs: vec![run],
            });
        }
    }
    for run in waiting {
        match groups.iter_mut().find(|group| group.has_plan_of(&run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group {
                settings: planned(&run).unwrap_or_default(),
                contents: Contents::new(),
                started: false,
                runs: vec![run],
            }),
        }
    }
    for group in &mut groups {
        group.runs.sort_by_key(|run| (run.seed, run.name.clone()));
    }
    groups
}

/// Decides which runs count, at the end of each or after at most `at` tokens. Of runs with the
/// same seed only the first counts: a copy says nothing of the noise.
pub(crate) fn count(groups: &mut [Group], metric: &str, at: Option<u64>) {
    for group in groups {
        let mut seen: BTreeMap<u64, String> = BTreeMap::new();
        for run in &mut group.runs {
            run.count(metric, at);
            if run.value.is_none() {
                continue;
            }
            if let Some(first) = seen.get(&run.seed) {
                run.value = None;
                run.excluded = Some(format!("seed {} again, as in {first}", run.seed));
            } else {
                seen.insert(run.seed, run.name.clone());
            }
        }
    }
}

/// After how many tokens of training runs are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CompareAt {
    /// At the end of each; but at the tokens that all have, where a variant would otherwise be
    /// left out because its runs are still training or were stopped. In a sweep these are waited
    /// for as long as any run of it counts.
    #[default]
    Auto,
    /// At the end of each. Runs that did not get there do not count.
    End,
    /// At the tokens that all runs have.
    Common,
    /// After this many tokens, or at the last value before.
    Tokens(u64),
}

impl CompareAt {
    /// The tokens to compare at; `None` for the end of each run. The runs have been counted at
    /// their ends.
    pub(crate) fn tokens(self, groups: &[Group], metric: &str) -> Option<u64> {
        match self {
            Self::Tokens(tokens) => Some(tokens),
            Self::Common => common_tokens(groups, metric),
            Self::Auto if leaves_out(groups, metric) => common_tokens(groups, metric),
            Self::Auto | Self::End => None,
        }
    }
}

/// Whether a variant has values and no run that counts, because its runs can continue.
fn leaves_out(groups: &[Group], metric: &str) -> bool {
    let is_counted = |group: &Group| group.runs.iter().any(|run| run.value.is_some());
    let none_counts = !groups.iter().any(is_counted);
    let uncounted = groups.iter().filter(|group| !is_counted(group));
    uncounted.flat_map(|group| &group.runs).any(|run| {
        let is_waited_for = run.trial.is_some() && !none_counts;
        run.can_continue() && !is_waited_for && !run.measured_at(metric).is_empty()
    })
}

/// The last tokens at which all runs with a value were measured; where they have none in common,
/// the end of the shortest run.
fn common_tokens(groups: &[Group], metric: &str) -> Option<u64> {
    let runs = groups.iter().flat_map(|group| &group.runs);
    let runs = runs.filter(|run| run.is_complete() || run.can_continue());
    let measured = runs.map(|run| run.measured_at(metric));
    let measured: Vec<BTreeSet<u64>> = measured.filter(|tokens| !tokens.is_empty()).collect();
    let in_all = |tokens: &&u64| measured.iter().all(|one| one.contains(tokens));
    let shared = measured.first()?.iter().rev().find(in_all).copied();
    let shortest = measured.iter().filter_map(BTreeSet::last).min().copied();
    shared.filter(|&tokens| tokens > 0).or(shortest)
}
