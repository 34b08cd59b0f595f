//! A model that has a width, and a depth if it is of the kind `deep`.

use std::path::Path;

use miras_config::{ConfigError, Layers, Tree};
use miras_run::Cost;
use miras_sweep::{
    Evaluations, Expanded, Misfit, Plan, ResolveConfig, ResolvedConfig, SweepSpec, expand,
};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(crate) struct Toy;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Deep {
    depth: u64,
}

impl Default for Deep {
    fn default() -> Self {
        Self { depth: 2 }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Train {
    steps: u64,
    seed: u64,
    lr: f64,
    width: u64,
}

/// The columns that a stored trial has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    #[serde(rename = "hparams")]
    _hparams: Vec<String>,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            steps: 10,
            seed: 7,
            lr: 0.1,
            width: 8,
        }
    }
}

impl ResolveConfig for Toy {
    fn resolve(&self, layers: Layers) -> Result<ResolvedConfig, ConfigError> {
        let mut tree: Tree = layers.merge()?;
        let kind: Option<String> = tree.value("memory.kind")?;
        let kind = kind.unwrap_or("flat".to_owned());
        let mut memory = match &*kind {
            "flat" => Table::try_from(tree.at("memory").part::<Flat>()?),
            "deep" => Table::try_from(tree.at("memory").part::<Deep>()?),
            _ => return Err(tree.error("memory.kind", format!("no memory `{kind}`"), None)),
        }
        .unwrap();
        let train: Train = tree.section("train")?;
        tree.section::<Log>("log")?;
        tree.finish()?;
        let depth = memory.get("depth").and_then(Value::as_integer);
        memory.insert("kind".into(), kind.into());
        let mut table = Table::new();
        table.insert("memory".into(), memory.into());
        table.insert("train".into(), Table::try_from(&train).unwrap().into());
        table.insert("log".into(), Table::new().into());
        Ok(ResolvedConfig {
            stored: table.clone(),
            table,
            cost: Cost {
                parameters: train.width * train.width * depth.unwrap_or(1) as u64,
                memory_parameters: 0,
                fast_weights: 1,
                state_bytes: 0,
                state_bytes_per_token: 0,
                flops_per_token: 3.0,
            },
            memory: Some(train.width),
            step_tokens: 100,
            steps: train.steps,
            seed: train.seed,
            metrics: vec!["eval/loss".into(), "eval/accuracy".into()],
            notes: (train.lr > 1.0)
                .then(|| "bold".to_owned())
                .into_iter()
                .collect(),
            unfit: (train.width > 100).then(|| "too wide".to_owned()),
        })
    }

    fn measure(&self, layers: Layers, evaluations: &Evaluations) -> Result<Vec<String>, Misfit> {
        let width = self.resolve(layers).unwrap().memory.unwrap() as usize;
        for (at, &length) in evaluations.lengths.iter().enumerate() {
            if length > 2048 * width {
                return Err(Misfit {
                    key: format!("lengths[{at}]"),
                    why: format!("{length} is too long"),
                });
            }
        }
        Ok(vec![format!("measured in {:?}", evaluations.lengths)])
    }
}

/// The trials of a text, or the error without its folder.
pub(crate) fn expanded(text: &str) -> Result<(Expanded, SweepSpec), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sweep.toml");
    std::fs::write(&file, text).unwrap();
    read(&file)
}

/// The trials of a file, or the error without its folder.
pub(crate) fn read(file: &Path) -> Result<(Expanded, SweepSpec), String> {
    let read = || -> Result<_, ConfigError> {
        let mut layers = Layers::new();
        layers.file(file)?;
        let spec = SweepSpec::take(&mut layers)?;
        Ok((expand(&layers, &spec, &Toy)?, spec))
    };
    read().map_err(|error| {
        let folder = format!("{}/", file.parent().unwrap().display());
        error.to_string().replace(&folder, "")
    })
}

/// The labels of the trials, each with its seed.
pub(crate) fn labels(text: &str) -> Vec<String> {
    let (expanded, _) = expanded(text).unwrap();
    (expanded.trials.iter())
        .map(|(trial, _)| format!("{} s{}", trial.label, trial.seed))
        .collect()
}

/// A plan, and the texts of its configurations.
pub(crate) fn plan(text: &str) -> (Plan, Vec<String>) {
    let (expanded, spec) = expanded(text).unwrap();
    let mut plan = Plan::new("toy", vec!["sweep".into()], text.into());
    spec.fill(&mut plan);
    plan.keys = expanded.keys;
    plan.rungs = expanded.rungs;
    let (trials, configs) = expanded.trials.into_iter().unzip();
    plan.trials = trials;
    (plan, configs)
}

pub(crate) fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
