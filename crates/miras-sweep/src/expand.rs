//! From the `[sweep]` table to trials.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::{Assigned, ConfigError, Layers, Origins, annotated, item_path};
use miras_run::Cost;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::{
    axes, draw, names,
    plan::{Rung, Trial},
    spec::{Invalid, Mode, SweepSpec},
};

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
    let mut targets = Vec::new();
    for (number, set) in points.into_iter().enumerate() {
        match settle_point(base, spec, &set, &mut targets, settle) {
            Ok(seeds) => found.extend(seeds.into_iter().map(|(settled, matched)| Point {
                number,
                values: values(&set, &settled.table),
                matched,
                settled,
            })),
            Err(error) if keys.invalid == Invalid::Skip => skipped.push(Skipped {
                label: (set.iter())
                    .map(|set| format!("{}={}", set.key(), set.value()))
                    .collect::<Vec<_>>()
                    .join(" "),
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

type Matched = BTreeMap<String, Value>;

/// The configurations of one point, one for each seed.
fn settle_point(
    base: &Layers,
    spec: &SweepSpec,
    set: &[Assigned],
    targets: &mut Vec<f64>,
    settle: &dyn Settle,
) -> Result<Vec<(Settled, Matched)>, ConfigError> {
    let mut layers = base.clone();
    let mut set: Vec<&Assigned> = set.iter().collect();
    // Whole parts before what is in them.
    set.sort_by_key(|one| one.key().matches('.').count());
    for one in set {
        layers.assign(one);
    }
    let mut matched = Matched::new();
    for (number, one) in spec.matches.iter().enumerate() {
        let here = format!("{}.key", item_path("sweep.match", number));
        if targets.len() <= number {
            targets.push(one.target(&settle.settle(layers.clone())?));
        }
        let assign = |value| spec.tree.assigned(&here, &one.key, value);
        let chosen = one.solve(&layers, targets[number], settle, &assign)?;
        matched.insert(one.key.clone(), chosen.value().clone());
        layers.assign(&chosen);
    }
    if spec.keys.seeds.is_empty() {
        return Ok(vec![(settle.settle(layers)?, matched)]);
    }
    let seeds = spec.keys.seeds.iter().enumerate().map(|(number, &seed)| {
        let here = item_path("sweep.seeds", number);
        let mut layers = layers.clone();
        let seed = Value::Integer(seed as i64);
        layers.assign(&spec.tree.assigned(&here, "train.seed", seed));
        Ok((settle.settle(layers)?, matched.clone()))
    });
    seeds.collect()
}

/// The keys that a point sets, with kinds under their own name.
fn values(set: &[Assigned], settled: &Table) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for one in set {
        let key = one.key();
        match one.value() {
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
    for mut point in points {
        let steps = steps(&point.settled, spec)?;
        let last = steps[steps.len() - 1];
        for table in [&mut point.settled.table, &mut point.settled.stored] {
            set_in(table, "train", "steps", Value::Integer(last as i64));
            set_in(table, "log", "hparams", columns(keys));
        }
        let text = annotated(&point.settled.table, &Origins::default());
        let id = hash(&text);
        if !ids.insert(id.clone()) {
            continue;
        }
        let values = to_json(point.values);
        let trial = Trial {
            name: String::new(),
            label: names::label(&values, keys),
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

/// The columns of TensorBoard's HParams page. Seeds are averaged there, so theirs would be that
/// of one of them.
fn columns(keys: &[String]) -> Value {
    let seed = ["train.seed".to_owned()];
    let columns = if keys.is_empty() { &seed } else { keys };
    Value::Array(columns.iter().cloned().map(Value::String).collect())
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
