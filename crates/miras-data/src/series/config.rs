//! The settings of time series.

use serde::{Deserialize, Serialize};

use super::split::{Part, Split};
use crate::Paths;

/// A time series: the numbers of a CSV file, a row a moment, a column a channel.
///
/// The horizon, and how many values are a token, are the task's (`[task]`): a row of `seq_len` values
/// is `seq_len / patch` tokens.
///
/// The first line names the columns. A first column that is no number, or whose name is that of a
/// date, is left out. Each channel is forecast by itself, as in `PatchTST` and `DLinear`: a row of a
/// batch is a window of one channel.
///
/// # Values
/// Each channel is standardised with the mean and the deviation of its training part,
/// `(x − μ) / σ`, `σ² = Σ (x − μ)² / n`.
///
/// # Windows
/// `seq_len` values that are read and the `horizon` after them that are forecast. Windows of
/// validation and test may read values of the part before, so that every value of a part but for
/// its first `horizon − 1` is the last of some forecast. All windows count, those of the last
/// batch too.
///
/// # Reference
/// Zhou et al. 2021, Informer, <https://arxiv.org/abs/2012.07436>; Zeng et al. 2023, `DLinear`,
/// <https://arxiv.org/abs/2205.13504>; Nie et al. 2023, `PatchTST`, <https://arxiv.org/abs/2211.14730>.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SeriesConfig {
    /// The file.
    pub path: Paths,
    /// Values that are read before a forecast (1 to 16777216): the lookback.
    pub seq_len: usize,
    /// Names of the columns that are read; an empty list reads all but a date in front.
    pub columns: Vec<String>,
    /// Which rows are for training, validation and test.
    pub split: Split,
    /// The part that evaluations read: validation, or test.
    pub part: EvalPart,
    /// Values that are forecast; `task.horizon`.
    #[serde(skip)]
    pub horizon: usize,
    /// Values of a token; `task.patch`.
    #[serde(skip)]
    pub patch: usize,
}

/// A part that evaluations may read.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EvalPart {
    /// What comes after training.
    #[default]
    Valid,
    /// What comes after that.
    Test,
}

impl EvalPart {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Valid, Self::Test];

    /// As it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

impl From<EvalPart> for Part {
    fn from(part: EvalPart) -> Self {
        match part {
            EvalPart::Valid => Self::Valid,
            EvalPart::Test => Self::Test,
        }
    }
}

impl Default for SeriesConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            seq_len: 336,
            columns: Vec::new(),
            split: Split::default(),
            part: EvalPart::Valid,
            horizon: 96,
            patch: 16,
        }
    }
}
