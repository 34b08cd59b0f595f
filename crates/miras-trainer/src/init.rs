//! `train.init_from`: a run that starts with the weights of another.

use std::path::Path;

use burn::tensor::Device;
use miras_config::{ConfigError, Tree};
use miras_model::LanguageModel;
use miras_run::{Export, Vouched, vouched_config};

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
        let (weights, _) = read(path)?;
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

/// The weights that a run begins with.
pub(crate) struct Init {
    pub(crate) learner: Learner,
    /// SHA-256 of the file that they are from, if they are from one.
    pub(crate) sha256: Option<String>,
    /// What the user should know.
    pub(crate) note: Option<String>,
}

/// A learner at step 0 with the weights that the configuration names, if it names some.
pub(crate) fn start(config: &RunConfig, mut learner: Learner) -> Result<Init, TrainError> {
    let Some(path) = &config.train.init_from else {
        return Ok(Init {
            learner,
            sha256: None,
            note: None,
        });
    };
    let (weights, vouched) = read(path)?;
    let note = match vouched {
        Vouched::Yes => None,
        Vouched::Unknown => Some(format!(
            "there is no checksum beside {}, so its weights are not verified",
            weights.path().display()
        )),
    };
    let sha256 = Some(weights.sha256());
    learner.model = weights.into_model(learner.model)?;
    Ok(Init {
        learner,
        sha256,
        note,
    })
}

/// Weights, compared with what vouches for them; those of an export with its configuration, which
/// says what they are.
fn read(path: &str) -> Result<(Weights, Vouched), TrainError> {
    let weights = Weights::read(Path::new(path))?;
    let vouched = weights.verify()?;
    if let Some(folder) = weights.path().parent()
        && Export::read(folder)?.is_some()
    {
        vouched_config(folder)?;
    }
    Ok((weights, vouched))
}

/// Refuses weights that are not those that a run began with, as far as it knows.
pub(crate) fn refuse_others(config: &RunConfig, known: Option<&str>) -> Result<(), TrainError> {
    let (Some(path), Some(known)) = (&config.train.init_from, known) else {
        return Ok(());
    };
    let weights = Weights::read(Path::new(path))?;
    let found = weights.sha256();
    if found == known {
        return Ok(());
    }
    Err(TrainError::Weights {
        path: weights.path().to_owned(),
        cause: format!(
            "the run began with others: its SHA-256 is {found}, and theirs was {known}; restore the file, or start a new run"
        ),
    })
}

fn blank(config: &RunConfig, vocab: usize, device: &Device) -> LanguageModel {
    LanguageModel::new(&config.model, vocab, config.train.seed, device)
}
