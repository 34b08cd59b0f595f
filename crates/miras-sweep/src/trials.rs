//! From points to trials with names and ids.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::{ConfigError, Origins, annotated};
use miras_run::sha256_hex;
use toml::{Table, Value};

use crate::{
    json::json,
    names::{self, EXTENDS, KeyNames},
    plan::Trial,
    point::{Point, settled_keys, steps},
    spec::SweepSpec,
};

/// Where the columns of `TensorBoard` are.
const LOG: &str = "log";
const COLUMNS: &str = "hparams";

/// A label for each point: its swept keys. Points that differ only in their seed have the same
/// label.
pub(crate) fn labels(points: &[Point], keys: &[String]) -> Vec<String> {
    let key_names = KeyNames::new(settled_keys(points).iter().flat_map(BTreeMap::keys));
    let label =
        |point: &Point| names::label(&to_json(point.values.iter().cloned()), keys, &key_names);
    points.iter().map(label).collect()
}

/// The trials of the points, and how many points were duplicates.
pub(crate) fn trials(
    points: Vec<Point>,
    labels: Vec<String>,
    keys: &[String],
    spec: &SweepSpec,
) -> Result<(Vec<(Trial, String)>, usize), ConfigError> {
    let mut found: Vec<(Trial, String)> = Vec::new();
    let mut ids = BTreeSet::new();
    let count = points.len();
    for (mut point, label) in points.into_iter().zip(labels) {
        let steps = steps(&point.settled, spec)?;
        let id = hash(&annotated(&point.settled.table, &Origins::default()));
        // Not part of the id, so that a key can be added to a sweep.
        if let Some(Value::Table(log)) = point.settled.stored.get_mut(LOG) {
            log.insert(COLUMNS.to_owned(), columns(keys));
        }
        if !ids.insert(id.clone()) {
            continue;
        }
        let trial = Trial {
            name: String::new(),
            label,
            point: point.number,
            seed: point.settled.seed,
            values: to_json(point.values),
            matched: to_json(point.matched),
            steps,
            step_tokens: point.settled.step_tokens,
            cost: point.settled.cost,
            config: None,
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
        // A file is shown by the kinds that it chooses.
        EXTENDS => [
            "mixer.kind",
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
