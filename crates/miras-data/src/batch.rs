//! Rows of tokens, with what is right at each and how much it counts.

use crate::DataError;

/// The most tokens of a batch.
const MAX_TOKENS: usize = 1 << 28;

/// Rows of equal length, row-major `[rows, len]`; of a series, targets and weights are
/// `[rows, horizon]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// What the model reads.
    pub inputs: Vec<i32>,
    /// The right answer at each position.
    pub targets: Vec<i32>,
    /// How much each position counts in the loss; 0 = not scored.
    pub weights: Vec<f32>,
    /// Bytes of text that the scored targets stand for; 0 where targets are not text.
    pub bytes: u64,
    /// Number of rows.
    pub rows: usize,
    /// Tokens in a row.
    pub len: usize,
    /// The numbers of a series. With them `inputs` is empty, and `targets` are all 0.
    pub series: Option<SeriesRows>,
}

/// Windows of a series, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRows {
    /// What the model reads: the values of each token after the other, `[rows, len, patch]`.
    pub read: Vec<f32>,
    /// What comes after it: `[rows, horizon]`.
    pub next: Vec<f32>,
}

impl Batch {
    /// A batch of zeros in which nothing is scored.
    pub(crate) fn blank(rows: usize, len: usize) -> Result<Self, DataError> {
        let tokens = rows
            .checked_mul(len)
            .filter(|&tokens| (1..=MAX_TOKENS).contains(&tokens))
            .ok_or(DataError::BatchSize {
                rows,
                len,
                most: MAX_TOKENS / len.max(1),
            })?;
        Ok(Self {
            inputs: vec![0; tokens],
            targets: vec![0; tokens],
            weights: vec![0.0; tokens],
            bytes: 0,
            rows,
            len,
            series: None,
        })
    }

    /// Rows of a series of `len` tokens each, in which each value that comes is a target of weight 1.
    ///
    /// # Errors
    /// If there are no rows, or too many.
    pub fn of_series(rows: usize, len: usize, series: SeriesRows) -> Result<Self, DataError> {
        let blank = Self::blank(rows, len)?;
        let targets = series.next.len();
        Ok(Self {
            inputs: Vec::new(),
            targets: vec![0; targets],
            weights: vec![1.0; targets],
            series: Some(series),
            ..blank
        })
    }
}
