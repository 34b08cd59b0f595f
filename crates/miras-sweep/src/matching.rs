//! Equal budgets: the width at which a trial has as many parameters or FLOPs as another.

use std::collections::BTreeMap;

use miras_config::{Assigned, ConfigError, Layers, Tree, item_path};
use miras_run::Cost;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::resolve::{ResolveConfig, ResolvedConfig};

/// Why a key is not for an axis, or for another match.
pub(crate) const MATCHED: &str = "chosen by [[sweep.match]]";

/// The largest width that is tried.
const MAX_WIDTH: u64 = 1 << 20;
/// How often several budgets are matched in turn.
const ROUNDS: usize = 6;

/// One `[[sweep.match]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    /// The budget that is to be equal.
    pub(crate) budget: Budget,
    /// The key whose value is chosen.
    #[serde(default = "ffn_dim")]
    pub(crate) key: String,
    /// The value of the budget; by default that of the first point.
    to: Option<f64>,
    /// The tolerance, as a fraction.
    #[serde(default = "within")]
    within: f64,
    /// The value of the key must be a multiple of this.
    #[serde(default = "one")]
    multiple: u64,
}

/// A budget that can be made equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Budget {
    Parameters,
    MemoryParameters,
    FastWeights,
    StateBytes,
    /// Forward and backward, a token.
    Flops,
}

fn ffn_dim() -> String {
    "model.ffn_dim".to_owned()
}

fn within() -> f64 {
    0.02
}

fn one() -> u64 {
    1
}

impl Budget {
    fn of(self, cost: &Cost) -> f64 {
        match self {
            Self::Parameters => cost.parameters as f64,
            Self::MemoryParameters => cost.memory_parameters as f64,
            Self::FastWeights => cost.fast_weights as f64,
            Self::StateBytes => cost.state_bytes as f64,
            Self::Flops => cost.flops_per_token,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::MemoryParameters => "memory parameters",
            Self::FastWeights => "fast weights",
            Self::StateBytes => "bytes of state",
            Self::Flops => "FLOPs a token",
        }
    }
}

impl Match {
    /// Takes `[[sweep.match]]` out of the tree; notes are for keys that are written by old names.
    pub(crate) fn take(
        tree: &mut Tree,
        notes: &mut BTreeMap<String, String>,
    ) -> Result<Vec<Self>, ConfigError> {
        let mut matches: Vec<Self> = tree.value("sweep.match")?.unwrap_or_default();
        for (number, one) in matches.iter_mut().enumerate() {
            let here = format!("{}.key", item_path("sweep.match", number));
            let (key, note) = tree.present_name(&here, &one.key);
            if let Some(note) = note {
                notes.entry(key.clone()).or_insert(note);
            }
            one.key = key;
        }
        for (number, one) in matches.iter().enumerate() {
            let here = item_path("sweep.match", number);
            let is_share = one.within > 0.0 && one.within < 1.0;
            let is_step = (1..=MAX_WIDTH).contains(&one.multiple);
            let is_amount = one.to.is_none_or(|to| to > 0.0 && to.is_finite());
            let is_free = matches[..number].iter().all(|other| other.key != one.key);
            let multiple = format!("multiple must be from 1 to {MAX_WIDTH}");
            let taken = format!("`{}` is {MATCHED} already", one.key);
            for (is_sound, key, message) in [
                (is_share, "within", "within is a share, between 0 and 1"),
                (is_step, "multiple", &multiple),
                (is_amount, "to", "to must be above 0"),
                (is_free, "key", &taken),
            ] {
                if !is_sound {
                    tree.note(tree.error(&format!("{here}.{key}"), message, None))?;
                }
            }
        }
        Ok(matches)
    }

    /// The target, if the first point is `first`.
    pub(crate) fn target(&self, first: &ResolvedConfig) -> f64 {
        self.to.unwrap_or_else(|| self.budget.of(&first.cost))
    }

    /// The relative distance of a model from the target.
    fn gap(&self, cost: &Cost, target: f64) -> f64 {
        (self.budget.of(cost) / target - 1.0).abs()
    }

