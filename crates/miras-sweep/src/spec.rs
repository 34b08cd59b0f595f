//! The `[sweep]` table.

use miras_config::{ConfigError, Layers, Tree, fields_of, item_path};
use miras_run::Goal;
use miras_run::metrics::{EVAL_LOSS, default_goal};
use serde::{Deserialize, Serialize};

use crate::{
    axes::{self, Axis, MAX_POINTS, Mode},
    matching::{MATCHED, Match},
    plan::{Evaluations, Plan},
};

/// The table that makes a sweep of a configuration.
const TABLE: &str = "sweep";

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
            metric: EVAL_LOSS.to_owned(),
            goal: None,
            points: None,
            draw_seed: 1,
            invalid: Invalid::Refuse,
            alike: 3,
        }
    }
}

impl SweepSpec {
    /// Takes `[sweep]` out of a configuration; the rest is the configuration of the trials. The
    /// error has every mistake in the table.
    pub fn take(layers: &mut Layers) -> Result<Self, ConfigError> {
        let mut tree = layers.split_off(TABLE).merge()?;
        if !tree.is_set(TABLE) {
            let message = "there is no [sweep] in this file";
            let help = format!("add one: {}", fields_of::<Keys>().join(", "));
            return Err(tree.error(TABLE, message, Some(help)));
        }
        let axes = tree.attempt(&[], axes::take);
        let matches = tree.attempt(&[], Match::take);
        let rungs = tree.attempt(&[], RungKeys::take);
        let evaluate = tree.attempt(&[], Evaluations::take);
        let keys = tree.attempt(&[], Keys::take);
        let mut taken: Vec<_> = (matches.iter().flatten())
            .map(|one| (&*one.key, MATCHED))
            .collect();
        if rungs.as_ref().is_some_and(|rungs| !rungs.is_empty()) {
            taken.push(("train.steps", "what [[sweep.rungs]] decide"));
        }
        let axes = axes.and_then(|axes| {
            tree.attempt(&[], |tree| {
                axes::refuse_clashes(&axes, &taken, tree).map(|()| axes)
            })
        });
        let fitted = axes.zip(keys.as_ref()).and_then(|(mut axes, keys)| {
            tree.attempt(&[], |tree| {
                axes::fit(&mut axes, keys.mode, tree).map(|notes| (axes, notes))
            })
        });
        let (Some((axes, notes)), Some(matches), Some(rungs), Some(evaluate), Some(keys)) =
            (fitted, matches, rungs, evaluate, keys)
        else {
            return Err(tree.failed());
        };
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
        let by_name = || default_goal(&self.keys.metric);
        self.keys.goal.unwrap_or_else(by_name)
    }
}

impl Keys {
    fn take(tree: &mut Tree) -> Result<Self, ConfigError> {
        let keys: Self = tree.section(TABLE)?;
        keys.check_mode(tree)?;
        let seeds = &keys.seeds;
        for at in (1..seeds.len()).filter(|&at| seeds[..at].contains(&seeds[at])) {
            let message = format!("sweep.seeds names {} twice", seeds[at]);
            let mistake = tree.error(&item_path("sweep.seeds", at), message, None);
            tree.note(mistake)?;
        }
        Ok(keys)
    }

    /// Refuses keys that do not go with the mode.
    fn check_mode(&self, tree: &mut Tree) -> Result<(), ConfigError> {
        let of_list = match (tree.is_set("sweep.list"), self.mode == Mode::List) {
            (true, false) => Some((
                "list",
                "[[sweep.list]] belongs to mode = \"list\"",
                "set sweep.mode = \"list\"",
            )),
            (false, true) => Some((
                "mode",
                "mode = \"list\" needs its points",
                "add one [[sweep.list]] table for each",
            )),
            _ => None,
        };
        let too_many;
        let of_points = match (self.mode, self.points) {
            (Mode::Random, None | Some(0)) => Some((
                "mode",
                "mode = \"random\" needs the number of points to draw",
                "add sweep.points, for example points = 20",
            )),
            (Mode::Grid | Mode::List, Some(_)) => Some((
                "points",
                "points belongs to mode = \"random\"",
                "leave it out, or set mode = \"random\"",
            )),
            (Mode::Random, Some(points)) if points > MAX_POINTS => {
                too_many = format!("points = {points}, and {MAX_POINTS} is the most");
                Some(("points", &*too_many, "draw fewer"))
            }
            _ => None,
        };
        for (key, message, help) in of_list.into_iter().chain(of_points) {
            let mistake = tree.error(&format!("sweep.{key}"), message, Some(help.to_owned()));
            tree.note(mistake)?;
        }
        Ok(())
    }
}

impl RungKeys {
    fn take(tree: &mut Tree) -> Result<Vec<Self>, ConfigError> {
        let rungs: Vec<Self> = tree.value("sweep.rungs")?.unwrap_or_default();
        let mut before = 0;
        for (at, rung) in rungs.iter().enumerate() {
            let here = item_path("sweep.rungs", at);
            if rung.tokens <= before {
                let message = format!("a rung has more tokens than the one before it, {before}");
                let mistake = tree.error(&format!("{here}.tokens"), message, None);
                tree.note(mistake)?;
            }
            before = rung.tokens;
            let best = format!("{here}.best");
            let (place, message, help) = match (at, rung.best) {
                (0, Some(_)) => (
                    &best,
                    "all points are on the first rung",
                    Some("leave `best` out, or put another [[sweep.rungs]] before it"),
                ),
                (1.., None) => (
                    &here,
                    "this rung does not say how many of the points go on to it",
                    Some("add `best`, for example best = 3"),
                ),
                (_, Some(0)) => (&best, "best must be 1 or more", None),
                _ => continue,
            };
            let mistake = tree.error(place, message, help.map(str::to_owned));
            tree.note(mistake)?;
        }
        Ok(rungs)
    }
}
