//! The files of a checkpoint.
//!
//! | file | content |
//! |---|---|
//! | `model.safetensors` | weights under their plain names |
//! | `optimizer.bpk` | moments of the optimiser by parameter number (burnpack) |
//! | `memory.safetensors` | the memories of all rows, where `train.state = "carry"` keeps them; absent before the first step and right after a skipped one |
//! | `state.json` | [`State`] |
//!
//! The data's position, the schedule and every random number follow from the step and the
//! seed. Equal runs give equal files, apart from the seconds in `state.json`.

use std::error::Error;
use std::fs;
use std::path::Path;

use burn::optim::ModuleOptimizer;
use burn::store::burn_pack::{Reader, Writer};
use burn::tensor::Bytes;
use miras_run::Best;
use miras_spec::{STATE_FILE, SpecError, Weights};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::learner::Learner;
use crate::loss_scale::LossScale;

const OPTIMIZER: &str = "optimizer.bpk";
const MEMORY: &str = "memory.safetensors";

/// What a run carries from step to step beside weights and optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Optimiser steps done, skipped ones included.
    pub(crate) step: u64,
    /// Tokens trained on.
    pub(crate) tokens: u64,
    /// Steps skipped so far because something was not finite.
    pub(crate) skipped: u64,
    /// Steps skipped since the last one that was not.
    pub(crate) skipped_in_a_row: u64,
    /// The best evaluation so far.
    pub(crate) best: Option<Best>,
    /// Seconds of training, all starts together.
    pub(crate) seconds: f64,
    /// Fingerprints of the data.
    pub(crate) data: String,
    /// What the loss of the next step is multiplied with, in float16 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScale>,
}

type Failure = Box<dyn Error + Send + Sync>;

/// Writes the files of a checkpoint into an empty folder.
pub(crate) fn save(folder: &Path, learner: &Learner, state: &State) -> Result<(), Failure> {
    fs::write(
        folder.join(Weights::FILE),
        Weights::bytes_of(&learner.inference_model())?,
    )?;
    fs::write(folder.join(OPTIMIZER), optimizer_bytes(&learner.optimizer)?)?;
    if let Some(carried) = &learner.carried
        && let Some(bytes) = carried.to_bytes()?
    {
        fs::write(folder.join(MEMORY), bytes)?;
    }
    let state = State {
        loss_scale: learner.loss_scale,
        ..state.clone()
    };
    let mut json = serde_json::to_vec_pretty(&state)?;
    json.push(b'\n');
    fs::write(folder.join(STATE_FILE), json)?;
    Ok(())
}

/// Reads the state that [`save`] wrote.
pub(crate) fn state(folder: &Path) -> Result<State, TrainError> {
    let path = folder.join(STATE_FILE);
    let json = fs::read(&path).map_err(SpecError::load(&path))?;
    Ok(serde_json::from_slice(&json).map_err(SpecError::load(&path))?)
}

/// Reads what [`save`] wrote.
pub(crate) fn load(folder: &Path, mut learner: Learner) -> Result<(Learner, State), TrainError> {
    let state = state(folder)?;
    learner.model = Weights::read(folder)?.into_model(learner.model)?;

    let path = folder.join(OPTIMIZER);
    let bytes = fs::read(&path).map_err(SpecError::load(&path))?;
    let bytes = Bytes::from_bytes_vec(bytes);
    learner.optimizer = (learner.optimizer.from_bytes(bytes)).map_err(SpecError::load(&path))?;

    // A checkpoint of another precision, or of an earlier version, has none.
    if let (Some(now), Some(stored)) = (&mut learner.loss_scale, state.loss_scale) {
        *now = stored;
    }

    let path = folder.join(MEMORY);
    if let Some(carried) = &mut learner.carried
        && path.exists()
    {
        let bytes = fs::read(&path).map_err(SpecError::load(&path))?;
        (carried.load(&bytes, &learner.model)).map_err(SpecError::load(&path))?;
    }
    Ok((learner, state))
}

/// The optimiser's record, its tensors in the order of their names: burn leaves them in the
/// random order of a hash map.
fn optimizer_bytes(optimizer: &ModuleOptimizer) -> Result<Vec<u8>, Failure> {
    let reader = Reader::from_bytes(optimizer.into_bytes()?)?;
    let scalars = reader.scalars().clone();
    let metadata = reader.metadata().clone();
    let mut writer = Writer::new(reader.into_tensors()?);
    for (name, value) in scalars {
        writer = writer.with_scalar(&name, value);
    }
    for (name, text) in metadata {
        writer = writer.with_metadata(&name, &text);
    }
    Ok(writer.into_bytes()?.to_vec())
}
