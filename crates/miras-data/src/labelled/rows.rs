//! Labelled sequences as training and evaluation read them.

use std::ops::Range;

use miras_random::Stream;

use crate::{Batch, DataError, Dataset, Description};

/// A sequence and the number of its class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) tokens: Vec<i32>,
    pub(super) class: usize,
}

/// Both parts, with what they are of.
pub(super) struct Sequences {
    pub(super) train: Vec<Row>,
    pub(super) valid: Vec<Row>,
    pub(super) labels: Vec<String>,
    pub(super) vocab: usize,
    pub(super) seq_len: usize,
    pub(super) seed: u64,
    pub(super) description: Description,
}

impl Sequences {
    fn batch<'a>(&self, rows: impl ExactSizeIterator<Item = &'a Row>) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.seq_len)?;
        for (at, row) in rows.enumerate() {
            let (first, len) = (at * self.seq_len, row.tokens.len());
            batch.inputs[first..first + len].copy_from_slice(&row.tokens);
            batch.targets[first + len - 1] = row.class as i32;
            batch.weights[first + len - 1] = 1.0;
        }
        Ok(batch)
    }
}

impl Dataset for Sequences {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        self.batch(rows.map(|row| {
            let mut stream = Stream::new(self.seed, "train", &[step, row as u64]);
            &self.train[stream.index(self.train.len())]
        }))
    }

    /// A row is `seq_len` tokens, padding included.
    fn eval_tokens(&self) -> Option<u64> {
        Some((self.valid.len() * self.seq_len) as u64)
    }

    /// The rows in which these tokens are.
    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let tokens = (self.valid.len() * self.seq_len) as u64;
        if let Some(&start) = starts.iter().find(|&&start| start >= tokens) {
            return Err(DataError::EvalStart { start, tokens });
        }
        let row = |&start: &u64| &self.valid[(start / self.seq_len as u64) as usize];
        self.batch(starts.iter().map(row))
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }
}
