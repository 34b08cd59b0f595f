//! From the `[sweep]` table to trials.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use miras_config::{Assigned, ConfigError, Layers, Origins, annotated, did_you_mean, item_path};
use miras_run::Cost;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::{
    axes, draw,
    matching::Budgets,
    names::{self, Short},
    plan::{Rung, Trial},
    spec::{Invalid, Mode, SweepSpec},
};

/// The key that takes a point, or a part of it, out of a file.
pub(crate) const EXTENDS: &str = "extends";
/// The most trials of a sweep.
const MOST_TRIALS: usize = 100_000;
/// The most steps of a run.
const MOST_STEPS: u64 = 1_000_000_000_000;

/// Reads the configuration of a trial as training would.
pub trait Settle {
    /// Every key settled and checked, or the first mistake.
    fn settle(&self, layers: Layers) -> Result<Settled, ConfigError>;
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Settled {
    /// All keys.
    pub table: Table,
    /// The same, meaning the same from whatever working directory.
    pub stored: Table,
    /// What the model takes.
    pub cost: Cost,
    /// Tokens an optimiser step.
    pub step_tokens: u64,
    /// `train.steps`.
    pub steps: u64,
    /// `train.seed`.
    pub seed: u64,
    /// The tags that `metrics.jsonl` will have.
    pub metrics: Vec<String>,
}

/// What a sweep amounts to.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// The swept keys, without the seed.
    pub keys: Vec<String>,
    /// In order, each with the text of its configuration.
    pub trials: Vec<(Trial, String)>,
    /// Combinations that are no valid configuration.
    pub skipped: Vec<Skipped>,
    /// Trials that were left out because another has the same configuration.
    pub repeated: usize,
    /// Who goes on to which budget.
    pub rungs: Vec<Rung>,
    /// Keys that nobody swept and that are not the same in all trials: defaults that follow from
    /// what was swept.
    pub follow: Vec<String>,
}

/// A combination that is no valid configuration.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// What it would have been.
    pub label: String,
    /// Why it cannot be.
    pub error: ConfigError,
}

/// One combination of the axes, for one seed.
struct Point {
    number: usize,
    settled: Settled,
    /// In the order of the file.
    values: Vec<(String, Value)>,
    matched: Matched,
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
            draw::random(&spec.axes, &spec.tree, keys.draw_seed, count)
        }
    };
    let mut found = Vec::new();
    let mut skipped = Vec::new();
    let mut targets = None;
    let trials_a_point = keys.seeds.len().max(1);
    if points.len().saturating_mul(trials_a_point) > MOST_TRIALS {
        let (points, seeds) = (points.len(), trials_a_point);
        let message = format!(
            "{points} points with {seeds} seeds are too many: {MOST_TRIALS} trials are the most"
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
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() {
        let message = "this sweep has no trial: no combination is a valid configuration";
        let help = skipped.first().map(|skip| skip.error.message().to_owned());
        return Err(spec.tree.error("sweep", message, help));
    }
    let keys = keys_of(&found);
    let follow = follow(&found, &keys);
    let (trials, repeated) = trials(found, &keys, spec)?;
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
    })
}

/// The keys of all points, in the order of the file: a key that only some have stands behind the
/// one that it follows there.
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

/// The settled configurations by dotted key.
fn settled_keys(points: &[Point]) -> Vec<BTreeMap<String, Value>> {
    let flat = |point: &Point| {
        let mut flat = Vec::new();
        for (name, section) in &point.settled.table {
            flatten(section, name, &mut flat);
        }
        flat.into_iter().collect()
    };
    points.iter().map(flat).collect()
}

