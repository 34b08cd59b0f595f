//! The whole configuration of a run, from its layers to one checked value.

mod checkpoint;
mod eval;
mod keys;
mod log;
mod notes;
mod optim;
mod require;
mod schedule;
mod train;

use std::io;

use miras_config::{ConfigError, Layers, Origins, Renamed, Tree};
use miras_data::{DataConfig, DataError, Dataset, LANGUAGE};
use miras_model::{Ends, ModelSpec};
use miras_registry::Registry;
use miras_run::metrics::{
    ACCURACY, GRAD_NORM, LOSS, LR, Metric, QUESTIONS, SECONDS, SKIPPED, TOKENS_PER_S, of_memory,
};
use toml::{Table, Value};

use crate::task::{Task, TaskConfig};

pub use checkpoint::CheckpointConfig;
pub use eval::{Control, EvalConfig};
pub use log::LogConfig;
pub use optim::OptimConfig;
pub use schedule::learning_rate;
pub use train::{OnNonfinite, StateRule, TrainConfig};

/// Everything that defines a run, checked.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// `[model]` and the tables of the four axes.
    pub model: ModelSpec,
    /// `[task]`.
    pub task: TaskConfig,
    /// `[data]`.
    pub data: DataConfig,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[optim]`.
    pub optim: OptimConfig,
    /// `[eval]`.
    pub eval: EvalConfig,
    /// `[checkpoint]`.
    pub checkpoint: CheckpointConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// The parts it was chosen from; what a run has stored is read with the same.
    pub registry: Registry,
}

impl RunConfig {
    /// Keys that had other names in earlier versions. Loading reads these, without a note: that is
    /// for [`Layers::rename`] by whoever talks to the user.
    pub const RENAMED: &'static [Renamed] = keys::RENAMED;

    /// The one loader of `run`, `check` and `show`: every key and every
    /// combination is checked, and the error holds every mistake with its line.
    ///
    /// Nothing is read from the disk: see [`load_and_open`](Self::load_and_open) for the data.
    pub fn load(layers: Layers, registry: &Registry) -> Result<(Self, Origins), ConfigError> {
        let mut tree = Self::merge(layers)?;
        let config = Self::take(&mut tree, registry);
        let (config, mut origins) = tree.conclude(config)?;
        config.list_unset(&mut origins);
        Ok((config, origins))
    }

    /// The merged layers, old names of keys among them.
    pub(crate) fn merge(mut layers: Layers) -> Result<Tree, ConfigError> {
        layers.rename(Self::RENAMED)?;
        layers.merge()
    }

    /// What it is trained for.
    pub fn task(&self) -> &dyn Task {
        &*self.task
    }

    /// The metrics that are reported beside the loss, one or more; the first also of training.
    pub fn measures(&self) -> &'static [&'static Metric] {
        self.task.metrics(&self.data)
    }

    /// The ends of its model, by its data, opened.
    pub fn ends(&self, data: &dyn Dataset) -> Ends {
        self.task.ends(data.vocab(), data.labels().len())
    }

    /// The same before the data are opened.
    ///
    /// # Errors
    /// If the tokenizer cannot be opened, or files with classes cannot be read.
    pub fn ends_unopened(&self) -> Result<Ends, DataError> {
        Ok(self.task.ends(self.data.vocab()?, self.data.classes()?))
    }

    /// Complete, in the order in which a reader wants it; loading it again gives
    /// the same configuration.
    pub fn to_table(&self) -> Table {
        let mut table = self.model.to_table();
        table.insert("task".into(), Value::Table(self.task.to_table()));
        table.insert("data".into(), Value::Table(self.data.to_table()));
        for (name, section) in [
            ("train", section(&self.train)),
            ("optim", section(&self.optim)),
            ("eval", section(&self.eval)),
            ("checkpoint", section(&self.checkpoint)),
            ("log", section(&self.log)),
        ] {
            table.insert(name.into(), Value::Table(section));
        }
        table
    }

    /// The tags of the scalars that a run has logged when it is over, sorted.
    pub fn metrics(&self) -> Vec<String> {
        let measures = self.measures();
        let always = [&LR, &GRAD_NORM, &TOKENS_PER_S, &SECONDS];
        let mut tags = always.map(|metric| metric.name.to_owned()).to_vec();
        let controls = self.eval.controls.iter();
        let controls = controls.map(|control| format!("control/{}", control.name()));
        tags.extend([&LOSS, measures[0]].map(|metric| metric.under("train")));
        for prefix in std::iter::once("eval".to_owned()).chain(controls) {
            tags.push(LOSS.under(&prefix));
            tags.extend(measures.iter().map(|metric| metric.under(&prefix)));
        }
        if measures.contains(&&ACCURACY) {
            tags.push(QUESTIONS.name.to_owned());
        }
        if self.train.on_nonfinite == OnNonfinite::Skip {
            tags.push(SKIPPED.name.to_owned());
        }
        let layers = self.model.memory_layers().into_iter();
        tags.extend(layers.flat_map(|layer| {
            let all = of_memory(self.model.has_gate(layer));
            all.map(move |one| one.of_layer(layer))
        }));
        tags.sort();
        tags
    }

    /// The same from whatever working directory: relative paths become absolute.
    pub fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            data: self.data.absolute()?,
            train: self.train.absolute()?,
            ..self.clone()
        })
    }

    /// Every key that a configuration can have, as a path, whatever its kinds are.
    pub fn keys(registry: &Registry) -> Vec<String> {
        let mut keys = keys::all(registry);
        keys.extend(keys::kinds());
        keys
    }

    /// What to write for the name of a key that other programs use.
    pub fn key_called(name: &str) -> Option<&'static str> {
        let mut names = keys::OTHER_NAMES.iter();
        names.find(|(other, _)| *other == name).map(|(_, key)| *key)
    }

    /// Notes the keys that this configuration could have and that have no value.
    fn list_unset(&self, origins: &mut Origins) {
        let table = self.to_table();
        for path in keys::of(&self.model.mixer, (&self.task, &self.data), &self.registry) {
            let (section, key) = path.split_once('.').unwrap_or(("", &path));
            let there = table.get(section).and_then(Value::as_table);
            if there.is_some_and(|section| !section.contains_key(key)) {
                origins.unset(path);
            }
        }
    }

    pub(crate) fn take(tree: &mut Tree, registry: &Registry) -> Result<Self, ConfigError> {
        let mut keys = keys::all(registry);
        tree.suggest(keys.iter().cloned());
        for (name, path) in keys::OTHER_NAMES {
            tree.translate(name, format!("`{name}` is called `{path}` here"));
        }
        for (name, help) in keys::ABSENT {
            tree.translate(name, *help);
        }
        keys.extend(keys::kinds());
        tree.belongs(
            "sweep",
            "`miras-train sweep FILE`, which trains many trials out of one file",
        );
        let model = tree.attempt(&[], |tree| ModelSpec::take(tree, registry));
        let task = tree.attempt(&["task"], |tree| TaskConfig::take(&mut tree.at("task")));
        // Which data there are is not known after a mistake in [task].
        let data = tree.attempt(&["data"], |tree| match &task {
            Some(task) => {
                let section = &mut tree.at("data");
                let data = DataConfig::take(section, task.kind())?;
                (task.fit(data)).map_err(|(key, problem)| {
                    section.error(key, format!("{}: {problem}", section.key(key)), None)
                })
            }
            None => tree.value::<Value>("data").and_then(|_| Err(tree.failed())),
        });
        let train = tree.attempt(&["train"], |tree| {
            TrainConfig::take(tree, data.as_ref(), model.as_ref())
        });
        let optim = tree.attempt(&["optim"], OptimConfig::take);
        let eval = tree.attempt(&["eval"], |tree| {
            EvalConfig::take(tree, model.as_ref(), data.as_ref(), train.as_ref())
        });
        let checkpoint = tree.attempt(&["checkpoint"], CheckpointConfig::take);
        let log = tree.attempt(&["log"], |tree| {
            LogConfig::take(tree, model.as_ref(), data.as_ref(), &keys)
        });
        let (
            Some(mut model),
            Some(task),
            Some(data),
            Some(train),
            Some(optim),
            Some(eval),
            Some(checkpoint),
            Some(log),
        ) = (model, task, data, train, optim, eval, checkpoint, log)
        else {
            return Err(tree.failed());
        };
        model.precision = train.precision;
        refuse_untied(tree, &task, &model)?;
        refuse_samples(tree, &train, &log)?;
        Ok(Self {
            model,
            task,
            data,
            train,
            optim,
            eval,
            checkpoint,
            log,
            registry: registry.clone(),
        })
    }
}

/// Refuses `model.tie_head = false` where it changes nothing.
fn refuse_untied(tree: &Tree, task: &TaskConfig, model: &ModelSpec) -> Result<(), ConfigError> {
    let task = task.kind();
    if model.config.tie_head || task == LANGUAGE {
        return Ok(());
    }
    let message = format!(
        "model.tie_head = false is about language models, and the head of task.kind = {task:?} is its own always"
    );
    Err(tree.error("model.tie_head", message, Some("leave it out".to_owned())))
}

/// Refuses samples of memories that depend on where a row begins and ends.
fn refuse_samples(tree: &Tree, train: &TrainConfig, log: &LogConfig) -> Result<(), ConfigError> {
    let memory = train.memory;
    if memory.goes_on() || log.samples.is_empty() {
        return Ok(());
    }
    let message = format!(
        "log.samples are texts that go on, and train.memory = \"{memory}\" depends on where a row begins and ends"
    );
    let help = "leave it out, or set train.memory = \"live\"";
    Err(tree.error("log.samples", message, Some(help.to_owned())))
}

/// Plain settings of this crate as a table.
fn section(settings: &impl serde::Serialize) -> Table {
    Table::try_from(settings).expect("settings are a TOML table")
}
