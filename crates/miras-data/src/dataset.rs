//! Data as training and evaluation read them.

use std::ops::Range;

use crate::{Baseline, Batch, DataError, Description};

/// A source of training and evaluation batches.
pub trait Dataset: Send + Sync {
    /// Number of token values; every token is below it.
    fn vocab(&self) -> usize;

    /// The rows `rows` of training step `step`, counted from 0.
    ///
    /// Each row is a pure function of the seed, the step and its own number in the step, so that
    /// a step reads the same rows however they are cut into micro-batches.
    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError>;

    /// Steps in which a stream of `rows` rows goes through the training part once.
    ///
    /// The part is cut into `rows` equal stretches, and each row reads its own stretch from start
    /// to end. Data without an order give an error.
    fn stream_steps(&self, rows: usize) -> Result<u64, DataError> {
        let _ = rows;
        Err(DataError::NoOrder)
    }

    /// The rows `rows`, out of `of`, of a stream at step `step`, counted from 0. Each continues
    /// where it stopped at the step before, and starts its stretch again at multiples of
    /// [`stream_steps`](Self::stream_steps).
    fn stream_batch(&self, step: u64, rows: Range<usize>, of: usize) -> Result<Batch, DataError> {
        let _ = (step, rows, of);
        Err(DataError::NoOrder)
    }

    /// Tokens of the held-out part that can be scored; `None` if its rows are generated without
    /// end.
    fn eval_tokens(&self) -> Option<u64>;

    /// The evaluation rows that start at these tokens of the held-out part. Each is a pure function
    /// of its start, so it does not depend on the other rows of the batch. Positions after the end
    /// of the data have weight 0. Of generated data, row `i` starts at `i` times the row length.
    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError>;

    /// The names of the classes, by their numbers; none where targets are no classes.
    fn labels(&self) -> &[String] {
        &[]
    }

    /// Bytes of text that a target stands for; 0 where targets are not text.
    fn bytes_of(&self, target: i32) -> u64 {
        let _ = target;
        0
    }

    /// What is reached without a model on the evaluation rows that start there; none where nothing is
    /// known of that.
    fn baselines(&self, starts: &[u64]) -> Vec<Baseline> {
        let _ = starts;
        Vec::new()
    }

    /// Name, size and fingerprint of the data.
    fn describe(&self) -> Description;
}
