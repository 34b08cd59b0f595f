//! Rows of tokens, with what is right at each and how much it counts.

use crate::DataError;

/// The most tokens of a batch.
const MAX_TOKENS: usize = 1 << 28;

/// Rows of equal length, row-major `[rows, len]`.
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
        })
    }
}