/// Keys of the settled configurations that differ, but were neither swept nor matched.
fn follow(points: &[Point], keys: &[String]) -> Vec<String> {
    if keys.iter().any(|key| key == EXTENDS) {
        // Files differ in whatever they say.
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

type Matched = BTreeMap<String, Value>;

/// The configurations of one point, one for each seed. The first point sets the targets of
/// the budgets that have none.
fn settle_point(
    base: &Layers,
    spec: &SweepSpec,
    set: &[Assigned],
    targets: &mut Option<Vec<f64>>,
    settle: &dyn Settle,
) -> Result<Vec<(Settled, Matched)>, ConfigError> {
    let mut layers = base.clone();
    let mut set: Vec<&Assigned> = set.iter().collect();
    // Files first, and whole parts before what is in them.
    set.sort_by_key(|one| (one.key() != EXTENDS, one.key().matches('.').count()));
    for one in &set {
        layers.assign(one)?;
    }
    let mut matched = Matched::new();
    if !spec.matches.is_empty() {
        let here = settle.settle(layers.clone())?;
        let own = || spec.matches.iter().map(|one| one.target(&here)).collect();
        let wanted = targets.clone().unwrap_or_else(own);
        let point = in_words(&set);
        let budgets = Budgets {
            point: &point,
            matches: &spec.matches,
            tree: &spec.tree,
            settle,
        };
        matched = budgets.meet(&mut layers, &wanted)?;
        // Of a point that cannot be, nothing is to be equal to.
        *targets = Some(wanted);
    }
    let settled = settle.settle(layers.clone())?;
    check(spec, &settled)?;
    if let Some((one, key)) = set.iter().find_map(|one| {
        let inside = |key: &&String| key.starts_with(&format!("{}.", one.key()));
        let values = values(&[(*one).clone()], &settled.table);
        let key = matched
            .keys()
            .filter(inside)
            .find(|key| values.iter().any(|(set, _)| set == *key));
        key.map(|key| (one, key))
    }) {
        return Err(one.error(
            format!("`{key}` is chosen by [[sweep.match]] already"),
            None,
        ));
    }
    if spec.keys.seeds.is_empty() {
        return Ok(vec![(settled, matched)]);
    }
    let seeds = spec.keys.seeds.iter().enumerate().map(|(number, &seed)| {
        let here = item_path("sweep.seeds", number);
        let mut layers = layers.clone();
        let seed = Value::Integer(seed as i64);
        layers.assign(&spec.tree.assigned(&here, "train.seed", seed))?;
        Ok((settle.settle(layers)?, matched.clone()))
    });
    seeds.collect()
}

/// What a point sets.
fn in_words(set: &[&Assigned]) -> String {
    let words = set
        .iter()
        .map(|one| format!("{}={}", one.key(), one.value()));
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a configuration is one that this sweep can judge.
fn check(spec: &SweepSpec, settled: &Settled) -> Result<(), ConfigError> {
    let metric = &spec.keys.metric;
    if !settled.metrics.contains(metric) {
        let names = || settled.metrics.iter().map(String::as_str);
        let help = match did_you_mean(metric, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("runs of this configuration have no metric `{metric}`");
        return Err(spec.tree.error("sweep.metric", message, Some(help)));
    }
    if spec.rungs.len() > 1 && at(&settled.table, "train.max_minutes").is_some() {
        let message = "rungs count in tokens, and train.max_minutes would end them elsewhere";
        let help = "leave train.max_minutes out".to_owned();
        return Err(spec.tree.error("sweep.rungs", message, Some(help)));
    }
    Ok(())
}

/// The keys that a point sets, with kinds under their own name.
fn values(set: &[Assigned], settled: &Table) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for one in set {
        let key = one.key();
        match one.value() {
            Value::String(path) if key == EXTENDS => {
                let stem = Path::new(path).file_stem().unwrap_or_default();
                values.push((key, stem.to_string_lossy().into_owned().into()));
            }
            Value::String(kind) if at(settled, &key).is_some_and(Value::is_table) => {
                values.push((format!("{key}.kind"), Value::String(kind.clone())));
            }
            value => flatten(value, &key, &mut values),
        }
    }
    values
}

fn at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (first, rest) = key
        .split_once('.')
        .map_or((key, None), |(a, b)| (a, Some(b)));
    let value = table.get(first)?;
    match rest {
        None => Some(value),
        Some(rest) => at(value.as_table()?, rest),
    }
}

fn flatten(value: &Value, key: &str, values: &mut Vec<(String, Value)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                flatten(value, &format!("{key}.{name}"), values);
            }
        }
        value => values.push((key.to_owned(), value.clone())),
    }
}

