//! Training: one configuration in, a run folder out.
//!
//! - [`RunConfig`] is the whole configuration, read from TOML and checked.
//! - [`run()`] carries it out: steps, evaluations, checkpoints, metrics, and resuming.
//! - [`estimate()`] says what a configuration takes, and [`bench()`] measures it.
//! - [`Weights`] puts the weights of a checkpoint or an export into a model.

mod advice;
mod banner;
mod bench;
mod carried;
mod compare;
mod config;
mod diagnostics;
mod error;
mod estimate;
mod evaluate;
mod finish;
mod init;
mod kept;
mod learner;
mod loss_scale;
mod machine;
mod nonfinite;
mod norm;
mod parameters;
mod read;
mod request;
mod run;
mod samples;
mod schedule;
mod session;
mod snapshot;
mod start;
mod trackers;
mod verify;
mod weights;

pub use bench::{Bench, BenchRequest, Spread, bench};
pub use config::{
    CheckpointConfig, Control, EvalConfig, LogConfig, OnNonfinite, OptimConfig, Reopened,
    RunConfig, StateRule, TrainConfig,
};
pub use error::{ChangedKey, TrainError};
pub use estimate::{Estimate, TrainMemory, estimate};
pub use evaluate::{Evaluate, Evaluated, Nonfinite, StartFrom, Sum};
pub use kept::{kept_config, kept_layers, kept_tokenizer, tokenizer_files};
pub use machine::{notes_here, unfit};
pub use request::{Outcome, Resume, RunRequest};
pub use run::{run, run_on};
pub use snapshot::tokenizer_fingerprint;
pub use weights::Weights;
