//! The one error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use miras_run::RunError;

use crate::events::event::Event;

/// What can go wrong when a log is written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// What was tried, as a verb: `write`, `read`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason. It is part of the message, therefore no `source`.
        cause: io::Error,
    },
    /// A file cannot be replaced as a whole.
    #[error(transparent)]
    Replace(#[from] RunError),
    /// A whole line is not what was written.
    #[error(
        "line {number} of `{}` is damaged: {cause}; restore the file, or delete this line", path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        number: usize,
        /// What the parser says.
        cause: String,
    },
    /// A checksum or a message does not fit.
    #[error("`{}` is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// The file stops inside its last record, as after a killed run.
    #[error(
        "`{}` stops inside the record at byte {offset} (a killed run?); the {} events before it are whole",
        path.display(),
        events.len()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the torn record begins.
        offset: u64,
        /// Everything before the torn record.
        events: Vec<Event>,
    },
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        Self::Io {
            action,
            path,
            cause,
        }
    }
}
