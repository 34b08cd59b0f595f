use std::{io, path::Path};

use miras_run::RunError;

/// A failure of a sweep as a whole; failures of trials are recorded in the ledger.
///
/// Messages are complete on their own, with the path and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The command line does not go with the folder that it names.
    #[error("{0}")]
    Usage(String),
    /// A file of the sweep is damaged or was changed.
    #[error("{0}")]
    Damaged(String),
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
    /// For `map_err`: a file that is not what a sweep writes.
    pub(crate) fn damaged<E: ToString>(path: &Path) -> impl Fn(E) -> Self {
        move |why| {
            Self::Damaged(format!(
                "{} is damaged: {}",
                path.display(),
                why.to_string()
            ))
        }
    }
}
