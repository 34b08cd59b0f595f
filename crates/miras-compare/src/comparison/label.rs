//! Short names for variants: what tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use miras_sweep::Short;
use serde_json::Value;

use super::group::Group;
use crate::input::{Settings, Sweep};

/// With more differing keys than this, runs are called by their names.
const MOST_KEYS: usize = 6;

/// The keys in which variants differ.
#[derive(Debug)]
pub(super) struct Keys {
    /// All of them.
    pub(super) differing: Vec<String>,
    /// Those that tell every variant from every other; none if variants are called by names.
    pub(super) shown: Vec<String>,
}

impl Keys {
    pub(super) fn of(groups: &[Group], sweeps: &[Sweep]) -> Self {
        let mut swept: Vec<String> = Vec::new();
        for key in sweeps.iter().flat_map(|sweep| &sweep.keys) {
            if !swept.contains(key) {
                swept.push(key.clone());
            }
        }
        let differing = differing(groups, &swept);
        swept.retain(|key| differing.contains(key));
        let all_swept = groups
            .iter()
            .flat_map(|group| &group.runs)
            .all(|run| run.trial.is_some());
        let shown = if all_swept && !swept.is_empty() && determines(groups, &swept, &differing) {
            swept
        } else if differing.len() <= MOST_KEYS {
            without_determined(groups, differing.clone())
        } else {
            Vec::new()
        };
        Self { differing, shown }
    }

    /// The names of all variants, in the order of the groups, no two the same.
    pub(super) fn labels(&self, groups: &[Group]) -> Vec<String> {
        let short = Short::new(groups.iter().flat_map(|group| group.settings.keys()));
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        groups
            .iter()
            .map(|group| {
                let words: Vec<String> = self
                    .shown
                    .iter()
                    .filter_map(|key| {
                        let value = group.settings.get(key)?;
                        Some(format!("{}={}", short.of(key), in_words(value)))
                    })
                    .collect();
                let label = if words.is_empty() {
                    name(group)
                } else {
                    words.join(" ")
                };
                let count = used.entry(label.clone()).or_default();
                *count += 1;
                if *count == 1 {
                    label
                } else {
                    format!("{label} ({count})")
                }
            })
            .collect()
    }
}

/// Keys that have not the same value in all variants: kinds first, swept ones before the rest.
fn differing(groups: &[Group], swept: &[String]) -> Vec<String> {
    let keys: BTreeSet<&String> = groups
        .iter()
        .flat_map(|group| group.settings.keys())
        .collect();
    let mut found: Vec<String> = keys
        .into_iter()
        .filter(|key| {
            // Of a variant that never started only the planned keys are known.
            let knows = |group: &&Group| group.started || group.settings.contains_key(*key);
            let values: BTreeSet<_> = groups
                .iter()
                .filter(knows)
                .map(|group| group.text(key))
                .collect();
            values.len() > 1
        })
        .cloned()
        .collect();
    let place = |key: &String| {
        swept
            .iter()
            .position(|one| one == key)
            .unwrap_or(usize::MAX)
    };
    found.sort_by_key(|key| (place(key), key.strip_suffix(".kind").is_none(), key.clone()));
    found
}

/// Whether variants with the same values of `by` have the same values of `keys`.
fn determines(groups: &[Group], by: &[String], keys: &[String]) -> bool {
    let of = |group: &Group, keys: &[String]| -> Vec<_> {
        keys.iter().map(|key| group.text(key)).collect()
    };
    let mut seen = BTreeMap::new();
    groups.iter().filter(|group| group.started).all(|group| {
        let values = of(group, keys);
        *seen.entry(of(group, by)).or_insert_with(|| values.clone()) == values
    })
}

/// Leaves out keys, last ones first, that follow from those that stay.
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

/// A value as a person would write it.
pub(crate) fn in_words(value: &Value) -> String {
    match value {
        // What would move a terminal's cursor is written with its escapes.
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

/// The plan's label, or the run's name without its seed.
fn name(group: &Group) -> String {
    let Some(run) = group.runs.first() else {
        return String::new();
    };
    match &run.trial {
        Some((_, trial)) if !trial.label.is_empty() => trial.label.clone(),
        _ => without_seed(&run.name).to_owned(),
    }
}

fn without_seed(name: &str) -> &str {
    match name.rsplit_once("-s") {
        Some((stem, seed))
            if !stem.is_empty()
                && !seed.is_empty()
                && seed.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            stem
        }
        _ => name,
    }
}

/// Some keys of the settings.
pub(super) fn pick(settings: &Settings, keys: &[String]) -> Settings {
    keys.iter()
        .filter_map(|key| Some((key.clone(), settings.get(key)?.clone())))
        .collect()
}
