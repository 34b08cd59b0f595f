//! What is said of a run in a word, or a few numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// What a model takes, as `run.json` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub struct Cost {
    /// Trained numbers.
    pub parameters: u64,
    /// Those of them that are the memory's own.
    pub memory_parameters: u64,
    /// Numbers that the memory changes while it reads.
    pub fast_weights: u64,
    /// Bytes of state between two tokens.
    pub state_bytes: u64,
    /// Bytes by which the state grows with each token.
    pub state_bytes_per_token: u64,
    /// Floating-point operations of one token, forward and backward.
    pub flops_per_token: f64,
}
