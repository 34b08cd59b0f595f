use std::{io, path::PathBuf};

use miras_run::RunError;

/// A failure of a sweep as a whole; a trial that fails is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A new sweep was asked for, but its folder is there.
    #[error("{} exists already: go on with `--resume`, or choose another `--name`", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is no sweep.
    #[error("{} is no sweep: it has no sweep.json; make one with `miras-train sweep FILE`", path.display())]
    NoSweep {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A line of the ledger is no event.
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
    /// The file of a sweep that goes on describes other trials.
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
        /// Trials that there are.
        all: usize,
        /// One of them.
        first: String,
        /// The command line that started it.
        command: String,
    },
    /// What the results so far were measured by has changed.
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
    /// Whether another command line is what helps.
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
