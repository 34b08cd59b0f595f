use std::{io, path::PathBuf};

use miras_run::RunError;

/// A failure of a sweep as a whole; failures of trials are recorded in the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The folder of a new sweep exists already.
    #[error("{} exists already: go on with `--resume`, or choose another `--name`", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is not a sweep.
    #[error("{} is no sweep: it has no sweep.json; make one with `miras-train sweep FILE`", path.display())]
    NoSweep {
        /// The folder.
        path: PathBuf,
    },
    /// The plan is not what it should be.
    #[error(
        "{} is damaged or was changed: {why}; restore it, or remove it and start the sweep again with \
         its file: what is done stays done",
        path.display()
    )]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration of a trial is not the one that was planned.
    #[error(
        "{}, the configuration of trial `{name}`, {why}: `sweep FILE --resume`, with the file of the \
         sweep, writes it again. The sweep was started by `{command}`; other trials are described in \
         its file",
        path.display()
    )]
    Trial {
        /// The file.
        path: PathBuf,
        /// The trial.
        name: String,
        /// What is wrong with it.
        why: String,
        /// The command line that started the sweep.
        command: String,
    },
    /// A file is damaged.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A line of the ledger is not a valid event.
    #[error(
        "{}:{line}: this line is damaged: {why}; restore the file, or remove the line, and what it \
         says is forgotten: a trial that was done is then trained again",
        path.display()
    )]
    DamagedLine {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The file of a sweep that is continued describes other trials.
    #[error(
        "the sweep in {} has {missing} of {all} trials that this file and its `--set` do not describe, \
         the first is `{first}`: more may be added, none changed. It was started by `{command}`; \
         `worker` goes on with it as it is, and `--name` starts another",
        path.display()
    )]
    Changed {
        /// The folder.
        path: PathBuf,
        /// Trials that would be lost.
        missing: usize,
        /// All trials of the sweep.
        all: usize,
        /// One of them.
        first: String,
        /// The command line that started it.
        command: String,
    },
    /// A key that ranks the results so far has changed.
    #[error(
        "the sweep in {} was begun with another `{key}`, by which its results so far are ranked: \
         start another with `--name`",
        path.display()
    )]
    ChangedKey {
        /// The folder.
        path: PathBuf,
        /// The key.
        key: &'static str,
    },
    /// A process could not be started.
    #[error("cannot start `{program}`: {cause}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A run folder, or a file that cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl SweepError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Exists { .. }
                | Self::NoSweep { .. }
                | Self::Changed { .. }
                | Self::ChangedKey { .. }
        )
    }
}
