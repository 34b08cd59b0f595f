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
    /// There was nothing to compare.
    #[error("nothing to compare: name run folders or sweep folders")]
    NoPaths,

    /// A path that is neither a run nor a sweep.
    #[error(
        "{path} is neither a run (a folder with config.toml) nor a sweep (a folder with \
         sweep.json){hint}"
    )]
    Neither {
        /// The path as it was given.
        path: PathBuf,
        /// A suggestion, ready to be appended.
        hint: String,
    },

    /// Two sweeps were made for different metrics, and none was asked for.
    #[error(
        "{path} is a sweep for {second}, the one before it for {first}: say which metric to \
         compare by, as in `--metric {first}`"
    )]
    TwoMetrics {
        /// The second sweep.
        path: PathBuf,
        /// The metric of the sweep before it.
        first: String,
        /// Its own metric.
        second: String,
    },

    /// No run has the metric.
    #[error("no run has the metric `{metric}`{hint}")]
    NoMetric {
        /// The metric.
        metric: String,
        /// The metrics that there are, ready to be appended.
        hint: String,
    },

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
        Self::Damaged {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// For `map_err`: what could not be made.
    pub(crate) fn render<E: ToString>(name: &str) -> impl FnOnce(E) -> Self {
        let name = name.to_owned();
        move |why| Self::Render {
            name,
            why: why.to_string(),
        }
    }
}
