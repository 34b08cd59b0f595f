//! From the `[sweep]` table to trials.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::{ConfigError, Layers};

use crate::{
    axes::{self, Mode},
    names::EXTENDS,
    note::Note,
    plan::{Rung, Trial},
    point::{Point, in_words, settle_point, settled_keys, values},
    settle::Settle,
    spec::{Invalid, SweepSpec},
    trials::{labels, trials},
};

/// The most trials of a sweep.
const MAX_TRIALS: usize = 100_000;

/// The most invalid combinations whose mistakes are reported.
const MAX_MISTAKES: usize = 100;

/// The trials of a sweep and what is to be said about them.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// The swept keys, without the seed.
    pub keys: Vec<String>,
    /// In order, each with the text of its configuration.
    pub trials: Vec<(Trial, String)>,
    /// Combinations that are not a valid configuration.
    pub skipped: Vec<Skipped>,
    /// Trials that were left out because another has the same configuration.
    pub repeated: usize,
    /// The budgets and how many points get each.
    pub rungs: Vec<Rung>,
    /// Keys that are not swept but differ between trials: defaults that follow from swept keys.
    pub follow: Vec<String>,
    /// Notes on settings that are allowed but may not be meant, by the labels of trials.
    pub notes: Vec<Note>,
    /// Why this machine cannot train trials, by their labels.
    pub unfit: Vec<Note>,
    /// The label of the trial whose training is estimated to need most memory of this machine, and
    /// the bytes.
    pub largest: Option<(String, u64)>,
}

/// A combination that is not a valid configuration.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Its label.
    pub label: String,
    /// Why it is invalid.
    pub error: ConfigError,
}

/// The trials of a sweep whose other keys are in `base`.
pub fn expand(
    base: &Layers,
    spec: &SweepSpec,
    settle: &dyn Settle,
) -> Result<Expanded, ConfigError> {
    let keys = &spec.keys;
    let points = match keys.mode {
        Mode::Grid | Mode::List => axes::grid(&spec.axes, &spec.tree)?,
        Mode::Random => {
            let count = keys.points.unwrap_or_default();
            axes::random(&spec.axes, &spec.tree, keys.draw_seed, count)
        }
    };
    let mut found = Vec::new();
    let mut skipped = Vec::new();
    let mut mistakes = Vec::new();
    let mut targets = None;
    let trials_a_point = keys.seeds.len().max(1);
    if points.len().saturating_mul(trials_a_point) > MAX_TRIALS {
        let (points, seeds) = (points.len(), trials_a_point);
        let message = format!(
            "{points} points with {seeds} seeds are too many: {MAX_TRIALS} trials are the most"
        );
        return Err(spec.tree.error("sweep", message, None));
    }
    for (number, set) in points.into_iter().enumerate() {
        match settle_point(base, spec, &set, &mut targets, settle) {
            Ok(seeds) => found.extend(seeds.into_iter().map(|(settled, matched)| Point {
                number,
                values: values(&set, &settled.table),
                matched,
                settled,
            })),
            Err(error) if keys.invalid == Invalid::Skip => skipped.push(Skipped {
                label: in_words(&set.iter().collect::<Vec<_>>()),
                error,
            }),
            Err(error) => {
                mistakes.push(error);
                // Budgets may have been those of the point that cannot be.
                if !spec.matches.is_empty() || mistakes.len() == MAX_MISTAKES {
                    break;
                }
            }
        }
    }
    if let Some(error) = ConfigError::join(mistakes) {
        return Err(error);
    }
    if found.is_empty() {
        let message = "this sweep has no trial: no combination is a valid configuration";
        let help = skipped.first().map(|skip| skip.error.message().to_owned());
        return Err(spec.tree.error("sweep", message, help));
    }
    let keys = keys_of(&found);
    let follow = follow(&found, &keys);
    let labels = labels(&found, &keys);
    let (mut notes, unfit, largest) = said(&found, &labels);
    let of_table = spec.notes.iter().cloned().map(|text| Note {
        text,
        about: Vec::new(),
    });
    notes.splice(0..0, of_table);
    let (trials, repeated) = trials(found, labels, &keys, spec)?;
    let rungs = match &*spec.rungs {
        [] => vec![Rung { best: None }],
        rungs => rungs.iter().map(|rung| Rung { best: rung.best }).collect(),
    };
    Ok(Expanded {
        keys,
        trials,
        skipped,
        repeated,
        rungs,
        follow,
        notes,
        unfit,
        largest,
    })
}

/// By the labels of points: notes, why they cannot be trained here, and the one that needs most
/// memory.
fn said(points: &[Point], labels: &[String]) -> (Vec<Note>, Vec<Note>, Option<(String, u64)>) {
    let owners = || labels.iter().map(String::as_str).zip(points);
    let notes = Note::merge(owners().map(|(label, point)| (label, &*point.settled.notes)));
    let unfit = owners().map(|(label, point)| (label, point.settled.unfit.as_slice()));
    let sizes = owners().filter_map(|(label, point)| Some((label, point.settled.memory?)));
    let largest = sizes.max_by_key(|(_, bytes)| *bytes);
    let largest = largest.map(|(label, bytes)| (label.to_owned(), bytes));
    (notes, Note::merge(unfit), largest)
}

/// The keys of all points, in the order of the file: a key that only some points have comes after
/// the key that it follows there.
fn keys_of(points: &[Point]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for point in points {
        let mut place = 0;
        for (key, _) in &point.values {
            if let Some(at) = keys.iter().position(|known| known == key) {
                place = at + 1;
            } else {
                keys.insert(place, key.clone());
                place += 1;
            }
        }
    }
    keys
}

/// Keys of the resolved configurations that differ, but were neither swept nor matched.
fn follow(points: &[Point], keys: &[String]) -> Vec<String> {
    if keys.iter().any(|key| key == EXTENDS) {
        // Files may differ in any key.
        return Vec::new();
    }
    let settled = settled_keys(points);
    let all: BTreeSet<&String> = settled.iter().flat_map(BTreeMap::keys).collect();
    let is_swept = |key: &String| {
        keys.contains(key)
            || key == "train.seed"
            || points.iter().any(|point| point.matched.contains_key(key))
    };
    (all.into_iter())
        .filter(|key| !is_swept(key))
        .filter(|key| {
            settled
                .iter()
                .any(|one| one.get(*key) != settled[0].get(*key))
        })
        .cloned()
        .collect()
}