/// Points with names and ids, and how many were the same as another.
fn trials(
    points: Vec<Point>,
    keys: &[String],
    spec: &SweepSpec,
) -> Result<(Vec<(Trial, String)>, usize), ConfigError> {
    let mut found: Vec<(Trial, String)> = Vec::new();
    let mut ids = BTreeSet::new();
    let count = points.len();
    let short = Short::new(settled_keys(&points).iter().flat_map(BTreeMap::keys));
    for mut point in points {
        let steps = steps(&point.settled, spec)?;
        let last = steps[steps.len() - 1];
        for table in [&mut point.settled.table, &mut point.settled.stored] {
            set_in(table, "train", "steps", Value::Integer(last as i64));
        }
        let id = hash(&annotated(&point.settled.table, &Origins::default()));
        // No part of the id, so that a sweep can grow by a key.
        set_in(&mut point.settled.stored, "log", "hparams", columns(keys));
        if !ids.insert(id.clone()) {
            continue;
        }
        let values = to_json(point.values);
        let trial = Trial {
            name: String::new(),
            label: names::label(&values, keys, &short),
            point: point.number,
            seed: point.settled.seed,
            values,
            matched: to_json(point.matched),
            steps,
            step_tokens: point.settled.step_tokens,
            cost: point.settled.cost,
            id,
        };
        found.push((trial, annotated(&point.settled.stored, &Origins::default())));
    }
    let labels: Vec<_> = (found.iter())
        .map(|(trial, _)| (trial.label.clone(), trial.seed))
        .collect();
    let ids: Vec<_> = found.iter().map(|(trial, _)| trial.id.clone()).collect();
    for ((trial, _), name) in found.iter_mut().zip(names::folders(&labels, &ids)) {
        trial.name = name;
    }
    // Seeds in the outer order: what was cut off has whole comparisons.
    let place = |seed: u64| spec.keys.seeds.iter().position(|&other| other == seed);
    found.sort_by_key(|(trial, _)| place(trial.seed));
    let repeated = count - found.len();
    Ok((found, repeated))
}

fn to_json(
    values: impl IntoIterator<Item = (String, Value)>,
) -> BTreeMap<String, serde_json::Value> {
    (values.into_iter())
        .map(|(key, value)| (key, serde_json::to_value(value).unwrap_or_default()))
        .collect()
}

/// Steps at the end of each rung; `train.steps` where there is one budget.
fn steps(settled: &Settled, spec: &SweepSpec) -> Result<Vec<u64>, ConfigError> {
    if spec.rungs.is_empty() {
        return Ok(vec![settled.steps]);
    }
    let steps: Vec<u64> = (spec.rungs.iter())
        .map(|rung| rung.tokens.div_ceil(settled.step_tokens.max(1)))
        .collect();
    if let Some(at) = (0..steps.len()).find(|&at| steps[at] > MOST_STEPS) {
        let message = format!("{} steps are more than {MOST_STEPS}", steps[at]);
        let place = format!("{}.tokens", item_path("sweep.rungs", at));
        return Err(spec.tree.error(&place, message, None));
    }
    if let Some(at) = (1..steps.len()).find(|&at| steps[at] == steps[at - 1]) {
        let message = format!(
            "this rung is no longer than the one before it: a step has {} tokens",
            settled.step_tokens
        );
        let place = format!("{}.tokens", item_path("sweep.rungs", at));
        return Err(spec.tree.error(&place, message, None));
    }
    Ok(steps)
}

/// The columns of `TensorBoard`'s `HParams` page. Seeds are averaged there, so theirs would be that
/// of one of them.
fn columns(keys: &[String]) -> Value {
    let seed = ["train.seed".to_owned()];
    let columns = if keys.is_empty() { &seed } else { keys };
    let columns = columns.iter().flat_map(|key| match key.as_str() {
        // What a file chooses is known by its parts.
        EXTENDS => [
            "model.mixer",
            "memory.kind",
            "bias.kind",
            "retention.kind",
            "algorithm.kind",
        ]
        .map(str::to_owned)
        .to_vec(),
        key => vec![key.to_owned()],
    });
    Value::Array(columns.map(Value::String).collect())
}

fn set_in(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(section)) = table.get_mut(section) {
        section.insert(key.to_owned(), value);
    }
}

/// Sixteen digits: one in 10^9 that two of 10^5 trials are the same.
fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(text.as_bytes());
    let mut name = String::new();
    for byte in digest.iter().take(8) {
        // Writing into a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}
