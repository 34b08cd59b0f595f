//! What can go wrong in a comparison: each message names the file, the fact and the next thing to
//! do.

use std::path::{Path, PathBuf};

use miras_log::LogError;
use miras_run::RunError;
use miras_sweep::SweepError;

/// A comparison that could not be made or written.
///
/// Messages are complete on their own, causes included.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// What was asked for is not there, or can be understood in several ways.
    #[error("{0}")]
    Usage(String),

    /// A file is not what a run or a sweep writes.
    #[error("cannot understand {path}: {why}; restore it, or leave this run or sweep out")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where that is known.
        why: String,
    },

    /// A sweep folder could not be read.
    #[error(transparent)]
    Sweep(#[from] SweepError),

    /// A run folder could not be read, or a file could not be written.
    #[error(transparent)]
    Run(#[from] RunError),

    /// The metrics of a run could not be read.
    #[error(transparent)]
    Log(#[from] LogError),

    /// A plot or a table could not be made.
    #[error("cannot make {name}: {why}; please report this, with the run folders if you can")]
    Render {
        /// The file that was to be made.
        name: String,
        /// What the library says.
        why: String,
    },
}

impl CompareError {
    /// A file with unexpected content.
    pub(crate) fn damaged(path: &Path, why: impl ToString) -> Self {
        let (path, why) = (path.to_owned(), why.to_string());
        Self::Damaged { path, why }
    }

    /// For `map_err`: what could not be made.
    pub(crate) fn render<E: ToString>(name: impl Into<String>) -> impl FnOnce(E) -> Self {
        let name = name.into();
        move |why| Self::Render {
            name,
            why: why.to_string(),
        }
    }
}
