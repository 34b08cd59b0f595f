//! Short names for variants: the keys that tell them apart.

use std::collections::{BTreeMap, BTreeSet};

use miras_sweep::KeyNames;
use serde_json::Value;

use super::group::Group;
use crate::input::Settings;

/// With more differing keys than this, variants have the names of their runs.
const MAX_KEYS: usize = 6;

/// The keys in which variants differ.
#[derive(Debug)]
pub(super) struct Keys {
    /// All of them.
    pub(super) differing: Vec<String>,
    /// Those in labels, which tell every variant from every other; none if variants have the names
    /// of their runs.
    pub(super) shown: Vec<String>,
}

impl Keys {
    pub(super) fn of(groups: &[Group], mut swept: Vec<String>) -> Self {
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
    pub(super) fn labels(&self, groups: &[Group], names: &KeyNames) -> Vec<String> {
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

/// `depth=2 lr=0.1`: some keys and their values.
pub(crate) fn label(names: &KeyNames, settings: &Settings, keys: &[String]) -> String {
    let words = keys.iter().filter_map(|key| {
        let value = settings.get(key)?;
        Some(format!("{}={}", names.of(key), value_text(value)))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A value as a person writes it.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        // Control characters, which would move a terminal's cursor, are escaped.
        Value::String(word) if !word.chars().any(char::is_control) => word.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float != 0.0 && float.abs() < 1e-4 => {
                format!("{float:e}")
            }
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
