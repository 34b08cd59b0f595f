//! One combination of the axes as a configuration.

use std::collections::BTreeMap;
use std::path::Path;

use miras_config::{Assigned, ConfigError, Layers, did_you_mean, flat, item_path};
use toml::{Table, Value};

use crate::{
    matching::{MATCHED, meet},
    names::{EXTENDS, NAME},
    resolve::{Misfit, ResolveConfig, ResolvedConfig},
    spec::SweepSpec,
};

pub(crate) type Matched = BTreeMap<String, Value>;

/// One combination of the axes, for one seed.
pub(crate) struct Point {
    pub(crate) number: usize,
    pub(crate) resolved: ResolvedConfig,
    /// In the order of the file.
    pub(crate) values: Vec<(String, Value)>,
    pub(crate) matched: Matched,
}

impl Point {
    /// The values that tell it from the others: where it has a name, that stands for what its entry of
    /// the list sets, which comes before the name.
    pub(crate) fn shown(&self) -> &[(String, Value)] {
        let name = self.values.iter().position(|(key, _)| key == NAME);
        &self.values[name.unwrap_or(0)..]
    }
}

/// The configurations of one point, one for each seed. The first point sets the targets of
/// the budgets that have none.
pub(crate) fn resolve_point(
    base: &Layers,
    spec: &SweepSpec,
    set: &[Assigned],
    targets: &mut Option<Vec<f64>>,
    resolve: &dyn ResolveConfig,
) -> Result<Vec<(ResolvedConfig, Matched)>, ConfigError> {
    let mut layers = base.clone();
    let mut set: Vec<&Assigned> = set.iter().collect();
    // Files first, and tables before keys inside of them.
    set.sort_by_key(|one| (one.key() != EXTENDS, one.key().matches('.').count()));
    for one in set.iter().filter(|one| one.key() != NAME) {
        layers.assign(one)?;
    }
    let mut matched = Matched::new();
    if !spec.matches.is_empty() {
        let here = resolve.resolve(layers.clone())?;
        let own = || spec.matches.iter().map(|one| one.target(&here)).collect();
        let wanted = targets.clone().unwrap_or_else(own);
        let point = (&mut layers, &*in_words(&set));
        matched = meet(&spec.matches, &wanted, point, resolve, &spec.tree)?;
        // An invalid point sets no targets.
        *targets = Some(wanted);
    }
    let mut resolved = resolve.resolve(layers.clone())?;
    check(spec, &resolved)?;
    let measured = measure(spec, &layers, &set, resolve)?;
    if let Some(&last) = steps(&resolved, spec)?
        .last()
        .filter(|_| !spec.rungs.is_empty())
    {
        // Assigned like any key, so that an invalid `train.steps` is an error at the rung.
        let here = format!("{}.tokens", item_path("sweep.rungs", spec.rungs.len() - 1));
        let last = Value::Integer(i64::try_from(last).unwrap_or(i64::MAX));
        layers.assign(&spec.tree.assigned(&here, "train.steps", last))?;
        resolved = resolve.resolve(layers.clone())?;
    }
    for one in &set {
        let own = values([*one], &resolved.table);
        if let Some((key, _)) = own.iter().find(|(key, _)| matched.contains_key(key)) {
            let message = format!("`{key}` is {MATCHED} already");
            return Err(one.error(message, None));
        }
    }
    if spec.keys.seeds.is_empty() {
        resolved.notes.extend(measured);
        return Ok(vec![(resolved, matched)]);
    }
    let seeds = spec.keys.seeds.iter().enumerate().map(|(number, &seed)| {
        let here = item_path("sweep.seeds", number);
        let mut layers = layers.clone();
        let seed = Value::Integer(seed as i64);
        layers.assign(&spec.tree.assigned(&here, "train.seed", seed))?;
        let mut resolved = resolve.resolve(layers)?;
        resolved.notes.extend_from_slice(&measured);
        Ok((resolved, matched.clone()))
    });
    seeds.collect()
}

