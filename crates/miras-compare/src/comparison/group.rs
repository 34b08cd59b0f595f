//! Which runs are the same but for the seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::{Run, Settings};

/// Runs whose configurations are equal but for the seed and keys without an effect on results.
#[derive(Debug)]
pub(super) struct Group {
    /// The keys that count; of a variant that never started only the planned ones.
    pub(super) settings: Settings,
    /// Whether any run of it has started.
    pub(super) started: bool,
    pub(super) runs: Vec<Run>,
}

/// Keys that say how a run is watched, kept and placed, and the seed.
fn is_beside_the_point(key: &str) -> bool {
    let folders = ["checkpoint.", "log."];
    let keys = [
        "train.seed",
        "train.device",
        "train.verify_device",
        "train.fusion",
        "eval.every",
    ];
    folders.iter().any(|folder| key.starts_with(folder)) || keys.contains(&key)
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
                group.runs.push(run);
            }
            None => groups.push(Group {
                settings,
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
                started: false,
                runs: vec![run],
            }),
        }
    }
    for group in &mut groups {
        group
            .runs
            .sort_by(|a, b| (a.seed, &a.name).cmp(&(b.seed, &b.name)));
        count_seeds_once(&mut group.runs);
    }
    groups
}

/// Keys that a configuration lacks where nothing is set.
const OPTIONAL: [&str; 3] = ["train.max_minutes", "train.max_skips", "train.init_from"];

/// Whether a run has the settings of a group. What one of two versions of the program does not
/// know yet is taken for what the other does by default; that the versions differ is warned of.
fn is_same(group: &Group, settings: &Settings, run: &Run) -> bool {
    let is_other_version = group.runs.iter().all(|other| {
        let trees = (other.source(), run.source());
        // A tree that was changed may have been any.
        matches!(trees, (Some(one), Some(two)) if one != two || one.dirty)
    });
    let keys: BTreeSet<&String> = group.settings.keys().chain(settings.keys()).collect();
    keys.into_iter()
        .all(|key| match (group.settings.get(key), settings.get(key)) {
            (Some(one), Some(other)) => one == other,
            _ => is_other_version && !OPTIONAL.contains(&key.as_str()),
        })
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
