//! `train.init_from`: whether the weights that a run would begin with fit its model.

use std::path::Path;

use burn::tensor::Device;
use miras_config::{ConfigError, Tree};
use miras_model::{Ends, LanguageModel};
use miras_run::{Export, Vouched, vouched_config};

use crate::estimate::estimate;
use crate::machine::require_memory;
use crate::{RunConfig, SpecError, Weights};

/// Refuses, at its key, a file that does not fit the model.
pub(crate) fn check(tree: &Tree, config: &RunConfig, ends: Ends) -> Result<(), ConfigError> {
    let Some(path) = &config.train.init_from else {
        return Ok(());
    };
    let fits = || {
        let (weights, _) = initial_weights(path)?;
        let device = miras_device::open("cpu")?;
        require_memory(config, ends, &device, estimate(config, ends).train.weights)?;
        weights.fits(&blank(config, ends, &device))
    };
    fits().map_err(|error: SpecError| {
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

/// The weights of `train.init_from`, compared with what vouches for them; those of an export with
/// its configuration, which says what they are.
pub fn initial_weights(path: &str) -> Result<(Weights, Vouched), SpecError> {
    let weights = Weights::read(Path::new(path))?;
    let vouched = weights.verify()?;
    if let Some(folder) = weights.path().parent()
        && Export::read(folder)?.is_some()
    {
        vouched_config(folder)?;
    }
    Ok((weights, vouched))
}

fn blank(config: &RunConfig, ends: Ends, device: &Device) -> LanguageModel {
    LanguageModel::new(&config.model, ends, config.train.seed, device)
}