    /// The value of the key at which the budget is nearest to the target; `None` if the target is
    /// met already.
    ///
    /// Budgets increase with the key, so it is found by bisection.
    fn solve(
        &self,
        (layers, point): (&Layers, &str),
        target: f64,
        resolve: &dyn ResolveConfig,
        assign: &dyn Fn(Value) -> Assigned,
    ) -> Result<Option<Assigned>, ConfigError> {
        if self.gap(&resolve.resolve(layers.clone())?.cost, target) == 0.0 {
            return Ok(None);
        }
        let with = |times: u64| assign(Value::Integer((times * self.multiple) as i64));
        let cost = |times: u64| {
            let mut layers = layers.clone();
            layers.assign(&with(times))?;
            let resolved = resolve.resolve(layers).map_err(|error| {
                let what = format!("`{}` = {}, tried for", self.key, times * self.multiple);
                let message = format!("{what} {}: {}", self.budget.name(), error.message());
                with(times).error(message, error.advice().map(str::to_owned))
            })?;
            Ok(resolved.cost)
        };
        let budget = |times: u64| Ok(self.budget.of(&cost(times)?));
        if budget(1)? >= budget(4)? {
            let message = format!(
                "`{}` does not change the {}: a match needs a key that they grow with",
                self.key,
                self.budget.name()
            );
            let help = "model.ffn_dim, for example, or memory.dim".to_owned();
            return Err(with(1).error(message, Some(help)));
        }
        let most = (MAX_WIDTH / self.multiple).max(1);
        let mut high = 1;
        while high < most && budget(high)? < target {
            high = (2 * high).min(most);
        }
        // At `low` the budget is below the target, at `high` it is not, unless no width reaches it.
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if budget(middle)? < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        let gap = |times: u64| Ok(self.gap(&cost(times)?, target));
        let best = if low > 0 && gap(low)? < gap(high)? {
            low
        } else {
            high
        };
        let off = gap(best)?;
        if off <= self.within {
            return Ok(Some(with(best)));
        }
        let message = format!(
            "at {point} no value of `{}` gives {target:.0} {}: the nearest, {}, gives {:.0}, {:.1} % off",
            self.key,
            self.budget.name(),
            best * self.multiple,
            budget(best)?,
            100.0 * off
        );
        let help = "choose another `key`, a larger `within`, or another `to`".to_owned();
        Err(with(best).error(message, Some(help)))
    }
}

/// Finds values with which a point meets all budgets together, and assigns them; `name` is the point
/// in messages.
///
/// One key may change the budget of another, so they are matched in turn until all are met.
pub(crate) fn meet(
    matches: &[Match],
    targets: &[f64],
    (layers, name): (&mut Layers, &str),
    resolve: &dyn ResolveConfig,
    tree: &Tree,
) -> Result<BTreeMap<String, Value>, ConfigError> {
    let assigned = |number: usize, value: Value| {
        let table = item_path("sweep.match", number);
        let key = format!("{table}.key");
        let here = if tree.is_set(&key) { key } else { table };
        tree.assigned(&here, &matches[number].key, value)
    };
    let mut chosen: Vec<Option<Assigned>> = vec![None; matches.len()];
    for _ in 0..ROUNDS {
        for (number, one) in matches.iter().enumerate() {
            let mut others = layers.clone();
            chosen[number] = None;
            for value in chosen.iter().flatten() {
                others.assign(value)?;
            }
            let assign = |value| assigned(number, value);
            chosen[number] = one.solve((&others, name), targets[number], resolve, &assign)?;
        }
        let mut all = layers.clone();
        for value in chosen.iter().flatten() {
            all.assign(value)?;
        }
        let cost = resolve.resolve(all.clone())?.cost;
        let is_met = |(one, &target): (&Match, &f64)| one.gap(&cost, target) <= one.within;
        if matches.iter().zip(targets).all(is_met) {
            *layers = all;
            let values = chosen.iter().flatten();
            return Ok(values.map(|one| (one.key(), one.value().clone())).collect());
        }
    }
    let message =
        format!("at {name} these budgets cannot be met together: what meets one misses another");
    let help = "use fewer of them, or a larger `within`".to_owned();
    let last = assigned(matches.len() - 1, Value::Integer(0));
    Err(last.error(message, Some(help)))
}
