//! `train.init_from`: a run that starts with the weights of another.

use std::path::Path;

use miras_run::Vouched;
use miras_spec::{RunConfig, SpecError, Weights, initial_weights};

use crate::TrainError;
use crate::learner::Learner;

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
    let (weights, vouched) = initial_weights(path)?;
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
    Err(TrainError::Spec(SpecError::Weights {
        path: weights.path().to_owned(),
        cause: format!(
            "the run began with others: its SHA-256 is {found}, and theirs was {known}; restore the file, or start a new run"
        ),
    }))
}
