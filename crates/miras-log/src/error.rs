//! The error type of this crate.

use std::path::PathBuf;

use miras_run::RunError;

/// What can go wrong when a log is written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] RunError),
    /// A complete line is damaged.
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
    /// A checksum is wrong, or a message cannot be decoded.
    #[error("`{}` is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
}
