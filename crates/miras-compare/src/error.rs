//! What can go wrong in a comparison, said with the file, the fact and the next thing to do.

use std::path::{Path, PathBuf};

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

    /// A path that leads to no run and no sweep.
    #[error(
        "{path} is neither a run (a folder with config.toml) nor a sweep (a folder with \
         sweep.json){hint}"
    )]
    Neither {
        /// The path as it was given.
        path: PathBuf,
        /// What it may have been meant for, ready to be appended.
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

    /// A sweep could not be read.
    #[error(transparent)]
    Sweep(#[from] SweepError),

    /// A run folder, or a file, could not be read or written.
    #[error(transparent)]
    Run(#[from] RunError),

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
    /// A file that holds something else than it should.
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
