//! From the `[sweep]` table to trials.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::{Assigned, ConfigError, Layers, Origins, annotated};
use miras_run::sha256_hex;
use toml::{Table, Value};

use crate::{
    axes::{self, Mode},
    names::{self, EXTENDS, KeyNames, NAME},
    note::Note,
    plan::{Rung, Trial, json},
    point::{Point, in_words, resolve_point, resolved_keys, steps, values},
    resolve::ResolveConfig,
    spec::{Invalid, SweepSpec},
};

/// The most trials of a sweep.
const MAX_TRIALS: usize = 100_000;

/// The most invalid combinations whose mistakes are reported.
const MAX_MISTAKES: usize = 100;

/// Where the columns of `TensorBoard` are.
const LOG: &str = "log";
const COLUMNS: &str = "hparams";
/// A file is shown by the kinds that it chooses.
const KINDS: [&str; 5] = [
    "mixer.kind",
    "memory.kind",
    "bias.kind",
    "retention.kind",
    "algorithm.kind",
];

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
    resolve: &dyn ResolveConfig,
) -> Result<Expanded, ConfigError> {
    let keys = &spec.keys;
    let points = match keys.mode {
        Mode::Grid | Mode::List => axes::grid(&spec.axes, &spec.tree)?,
        Mode::Random => {
            let count = keys.points.unwrap_or_default();
            axes::random(&spec.axes, &spec.tree, keys.draw_seed, count)
        }
    };
    let (mut found, mut skipped, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
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
        match resolve_point(base, spec, &set, &mut targets, resolve) {
            Ok(seeds) => found.extend(seeds.into_iter().map(|(resolved, matched)| Point {
                number,
                values: values(&set, &resolved.table),
                matched,
                resolved,
            })),
            Err(error) if keys.invalid == Invalid::Skip && reads(base, &set) => {
                skipped.push(Skipped {
                    label: in_words(&set.iter().collect::<Vec<_>>()),
                    error,
                });
            }
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
    let all = keys_of(&found, |point| &point.values);
    let keys = keys_of(&found, Point::shown);
    let follow = follow(&found, &all);
    let labels = labels(&found, &keys);
    let owners = || labels.iter().map(String::as_str).zip(&found);
    let of_table = spec.notes.iter().cloned().map(|text| Note {
        text,
        about: Vec::new(),
    });
    let of_points = owners().map(|(label, point)| (label, &*point.resolved.notes));
    let notes = of_table.chain(Note::merge(of_points)).collect();
    let unfit = owners().map(|(label, point)| (label, point.resolved.unfit.as_slice()));
    let unfit = Note::merge(unfit);
    let sizes = owners().filter_map(|(label, point)| Some((label, point.resolved.memory?)));
    let largest = sizes.max_by_key(|(_, bytes)| *bytes);
    let largest = largest.map(|(label, bytes)| (label.to_owned(), bytes));
    let (trials, repeated) = trials(found, labels, &all, spec)?;
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

/// Whether the files of a point can be read: one that is missing is a mistake in the sweep's file, and
/// no combination that is invalid.
fn reads(base: &Layers, set: &[Assigned]) -> bool {
    let mut files = set.iter().filter(|one| one.key() == EXTENDS);
    files.all(|one| base.clone().assign(one).is_ok())
}

/// The keys of all points, in the order of the file: a key that only some points have comes after
/// the key that it follows there.
fn keys_of(points: &[Point], of: impl Fn(&Point) -> &[(String, Value)]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for point in points {
        let mut place = 0;
        for (key, _) in of(point) {
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
    let resolved = resolved_keys(points);
    let all: BTreeSet<&String> = resolved.iter().flat_map(BTreeMap::keys).collect();
    let is_swept = |key: &String| {
        keys.contains(key)
            || key == "train.seed"
            || points.iter().any(|point| point.matched.contains_key(key))
    };
    let differs =
        |key: &&String| (resolved.iter()).any(|one| one.get(*key) != resolved[0].get(*key));
    let all = all.into_iter().filter(|key| !is_swept(key));
    all.filter(differs).cloned().collect()
}

/// A label for each point: its swept keys. Points that differ only in their seed have the same
/// label.
fn labels(points: &[Point], keys: &[String]) -> Vec<String> {
    let key_names = KeyNames::new(resolved_keys(points).iter().flat_map(BTreeMap::keys));
    let label =
        |point: &Point| names::label(&to_json(point.values.iter().cloned()), keys, &key_names);
    points.iter().map(label).collect()
}

/// The trials of the points, and how many points were duplicates.
fn trials(
    points: Vec<Point>,
    labels: Vec<String>,
    keys: &[String],
    spec: &SweepSpec,
) -> Result<(Vec<(Trial, String)>, usize), ConfigError> {
    let mut found: Vec<(Trial, String)> = Vec::new();
    let mut ids = BTreeSet::new();
    let count = points.len();
    for (mut point, label) in points.into_iter().zip(labels) {
        let steps = steps(&point.resolved, spec)?;
        let id = hash(&annotated(&point.resolved.table, &Origins::default()));
        // Not part of the id, so that a key can be added to a sweep.
        if let Some(Value::Table(log)) = point.resolved.stored.get_mut(LOG) {
            log.insert(COLUMNS.to_owned(), columns(keys));
        }
        if !ids.insert(id.clone()) {
            continue;
        }
        let trial = Trial {
            name: String::new(),
            label,
            point: point.number,
            seed: point.resolved.seed,
            values: to_json(point.values),
            matched: to_json(point.matched),
            steps,
            step_tokens: point.resolved.step_tokens,
            cost: point.resolved.cost,
            config: None,
            id,
        };
        found.push((
            trial,
            annotated(&point.resolved.stored, &Origins::default()),
        ));
    }
    let names = found.iter().map(|(trial, _)| {
        let Trial {
            label, seed, id, ..
        } = trial;
        (&**label, *seed, &**id)
    });
    let names = names::folders(&names.collect::<Vec<_>>());
    for ((trial, _), name) in found.iter_mut().zip(names) {
        trial.name = name;
    }
    // Seed by seed, so that a sweep that is stopped early has complete comparisons.
    let place = |seed: u64| spec.keys.seeds.iter().position(|&other| other == seed);
    found.sort_by_key(|(trial, _)| place(trial.seed));
    let repeated = count - found.len();
    Ok((found, repeated))
}

fn to_json(
    values: impl IntoIterator<Item = (String, Value)>,
) -> BTreeMap<String, serde_json::Value> {
    (values.into_iter())
        .map(|(key, value)| (key, json(&value)))
        .collect()
}

/// The columns of `TensorBoard`'s `HParams` page. Seeds are averaged there, so a column of seeds
/// would show one of them.
fn columns(keys: &[String]) -> Value {
    let seed = ["train.seed".to_owned()];
    let columns = if keys.is_empty() { &seed } else { keys };
    let columns = columns.iter().flat_map(|key| match key.as_str() {
        EXTENDS => KINDS.to_vec(),
        NAME => Vec::new(),
        key => vec![key],
    });
    Value::Array(columns.map(Value::from).collect())
}

/// The checksum of the configuration of a trial, from its text. Columns are not part of it: they
/// change where a sweep grows by a key while others work on it.
pub(crate) fn checksum(config: &str) -> Result<String, toml::de::Error> {
    let mut table: Table = config.parse()?;
    if let Some(Value::Table(log)) = table.get_mut(LOG) {
        log.remove(COLUMNS);
    }
    Ok(sha256_hex(
        annotated(&table, &Origins::default()).as_bytes(),
    ))
}

/// Sixteen digits: the probability that two of 10^5 trials have the same hash is below 10^-9.
fn hash(text: &str) -> String {
    let mut name = sha256_hex(text.as_bytes());
    name.truncate(16);
    name
}
