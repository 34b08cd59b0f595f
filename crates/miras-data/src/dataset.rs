use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Batch, DataConfig, DataError, Description, builtin, mqar, text};

/// How scored targets are reported, always beside the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Tokens are text: the loss of all scored tokens over ln 2 and over the bytes of their text.
    BitsPerByte,
    /// Tokens are answers: the share of scored targets that the model ranks first.
    Accuracy,
}

/// A source of training and evaluation batches.
pub trait Dataset: Send + Sync {
    /// Number of token values; every token is below it.
    fn vocab(&self) -> usize;

    /// What a scored target is called in metrics.
    fn metric(&self) -> Metric;

    /// The rows `rows` of training step `step`, counted from 0.
    ///
    /// Each row is a pure function of the seed, the step and its own number in the step, so that
    /// a step reads the same rows however they are cut into micro-batches.
    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError>;

    /// Steps in which a stream of `rows` rows goes through the training part once.
    ///
    /// The part is cut into as many equal stretches, and each row follows its own from the
    /// beginning. An error for data without order.
    fn stream_steps(&self, rows: usize) -> Result<u64, DataError> {
        let _ = rows;
        Err(DataError::NoOrder)
    }

    /// What the rows `rows` of a stream of `of` rows read at step `step`, counted from 0: where
    /// they stopped at the step before, or, at multiples of [`stream_steps`](Self::stream_steps),
    /// the beginning of their stretches.
    fn stream_batch(&self, step: u64, rows: Range<usize>, of: usize) -> Result<Batch, DataError> {
        let _ = (step, rows, of);
        Err(DataError::NoOrder)
    }

    /// Tokens of the held-out part that can be scored; `None` if its rows are generated without
    /// end.
    fn eval_tokens(&self) -> Option<u64>;

    /// The evaluation rows that begin at these tokens of the held-out part, each a pure function
    /// of its beginning, so that it does not matter which rows are asked for together; what the
    /// data does not fill has weight 0. Generated rows follow one another: row `i` begins at `i`
    /// times the tokens of a row.
    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError>;

    /// Bytes of text that a target stands for; 0 where targets are no text.
    fn bytes_of(&self, target: i32) -> u64 {
        let _ = target;
        0
    }

    /// Name, size and fingerprint of the data.
    fn describe(&self) -> Description;
}

/// Opens the data and checks all that can be checked before training.
pub fn open(config: &DataConfig, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
    let problems = config.validate();
    if !problems.is_empty() {
        return Err(DataError::Config { problems });
    }
    Ok(match config {
        DataConfig::Builtin(config) => Box::new(builtin::open(config, seed)?),
        DataConfig::Text(config) => Box::new(text::open(config, seed, &text::cache_folders())?),
        DataConfig::Mqar(config) => Box::new(mqar::Mqar::new(config, seed)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amount, KINDS, Selection, TextConfig};

    /// Data of every kind, with rows of 16 tokens where a kind allows it.
    fn every_kind(folder: &std::path::Path) -> Vec<(Box<dyn Dataset>, usize)> {
        let file = folder.join("a.txt");
        let lines: String = (1..3000_u64)
            .map(|n| format!("{} ", n * n * 7919))
            .collect();
        std::fs::write(&file, lines).unwrap();
        let bpe = crate::tokenizer::testkit::path();
        let mut found = Vec::new();
        for kind in KINDS {
            let configs = match (kind.default)() {
                DataConfig::Text(_) => ["bytes", bpe.to_str().unwrap()]
                    .map(|tokenizer| {
                        DataConfig::Text(TextConfig {
                            path: [file.to_str().unwrap()].into(),
                            tokenizer: tokenizer.to_owned(),
                            seq_len: 16,
                            ..TextConfig::default()
                        })
                    })
                    .to_vec(),
                other => vec![other],
            };
            for config in configs {
                found.push((open(&config, 1).unwrap(), config.seq_len()));
            }
        }
        found
    }

    #[test]
    fn an_evaluation_reads_the_same_rows_for_every_size_of_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        for (data, len) in every_kind(folder.path()) {
            let amount = Amount::Tokens(35 * len as u64);
            let selection = Selection::new(amount, None, len, data.eval_tokens()).unwrap();
            let starts: Vec<u64> = selection.starts().collect();
            let read = |rows: usize| -> Vec<(Vec<i32>, Vec<i32>, Vec<u32>)> {
                let batches = starts
                    .chunks(rows)
                    .map(|starts| data.eval_rows(starts).unwrap());
                batches
                    .flat_map(|batch| {
                        let rows = (0..batch.rows).map(|row| {
                            let row = row * len..(row + 1) * len;
                            let weights = &batch.weights[row.clone()];
                            (
                                batch.inputs[row.clone()].to_vec(),
                                batch.targets[row].to_vec(),
                                weights.iter().map(|weight| weight.to_bits()).collect(),
                            )
                        });
                        rows.collect::<Vec<_>>()
                    })
                    .collect()
            };
            let kind = data.describe().kind;
            let one = read(1);
            assert_eq!(one.len(), 35, "{kind}");
            for rows in [3, 8, 32] {
                assert_eq!(read(rows), one, "{kind}, {rows} rows at once");
            }
            // All of them are different rows.
            let different: std::collections::BTreeSet<_> = one.iter().collect();
            assert_eq!(different.len(), one.len(), "{kind}");
        }
    }
}
