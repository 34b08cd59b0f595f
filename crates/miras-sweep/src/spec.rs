//! The `[sweep]` table.

use miras_config::{ConfigError, Layers, Tree, fields_of, item_path};
use miras_run::Goal;
use serde::{Deserialize, Serialize};

use crate::{
    axes::{self, Axis, Mode},
    matching::Match,
    plan::{Evaluations, Plan},
};

/// The table that makes a sweep of a configuration.
const TABLE: &str = "sweep";

/// Why a key is not for an axis.
const MATCHED: &str = "chosen by [[sweep.match]]";

/// `[sweep]`, read and checked by itself; [`expand`](crate::expand) makes trials of it.
#[derive(Debug)]
pub struct SweepSpec {
    pub(crate) keys: Keys,
    pub(crate) axes: Vec<Axis>,
    pub(crate) matches: Vec<Match>,
    pub(crate) rungs: Vec<RungKeys>,
    pub(crate) evaluate: Option<Evaluations>,
    /// Notes for the user on how the table was read.
    pub(crate) notes: Vec<String>,
    /// For errors about the table as a whole.
    pub(crate) tree: Tree,
}

/// The plain keys of `[sweep]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keys {
    /// How axes are combined.
    pub(crate) mode: Mode,
    /// Every point is trained with each; `train.seed` if there are none.
    pub(crate) seeds: Vec<u64>,
    /// The metric that ranks trials: a tag of `metrics.jsonl`.
    pub(crate) metric: String,
    /// Whether higher or lower is better; by default higher for accuracies, else lower.
    pub(crate) goal: Option<Goal>,
    /// Points that mode "random" draws.
    pub(crate) points: Option<usize>,
    /// Seed of the draws.
    pub(crate) draw_seed: u64,
    /// What happens to combinations that are not a valid configuration.
    pub(crate) invalid: Invalid,
    /// The number of consecutive failures for the same reason that ends the sweep; 0 for never.
    pub(crate) alike: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Invalid {
    /// The sweep does not start.
    Refuse,
    /// They are left out, and counted.
    Skip,
}

/// One `[[sweep.rungs]]`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RungKeys {
    /// Tokens that a trial has seen at the end of it.
    pub(crate) tokens: u64,
    /// How many points of the previous rung continue on this one; all on the first rung.
    pub(crate) best: Option<usize>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            mode: Mode::Grid,
            seeds: Vec::new(),
            metric: "eval/loss".to_owned(),
            goal: None,
            points: None,
            draw_seed: 1,
            invalid: Invalid::Refuse,
            alike: 3,
        }
    }
}

impl SweepSpec {
    /// Takes `[sweep]` out of a configuration; the rest is the configuration of the trials.
    pub fn take(layers: &mut Layers) -> Result<Self, ConfigError> {
        let mut tree = layers.split_off(TABLE).merge()?;
        let mut axes = axes::take(&mut tree)?;
        let matches: Vec<Match> = tree.value("sweep.match")?.unwrap_or_default();
        let rungs: Vec<RungKeys> = tree.value("sweep.rungs")?.unwrap_or_default();
        let evaluate: Option<Evaluations> = tree.value("sweep.evaluate")?;
        let keys: Keys = tree.section(TABLE)?;
        if !tree.is_set(TABLE) {
            let message = "there is no [sweep] in this file";
            let help = format!("add one: {}", fields_of::<Keys>().join(", "));
            return Err(tree.error(TABLE, message, Some(help)));
        }
        let notes = axes::fit(&mut axes, keys.mode, keys.points, &tree)?;
        check_rungs(&tree, &rungs)?;
        let mut taken = Vec::new();
        for (at, one) in matches.iter().enumerate() {
            let here = item_path("sweep.match", at);
            one.check(&tree, &here)?;
            if taken.contains(&(&*one.key, MATCHED)) {
                let message = format!("`{}` is {MATCHED} already", one.key);
                return Err(tree.error(&format!("{here}.key"), message, None));
            }
            taken.push((&*one.key, MATCHED));
        }
        if !rungs.is_empty() {
            taken.push(("train.steps", "what [[sweep.rungs]] decide"));
        }
        axes::refuse_clashes(&axes, &taken, &tree)?;
        if let Some(evaluate) = &evaluate {
            evaluate.check(&tree)?;
        }
        let again = (1..keys.seeds.len()).find(|&at| keys.seeds[..at].contains(&keys.seeds[at]));
        if let Some(at) = again {
            let message = format!("sweep.seeds names {} twice", keys.seeds[at]);
            return Err(tree.error(&item_path("sweep.seeds", at), message, None));
        }
        Ok(Self {
            keys,
            axes,
            matches,
            rungs,
            evaluate,
            notes,
            tree,
        })
    }

    /// Sets the fields of a plan that do not depend on the trials.
    pub fn fill(&self, plan: &mut Plan) {
        plan.metric.clone_from(&self.keys.metric);
        plan.goal = self.goal();
        plan.alike = self.keys.alike;
        plan.evaluate.clone_from(&self.evaluate);
    }

    fn goal(&self) -> Goal {
        let by_name = if self.keys.metric.ends_with("accuracy") {
            Goal::Higher
        } else {
            Goal::Lower
        };
        self.keys.goal.unwrap_or(by_name)
    }
}

fn check_rungs(tree: &Tree, rungs: &[RungKeys]) -> Result<(), ConfigError> {
    let mut before = 0;
    for (at, rung) in rungs.iter().enumerate() {
        let here = item_path("sweep.rungs", at);
        if rung.tokens <= before {
            let message = format!("a rung has more tokens than the one before it, {before}");
            return Err(tree.error(&format!("{here}.tokens"), message, None));
        }
        before = rung.tokens;
        match (at, rung.best) {
            (0, Some(_)) => {
                let message = "all points are on the first rung";
                let help = "leave `best` out, or put another [[sweep.rungs]] before it";
                return Err(tree.error(&format!("{here}.best"), message, Some(help.to_owned())));
            }
            (1.., None) => {
                let message = "this rung does not say how many of the points go on to it";
                let help = "add `best`, for example best = 3";
                return Err(tree.error(&here, message, Some(help.to_owned())));
            }
            (_, Some(0)) => {
                let message = "best must be 1 or more";
                return Err(tree.error(&format!("{here}.best"), message, None));
            }
            _ => {}
        }
    }
    Ok(())
}
