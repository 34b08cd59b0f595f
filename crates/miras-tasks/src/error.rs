//! Why a file of questions cannot be used.

use std::error::Error;
use std::path::PathBuf;

use miras_data::DataError;

/// Why a file of questions cannot be used. Messages are complete on their own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// There is no task of this name.
    #[error("there is no task `{name}`{}: there are {all}", did_you_mean(hint.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that it resembles.
        hint: Option<String>,
        /// All names.
        all: String,
    },
    /// The file cannot be read.
    #[error("{}", with_cause(.0))]
    // Not by `source`: the error is the message.
    Read(DataError),
    /// A line of the file is not what it should be.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Options that make no sense for the task.
    #[error("{0}")]
    Usage(String),
    /// What is read cannot be spelled in tokens.
    #[error("{0}")]
    // Not by `source`: the error is the message.
    Data(DataError),
    /// The file has no record.
    #[error("{} has no record: give a file with one JSON object on each line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl From<DataError> for TaskError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

fn with_cause(error: &DataError) -> String {
    let cause = error.source();
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn did_you_mean(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!(" (did you mean `{hint}`?)"))
}
