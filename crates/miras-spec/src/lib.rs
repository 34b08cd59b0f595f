//! What a run is, without training it: its configuration, its stored weights, how a model is
//! measured.
//!
//! - [`RunConfig`] is the whole configuration, read from TOML and checked; its [`Task`] is what
//!   the model is trained for.
//! - [`stored_config`], [`with_stored_tokenizer`] and [`tokenizer_fingerprint`] read what the
//!   folder of a run holds; [`Weights`] puts the weights of a checkpoint or an export into a model.
//! - [`Evaluate`] measures a model on held-out rows, in training and afterwards.
//! - [`estimate()`] says what a configuration takes, and [`unfit`] whether this machine has it.
//!
//! The crate knows neither the optimiser nor the step loop, so a program that serves a model does
//! not link them.

mod config;
mod error;
mod estimate;
mod evaluate;
mod fingerprints;
mod init_from;
mod machine;
mod memory;
mod open;
pub mod read;
mod stored_config;
mod stored_tokenizer;
mod task;
mod weights;

pub use config::{
    CheckpointConfig, Control, EvalConfig, LogConfig, OnNonfinite, OptimConfig, RunConfig,
    StateRule, TrainConfig, learning_rate,
};
pub use error::SpecError;
pub use estimate::{Estimate, TrainMemory, estimate};
pub use evaluate::{Evaluate, Evaluated, Nonfinite, StartFrom, Sum};
pub use fingerprints::{STATE_FILE, fingerprints, split_tokenizer, tokenizer_fingerprint};
pub use init_from::initial_weights;
pub use machine::{check_memory, check_verify, notes_here, open_device, require_memory, unfit};
pub use memory::memory_pass;
pub use miras_model::{Ends, MixerSpec};
pub use open::Reopened;
pub use stored_config::{stored_config, stored_layers};
pub use stored_tokenizer::{stored_tokenizer, tokenizer_files, with_stored_tokenizer};
pub use task::{Classes, Count, Details, Scored, TASKS, Task, TaskConfig, TaskEntry, TrainingLoss};
pub use weights::Weights;
