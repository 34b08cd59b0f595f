//! What memories do with the tokens that they read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What memories do with the tokens that they read, in training (`train.memory`) and where a trained
/// run is used (`--memory`).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// They learn.
    #[default]
    Live,
    /// They are read as they stood at the start of a row: no write, no decay.
    Frozen,
    /// They start again every `algorithm.chunk` tokens.
    Reset,
    /// They learn over the first half of a row, and are frozen in the second.
    Half,
    /// What they give is 0.
    Unread,
}

impl Memory {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Live,
        Self::Frozen,
        Self::Reset,
        Self::Half,
        Self::Unread,
    ];

    /// Its name in configurations, on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Frozen => "frozen",
            Self::Reset => "reset",
            Self::Half => "half",
            Self::Unread => "unread",
        }
    }

    /// That of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether a text can go on from a state with it: the others depend on where a row begins and
    /// ends.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Live | Self::Frozen | Self::Unread)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