/// Checks that `[sweep.evaluate]` can be done with the data of a point, and gives notes about it.
fn measure(
    spec: &SweepSpec,
    layers: &Layers,
    set: &[&Assigned],
    resolve: &dyn ResolveConfig,
) -> Result<Vec<String>, ConfigError> {
    let Some(evaluations) = &spec.evaluate else {
        return Ok(Vec::new());
    };
    let measured = resolve.measure(layers.clone(), evaluations);
    measured.map_err(|Misfit { key, why }| {
        let at = match &*in_words(set) {
            "" => String::new(),
            point => format!("at {point}: "),
        };
        let key = format!("sweep.evaluate.{key}");
        spec.tree.error(&key, format!("{at}{why}"), None)
    })
}

/// The settings of a point, in words.
pub(crate) fn in_words(set: &[&Assigned]) -> String {
    let words = set
        .iter()
        .map(|one| format!("{}={}", one.key(), one.value()));
    words.collect::<Vec<_>>().join(" ")
}

/// Refuses a configuration that the sweep cannot rank.
fn check(spec: &SweepSpec, resolved: &ResolvedConfig) -> Result<(), ConfigError> {
    let metric = &spec.keys.metric;
    if !resolved.metrics.contains(metric) {
        let names = || resolved.metrics.iter().map(String::as_str);
        let help = match did_you_mean(metric, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("runs of this configuration have no metric `{metric}`");
        return Err(spec.tree.error("sweep.metric", message, Some(help)));
    }
    if spec.rungs.len() > 1 && at(&resolved.table, "train.max_minutes").is_some() {
        let message = "rungs count in tokens, and train.max_minutes would end them elsewhere";
        let help = "leave train.max_minutes out".to_owned();
        return Err(spec.tree.error("sweep.rungs", message, Some(help)));
    }
    Ok(())
}

/// The keys and values that a point sets; the kind of a table has the key `TABLE.kind`.
pub(crate) fn values<'a>(
    set: impl IntoIterator<Item = &'a Assigned>,
    resolved: &Table,
) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for one in set {
        let key = one.key();
        match one.value() {
            Value::String(path) if key == EXTENDS => {
                let stem = Path::new(path).file_stem().unwrap_or_default();
                values.push((key, stem.to_string_lossy().into_owned().into()));
            }
            Value::String(kind) if at(resolved, &key).is_some_and(Value::is_table) => {
                values.push((format!("{key}.kind"), Value::String(kind.clone())));
            }
            Value::Table(table) => {
                let inner = flat(table).into_iter();
                values.extend(inner.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            value => values.push((key, value.clone())),
        }
    }
    values
}

fn at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((first, rest)) => at(table.get(first)?.as_table()?, rest),
    }
}

/// The resolved configurations by dotted key.
pub(crate) fn resolved_keys(points: &[Point]) -> Vec<BTreeMap<String, Value>> {
    let keys = |point: &Point| flat(&point.resolved.table).into_iter().collect();
    points.iter().map(keys).collect()
}

/// Steps at the end of each rung; `train.steps` if there is only one budget.
pub(crate) fn steps(resolved: &ResolvedConfig, spec: &SweepSpec) -> Result<Vec<u64>, ConfigError> {
    if spec.rungs.is_empty() {
        return Ok(vec![resolved.steps]);
    }
    let steps: Vec<u64> = (spec.rungs.iter())
        .map(|rung| rung.tokens.div_ceil(resolved.step_tokens.max(1)))
        .collect();
    if let Some(at) = (1..steps.len()).find(|&at| steps[at] == steps[at - 1]) {
        let message = format!(
            "this rung is no longer than the one before it: a step has {} tokens",
            resolved.step_tokens
        );
        let place = format!("{}.tokens", item_path("sweep.rungs", at));
        return Err(spec.tree.error(&place, message, None));
    }
    Ok(steps)
}
