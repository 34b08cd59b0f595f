//! `train.init_from`: a run that starts with the weights of another.

use std::path::Path;

use burn::tensor::Device;
use miras_config::{ConfigError, Tree};
use miras_model::LanguageModel;

use crate::estimate::estimate;
use crate::learner::Learner;
use crate::weights::Weights;
use crate::{RunConfig, TrainError, machine};

/// Refuses, at its key, a file that does not fit the model.
pub(crate) fn check(tree: &Tree, config: &RunConfig, vocab: usize) -> Result<(), ConfigError> {
    let Some(path) = &config.train.init_from else {
        return Ok(());
    };
    let fits = || {
        let weights = Weights::read(Path::new(path))?;
        let device = miras_device::open("cpu")?;
        machine::require(
            config,
            vocab,
            &device,
            estimate(config, vocab).train.weights,
        )?;
        weights.fits(&blank(config, vocab, &device))
    };
    fits().map_err(|error: TrainError| {
        let help = "init_from is a model.safetensors, or a folder with one: a checkpoint, or what \
                    `miras-train export` writes";
        let run = if Path::new(path).join("checkpoints").is_dir() {
            format!("; `{path}` is a run, whose weights `miras-train export` takes out")
        } else {
            String::new()
        };
        tree.error(
            "train.init_from",
            error.to_string(),
            Some(format!("{help}{run}")),
        )
    })
}

/// A learner at step 0 with the weights that the configuration names, if it names some.
pub(crate) fn start(config: &RunConfig, mut learner: Learner) -> Result<Learner, TrainError> {
    if let Some(path) = &config.train.init_from {
        learner.model = Weights::read(Path::new(path))?.into_model(learner.model)?;
    }
    Ok(learner)
}

fn blank(config: &RunConfig, vocab: usize, device: &Device) -> LanguageModel {
    LanguageModel::new(&config.model, vocab, config.train.seed, device)
}
