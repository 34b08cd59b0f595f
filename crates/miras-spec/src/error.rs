//! Why a run cannot be read, measured or taken on by this machine.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use miras_config::ConfigError;
use miras_data::DataError;
use miras_device::{DeviceError, gib};
use miras_run::RunError;

/// Why a run cannot be read, measured or taken on by this machine. Messages are complete on their
/// own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
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
        /// Its name in the configuration.
        precision: &'static str,
        /// The device.
        device: String,
        /// What it computes in.
        has: String,
    },
    /// `train.fusion` is switched off in a build that fuses nothing.
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
    /// The model does not fit into the memory of this machine.
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
    /// No target of the held-out rows counts.
    #[error(
        "the evaluation scored no token: {rows} rows of {name} were read, and none has a target that counts; use other data"
    )]
    Unscored {
        /// How many rows were read.
        rows: u64,
        /// The data.
        name: String,
    },
    /// The stored configuration of a run that is to be continued cannot be read.
    #[error("the stored configuration cannot be used any more\n{0}")]
    Stored(ConfigError),
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

// Not by `#[from]`: the error is part of the message already, and would be printed twice.
impl From<DataError> for SpecError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl SpecError {
    /// A file of a checkpoint that is not what this program expects.
    pub fn load<E: Display>(path: &Path) -> impl Fn(E) -> Self {
        move |cause| Self::Load {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
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
