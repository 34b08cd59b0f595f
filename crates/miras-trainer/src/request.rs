//! What is asked of a run, and what comes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use miras_log::{Console, ProgressMode};
use miras_run::{SourceTree, Status, shell_word};

/// How a run is to be carried out, beside its configuration.
pub struct RunRequest {
    /// The folder that holds the folders of runs, usually `runs`.
    pub runs: PathBuf,
    /// The run's name (`--name`). Without one a new run takes the first of `stem`, `stem-2`, …
    /// that is free, and a resume takes `stem`.
    pub name: Option<String>,
    /// What a name is derived from, usually the config file's name without `.toml`.
    pub stem: String,
    /// Continue an existing run.
    pub resume: Option<Resume>,
    /// Takes the place of `train.device` (`--device`).
    pub device: Option<String>,
    /// How progress is shown.
    pub progress: ProgressMode,
    /// Where messages and progress go.
    pub console: Console,
    /// Set by a signal handler: the run finishes its step, saves and ends.
    pub stop: Arc<AtomicBool>,
    /// The command line up to the config and its `--set`s, such as
    /// `miras-train run configs/x.toml`, quoted for a shell; `--name N --resume` is added for
    /// messages.
    pub resume_command: String,
    /// The source tree that the program was built from, for `run.json`.
    pub built_from: Option<SourceTree>,
}

impl RunRequest {
    /// A new run in a folder of `runs` that is named after `stem`, on the configured device,
    /// with progress and messages on the error stream.
    ///
    /// Messages say how to go on with `--name N --resume`; a program that does not take these
    /// words sets its own [`resume_command`](Self::resume_command).
    pub fn new(runs: impl Into<PathBuf>, stem: impl Into<String>) -> Self {
        let program = std::env::args().next().unwrap_or_default();
        Self {
            runs: runs.into(),
            name: None,
            stem: stem.into(),
            resume: None,
            device: None,
            progress: ProgressMode::default(),
            console: Console::stderr(),
            stop: Arc::default(),
            resume_command: shell_word(&program),
            built_from: None,
        }
    }
}

/// Where to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// At the newest valid checkpoint; later ones that are damaged are passed over.
    Latest,
    /// At the checkpoint of this step; later ones are removed.
    Step(u64),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended: `Finished`, `Interrupted`, `Nonfinite` or `Time`; failures are errors.
    pub status: Status,
    /// The run's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Optimiser steps done.
    pub step: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// The step of the newest checkpoint; none if nothing could be saved.
    pub checkpoint: Option<u64>,
    /// The last `eval/loss`, in nats a scored token; none if it was never evaluated.
    pub eval_loss: Option<f64>,
    /// What there is to say: where something turned non-finite, or how to go on. The console
    /// has it already, unless progress is quiet.
    pub message: Option<String>,
    /// What to try if something turned non-finite; shown where the message is.
    pub help: Option<String>,
}
