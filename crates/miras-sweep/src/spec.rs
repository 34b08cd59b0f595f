//! The `[sweep]` table.

use std::collections::BTreeMap;
use std::path;

use miras_config::{ConfigError, Layers, Tree, fields_of, item_path};
use miras_run::metrics::{EVAL_LOSS, default_goal};
use miras_run::{Goal, Memory};
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
        let mut old_names = BTreeMap::new();
        for (key, note) in axes.iter().flatten().flat_map(|axis| axis.old_names(&tree)) {
            old_names.entry(key).or_insert(note);
        }
        let matches = tree.attempt(&[], |tree| Match::take(tree, &mut old_names));
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
        let (Some((axes, mut notes)), Some(matches), Some(rungs), Some(evaluate), Some(keys)) =
            (fitted, matches, rungs, evaluate, keys)
        else {
            return Err(tree.failed());
        };
        notes.extend(old_names.into_values());
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
            tree.note(tree.error(&item_path("sweep.seeds", at), message, None))?;
        }
        Ok(keys)
    }

    /// Refuses keys that do not go with the mode.
    fn check_mode(&self, tree: &mut Tree) -> Result<(), ConfigError> {
        let (has_list, is_list) = (tree.is_set("sweep.list"), self.mode == Mode::List);
        let (is_random, points) = (self.mode == Mode::Random, self.points.unwrap_or(0));
        let too_many = format!("points = {points}, and {MAX_POINTS} is the most");
        let checks = [
            (
                has_list && !is_list,
                "list",
                "[[sweep.list]] belongs to mode = \"list\"",
                "set sweep.mode = \"list\"",
            ),
            (
                is_list && !has_list,
                "mode",
                "mode = \"list\" needs its points",
                "add one [[sweep.list]] table for each",
            ),
            (
                is_random && points == 0,
                "mode",
                "mode = \"random\" needs the number of points to draw",
                "add sweep.points, for example points = 20",
            ),
            (
                !is_random && self.points.is_some(),
                "points",
                "points belongs to mode = \"random\"",
                "leave it out, or set mode = \"random\"",
            ),
            (
                is_random && points > MAX_POINTS,
                "points",
                &too_many,
                "draw fewer",
            ),
        ];
        for (_, key, message, help) in checks.into_iter().filter(|(is_wrong, ..)| *is_wrong) {
            tree.note(tree.error(&format!("sweep.{key}"), message, Some(help.to_owned())))?;
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
                tree.note(tree.error(&format!("{here}.tokens"), message, None))?;
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
            tree.note(tree.error(place, message, help.map(str::to_owned)))?;
        }
        Ok(rungs)
    }
}

impl Evaluations {
    /// Takes `[sweep.evaluate]` out of the tree, if it is there.
    pub(crate) fn take(tree: &mut Tree) -> Result<Option<Self>, ConfigError> {
        let Some(mut read) = tree.value::<Self>("sweep.evaluate")? else {
            return Ok(None);
        };
        let Self {
            lengths,
            tokens,
            tasks,
            limit,
            memory,
        } = &read;
        let mut refuse = |key: &str, message: String| {
            tree.note(tree.error(&format!("sweep.evaluate.{key}"), message, None))
        };
        if lengths.is_empty() && tasks.is_empty() {
            let message = "nothing is measured: give lengths, or tasks as [\"hellaswag=FILE\"]";
            refuse("lengths", message.to_owned())?;
        }
        if *limit == Some(0) {
            refuse("limit", "limit must be 1 or more".to_owned())?;
        }
        if limit.is_some() && tasks.is_empty() {
            let message = "limit has no effect without tasks: leave it out, or give tasks";
            refuse("limit", message.to_owned())?;
        }
        let goes_on = |way: &String| Memory::of_name(way).is_none_or(Memory::goes_on);
        if !tasks.is_empty() && !memory.is_empty() && !memory.iter().any(goes_on) {
            let message = "tasks go on from contexts, which `reset` and `half` do not: leave tasks out, or \
                           add `live` to memory";
            refuse("tasks", message.to_owned())?;
        }
        for (at, task) in tasks.iter().enumerate() {
            let name = |task: &str| task.split('=').next().unwrap_or_default().to_owned();
            let here = item_path("tasks", at);
            if task
                .split_once('=')
                .is_none_or(|(name, file)| name.is_empty() || file.is_empty())
            {
                refuse(
                    &here,
                    format!("a task and its file, as hellaswag=FILE, not `{task}`"),
                )?;
            } else if tasks[..at].iter().any(|other| name(other) == name(task)) {
                refuse(&here, format!("`{}` is named twice", name(task)))?;
            }
        }
        if let Some(at) = lengths.iter().position(|&length| length == 0) {
            let message = "a length must be 1 or more".to_owned();
            refuse(&item_path("lengths", at), message)?;
        } else if let Some(long) = lengths.iter().find(|&length| length > tokens) {
            let message = format!("tokens = {tokens} is less than a row of {long}");
            refuse("tokens", message)?;
        } else if let Some(odd) = (lengths.iter()).find(|&&length| !tokens.is_multiple_of(length)) {
            let message = format!(
                "tokens = {tokens} is no whole number of rows of {odd}: lengths would read different texts"
            );
            refuse("tokens", message)?;
        }
        for (at, way) in memory.iter().enumerate() {
            let here = item_path("memory", at);
            if Memory::of_name(way).is_none() {
                let known = Memory::ALL.map(|one| format!("`{one}`")).join(", ");
                refuse(&here, format!("memory is one of {known}, found `{way}`"))?;
            } else if memory[..at].contains(way) {
                refuse(&here, format!("`{way}` is named twice"))?;
            }
        }
        // Workers may start in other folders.
        for task in &mut read.tasks {
            if let Some((name, file)) = task.split_once('=')
                && let Ok(file) = path::absolute(file)
            {
                *task = format!("{name}={}", file.display());
            }
        }
        Ok(Some(read))
    }
}
