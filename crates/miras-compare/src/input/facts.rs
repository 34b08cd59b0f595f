//! What is said of a run in a word, or a few numbers.

use std::fmt;

use serde::Serialize;

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// To its last step.
    Finished,
    /// To its time limit.
    Time,
    /// It has not ended, or was killed.
    Unfinished,
    /// A signal stopped it.
    Interrupted,
    /// NaN or infinity stopped it.
    Nonfinite,
    /// An error stopped it.
    Failed,
    /// It never started.
    Planned,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Time => "time",
            Self::Unfinished => "unfinished",
            Self::Interrupted => "interrupted",
            Self::Nonfinite => "nonfinite",
            Self::Failed => "failed",
            Self::Planned => "planned",
        })
    }
}
