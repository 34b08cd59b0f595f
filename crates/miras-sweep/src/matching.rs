//! Equal budgets: the width at which a trial has as many parameters, or takes as many FLOPs,
//! as another.

use miras_config::{Assigned, ConfigError, Layers, Tree};
use miras_run::Cost;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::expand::{Settle, Settled};

/// The largest width that is tried.
const WIDEST: u64 = 1 << 20;

/// One `[[sweep.match]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Match {
    /// What is to be equal.
    pub(crate) budget: Budget,
    /// The key that is chosen for it.
    #[serde(default = "ffn_dim")]
    pub(crate) key: String,
    /// The value of the budget; that of the first point if there is none.
    to: Option<f64>,
    /// How far off it may be, as a share.
    #[serde(default = "within")]
    within: f64,
    /// What the key must be a multiple of.
    #[serde(default = "one")]
    multiple: u64,
}

/// What can be made equal.
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
    pub(crate) fn check(&self, tree: &Tree, at: &str) -> Result<(), ConfigError> {
        let refuse =
            |key: &str, message: &str| Err(tree.error(&format!("{at}.{key}"), message, None));
        if !(self.within > 0.0 && self.within < 1.0) {
            return refuse("within", "within is a share, between 0 and 1");
        }
        if self.multiple == 0 {
            return refuse("multiple", "multiple must be 1 or more");
        }
        if self.to.is_some_and(|to| !(to > 0.0 && to.is_finite())) {
            return refuse("to", "to must be above 0");
        }
        Ok(())
    }

    /// What the budget is to be, if the first point is `first`.
    pub(crate) fn target(&self, first: &Settled) -> f64 {
        self.to.unwrap_or_else(|| self.budget.of(&first.cost))
    }

    /// The value of the key at which the budget is met, as near as it can be.
    ///
    /// Budgets grow with the key, so it is found by halving.
    pub(crate) fn solve(
        &self,
        layers: &Layers,
        target: f64,
        settle: &dyn Settle,
        assign: &dyn Fn(Value) -> Assigned,
    ) -> Result<Assigned, ConfigError> {
        let with = |times: u64| assign(Value::Integer((times * self.multiple) as i64));
        let budget = |times: u64| {
            let mut layers = layers.clone();
            layers.assign(&with(times));
            Ok(self.budget.of(&settle.settle(layers)?.cost))
        };
        let most = (WIDEST / self.multiple).max(1);
        let mut high = 1;
        while high < most && budget(high)? < target {
            high = (2 * high).min(most);
        }
        // Below `low` the budget is not reached, at `high` it is, or nothing reaches it.
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if budget(middle)? < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        let gap = |times: u64| Ok((budget(times)? / target - 1.0).abs());
        let (mut best, mut least) = (high, gap(high)?);
        if low > 0 && gap(low)? < least {
            (best, least) = (low, gap(low)?);
        }
        if least <= self.within {
            return Ok(with(best));
        }
        let message = format!(
            "no value of `{}` gives {target:.0} {}: the nearest, {}, gives {:.0}",
            self.key,
            self.budget.name(),
            best * self.multiple,
            budget(best)?
        );
        let help = "choose another `key`, a larger `within`, or another `to`".to_owned();
        Err(with(best).error(message, Some(help)))
    }
}
