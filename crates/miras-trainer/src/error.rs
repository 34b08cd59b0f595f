//! Why a run cannot be carried out.

use std::path::PathBuf;

use miras_config::ConfigError;
use miras_data::DataError;
use miras_device::{DeviceError, gib};
use miras_log::LogError;
use miras_run::RunError;

use crate::compare::FREE;

/// Why a run cannot be carried out. Messages are complete on their own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data cannot be opened or read.
    #[error("{}{}", at_key(.0), with_cause(.0))]
    Data(DataError),
    /// There is no such device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The run folder refuses.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The device cannot be read from.
    #[error("the device failed: {0}")]
    Compute(String),
    /// The device has no such number type.
    #[error(
        "train.precision = \"{precision}\": the device `{device}` does not compute in it; it has {has}: use --set train.precision=f32, or another device"
    )]
    Precision {
        /// As it is written.
        precision: &'static str,
        /// The device.
        device: String,
        /// What it computes in.
        has: String,
    },
    /// A switch of something that is not there.
    #[error(
        "train.fusion = false: this program is built without the feature `fusion`, so nothing is fused: leave it out, or use --set train.fusion=true for a run that was begun with it"
    )]
    NoFusion,
    /// The CPU would be compared with itself.
    #[error(
        "train.verify_device compares a device with the CPU, and `{device}` is the CPU: use --set train.verify_device=0, or another device"
    )]
    VerifiesItself {
        /// The device.
        device: String,
    },
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
    /// The held-out rows ask for nothing.
    #[error(
        "the evaluation scored no token: {rows} rows of {name} were read, and none has a target that counts; use other data"
    )]
    Unscored {
        /// How many rows were read.
        rows: u64,
        /// The data.
        name: String,
    },
    /// No memory of this machine holds the model.
    #[error(
        "this model has {parameters} parameters, and training it takes {:.1} GiB or more, beyond the \
         {:.1} GiB of memory and swap of this machine: use a smaller model.dim, model.layers, \
         model.ffn_dim, train.batch or data.seq_len",
        gib(*bytes),
        gib(*has)
    )]
    TooLarge {
        /// How many parameters it has.
        parameters: usize,
        /// What they take, with gradients and optimiser where it has them.
        bytes: u64,
        /// Memory and swap of the machine.
        has: u64,
    },
    /// Metrics cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The stored configuration of a run that is to be continued cannot be read.
    #[error("the stored configuration cannot be used any more\n{0}")]
    Stored(ConfigError),
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
    /// Weights that cannot be put into the model.
    #[error("cannot use the weights in {}: {cause}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A file of a checkpoint is not what this program expects.
    #[error("cannot load {}: {cause}; resume from another step with `--resume=STEP`", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
}

/// A key whose value differs from the stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Dotted path.
    pub key: String,
    /// The stored value as TOML; none if it was not there.
    pub stored: Option<String>,
    /// The value now as TOML; none if it is not there.
    pub now: Option<String>,
}

impl From<DataError> for TrainError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

fn at_key(error: &DataError) -> String {
    match error.field() {
        // Its message begins with its field.
        Some(_) if matches!(error, DataError::Config { .. }) => format!("[data] {error}"),
        Some(field) => {
            let text = error.to_string();
            let rest = text.strip_prefix(&format!("{field}: ")).unwrap_or(&text);
            format!("data.{field}: {rest}")
        }
        None => format!("[data] {error}"),
    }
}

fn with_cause(error: &DataError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
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
