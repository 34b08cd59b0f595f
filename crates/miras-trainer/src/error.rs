//! Why a run cannot be carried out.

use miras_data::DataError;
use miras_device::DeviceError;
use miras_log::LogError;
use miras_run::RunError;
use miras_spec::SpecError;

use crate::compare::{ChangedKey, FREE};

/// Why a run cannot be carried out. Messages are complete on their own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The run cannot be read or measured, or not be taken on by this machine.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The device computes something else than the CPU.
    #[error(
        "step {step}: the device `{device}` and the CPU disagree: {gap}; nothing of this step was kept; try train.fusion = false, a build without the features `fusion` and `autotune`, or another device"
    )]
    Disagrees {
        /// The step that was compared.
        step: u64,
        /// The device.
        device: String,
        /// What differs.
        gap: String,
    },
    /// A parameter of a model that was extended, and not in full.
    #[error(
        "the parameter `{name}` is in no group, so nothing says whether weight decay acts on it: its module has to name it in `groups` (miras-model)"
    )]
    NoGroup {
        /// As in `model.safetensors`.
        name: String,
    },
    /// Metrics cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The configuration differs from that of the run that is to be continued.
    #[error("{}", changed(.name, .keys))]
    Changed {
        /// The run.
        name: String,
        /// Each key that differs.
        keys: Vec<ChangedKey>,
    },
    /// The run is further than it is asked to go.
    #[error(
        "train.steps = {steps}, but run `{name}` has done {done}; ask for more than that, or go back with `--resume=STEP`"
    )]
    Beyond {
        /// The run.
        name: String,
        /// The step of the checkpoint it would go on from.
        done: u64,
        /// The steps asked for.
        steps: u64,
    },
    /// The data is not what the run was started with.
    #[error(
        "the data of run `{name}` changed: it was {stored}, now it is {now}; restore it, or start a new run"
    )]
    OtherData {
        /// The run.
        name: String,
        /// Fingerprint at the checkpoint.
        stored: String,
        /// Fingerprint now.
        now: String,
    },
    /// The tokenizer is not what the run was started with.
    #[error(
        "data.tokenizer: the tokenizer of run `{name}` changed, and its model knows the tokens of the old one alone: it was {stored}, now it is {now}; restore the file, or start a new run"
    )]
    OtherTokenizer {
        /// The run.
        name: String,
        /// Fingerprints at the checkpoint.
        stored: String,
        /// Fingerprints now.
        now: String,
    },
    /// Relative paths start nowhere.
    #[error("cannot tell the working directory, from which paths start: {0}")]
    NoFolder(std::io::Error),
}

impl From<DataError> for TrainError {
    fn from(error: DataError) -> Self {
        Self::Spec(error.into())
    }
}

impl From<DeviceError> for TrainError {
    fn from(error: DeviceError) -> Self {
        Self::Spec(error.into())
    }
}

impl From<RunError> for TrainError {
    fn from(error: RunError) -> Self {
        Self::Spec(error.into())
    }
}

fn changed(name: &str, keys: &[ChangedKey]) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let lines = keys.iter().map(|changed| {
        let (stored, now) = (value(&changed.stored), value(&changed.now));
        format!("\n  {}: stored {stored}, now {now}", changed.key)
    });
    format!(
        "run `{name}` cannot be continued with another configuration:{}\n\
         only {} may change, and paths that lead to the same content; start a new run for the rest, \
         or leave CONFIG and --set out to go on as stored",
        lines.collect::<String>(),
        FREE.join(", ")
    )
}
