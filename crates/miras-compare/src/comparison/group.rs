//! Which runs are the same but for the seed.

use std::collections::{BTreeMap, BTreeSet};

use miras_run::Inputs;
use serde_json::Value;

use crate::input::{Run, Settings};

/// Runs whose configurations are equal but for the seed and keys without an effect on results.
#[derive(Debug)]
pub(super) struct Group {
    /// The keys that count; of a variant that never started only the planned ones.
    pub(super) settings: Settings,
    /// Checksums that stand for the values of keys that are paths.
    pub(super) contents: BTreeMap<&'static str, String>,
    /// Whether any run of it has started.
    pub(super) started: bool,
    pub(super) runs: Vec<Run>,
}

impl Group {
    /// What decides whether a key is the same in two variants: its value, or the checksum of what
    /// it leads to.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let content = self.contents.get(key).cloned();
        content.or_else(|| self.settings.get(key).map(Value::to_string))
    }
}

/// Keys that change nothing of what is trained: how a run is watched, measured beside its
/// evaluations, kept, placed and stopped. The seed is what the runs of a variant differ in.
fn is_beside_the_point(key: &str) -> bool {
    let folders = ["checkpoint.", "log."];
    let keys = [
        "train.seed",
        "train.device",
        "train.verify_device",
        "train.fusion",
        // How far a run came is compared as tokens, and skipped steps are counted.
        "train.max_minutes",
        "train.max_skips",
        "train.on_nonfinite",
        "eval.every",
        "eval.controls",
        // The same bytes are the same data, whether or not they are text.
        "data.allow_binary",
    ];
    folders.iter().any(|folder| key.starts_with(folder)) || keys.contains(&key)
}

/// The checksums of what a run reads, by the keys that name it.
fn contents(run: &Run) -> BTreeMap<&'static str, String> {
    let inputs = run.inputs();
    let known = Inputs::KEYS.into_iter().filter_map(|key| {
        let checksum = inputs.of_key(key)?;
        // Data without a path are compared by their settings.
        let is_set = run.settings.contains_key(key);
        is_set.then(|| (key, checksum.to_owned()))
    });
    known.collect()
}

/// Groups runs; `swept` are keys that somebody compares by, so that they are beside no point.
pub(super) fn group(runs: Vec<Run>, swept: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let (started, planned): (Vec<Run>, Vec<Run>) =
        runs.into_iter().partition(|run| run.path.is_some());
    for run in started {
        let mut settings = run.settings.clone();
        if run
            .trial
            .as_ref()
            .is_some_and(|(_, trial)| trial.steps.len() > 1)
        {
            // How far it got on the rungs.
            settings.remove("train.steps");
        }
        settings.retain(|key, _| swept.contains(key) || !is_beside_the_point(key));
        match groups
            .iter_mut()
            .find(|group| is_same(group, &settings, &run))
        {
            Some(group) => {
                for (key, value) in settings {
                    group.settings.entry(key).or_insert(value);
                }
                for (key, content) in contents(&run) {
                    group.contents.entry(key).or_insert(content);
                }
                group.runs.push(run);
            }
            None => groups.push(Group {
                settings,
                contents: contents(&run),
                started: true,
                runs: vec![run],
            }),
        }
    }
    for run in planned {
        match groups.iter_mut().find(|group| is_same_plan(group, &run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group {
                settings: plan(&run).unwrap_or_default(),
                contents: BTreeMap::new(),
                started: false,
                runs: vec![run],
            }),
        }
    }
    for group in &mut groups {
        group
            .runs
            .sort_by(|a, b| (a.seed, &a.name).cmp(&(b.seed, &b.name)));
    }
    groups
}

/// Keys that a configuration lacks where nothing is set.
const OPTIONAL: [&str; 2] = ["train.init_from", "data.valid_path"];

/// Whether a run has the settings of a group. What one of two versions of the program does not
/// know yet is taken for what the other does by default; that the versions differ is warned of.
fn is_same(group: &Group, settings: &Settings, run: &Run) -> bool {
    let is_other_version = group.runs.iter().all(|other| {
        let trees = (other.source(), run.source());
        // A tree that was changed may have been any.
        matches!(trees, (Some(one), Some(two)) if one != two || one.dirty)
    });
    let contents = contents(run);
    let keys: BTreeSet<&String> = group.settings.keys().chain(settings.keys()).collect();
    keys.into_iter().all(|key| {
        let checksums = (group.contents.get(key.as_str()), contents.get(key.as_str()));
        match (group.settings.get(key), settings.get(key), checksums) {
            (Some(_), Some(_), (Some(one), Some(other))) => one == other,
            (Some(one), Some(other), _) => one == other,
            _ => is_other_version && !OPTIONAL.contains(&key.as_str()),
        }
    })
}

/// Decides which runs count, at the end of each or after at most `at` tokens.
pub(super) fn count(groups: &mut [Group], metric: &str, at: Option<u64>) {
    for group in groups {
        for run in &mut group.runs {
            run.count(metric, at);
        }
        count_seeds_once(&mut group.runs);
    }
}

/// The same configuration and seed is the same run: a copy says nothing of the noise.
fn count_seeds_once(runs: &mut [Run]) {
    let mut seen: BTreeMap<u64, String> = BTreeMap::new();
    for run in runs.iter_mut().filter(|run| run.value.is_some()) {
        if let Some(first) = seen.get(&run.seed) {
            run.value = None;
            run.excluded = Some(format!("seed {} again, as in {first}", run.seed));
        } else {
            seen.insert(run.seed, run.name.clone());
        }
    }
}

/// What a sweep set for a run.
fn plan(run: &Run) -> Option<Settings> {
    let (_, trial) = run.trial.as_ref()?;
    let mut settings = trial.values.clone();
    settings.extend(trial.matched.clone());
    Some(settings)
}

fn is_same_plan(group: &Group, run: &Run) -> bool {
    let sweep = |run: &Run| run.trial.as_ref().map(|(sweep, _)| *sweep);
    let mut others = group.runs.iter();
    others.any(|other| sweep(other) == sweep(run) && plan(other) == plan(run))
}
