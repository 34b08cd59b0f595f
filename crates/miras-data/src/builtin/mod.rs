//! A corpus that is always there: short stories that state facts and recall them later.

mod facts;
mod forms;
mod story;
mod teller;
mod words;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    DataError, Description, Problem, Tokenizer,
    config::{check_seq_len, check_valid_fraction},
    describe,
    source::{Span, train_bytes},
    windows::Windows,
};

/// The corpus ends with the first story that reaches this size.
const LEAST_BYTES: usize = 1 << 20;

/// Size of the corpus, pinned by a test.
const BYTES: u64 = 1_049_461;

/// The built-in corpus.
///
/// The text is fixed for ever: it depends on no setting and no seed, so losses of different
/// runs and versions compare.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BuiltinConfig {
    /// Tokens, that is bytes, in a row (1 to the size of the smaller part).
    pub seq_len: usize,
    /// Share of the corpus kept for validation, at its end (between 0 and 1).
    pub valid_fraction: f64,
}

impl Default for BuiltinConfig {
    fn default() -> Self {
        Self {
            seq_len: 256,
            valid_fraction: 0.1,
        }
    }
}

impl BuiltinConfig {
    /// All problems; empty if there are none.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::from_iter(check_seq_len(self.seq_len));
        problems.extend(check_valid_fraction(self.valid_fraction));
        if problems.is_empty() {
            let train = train_bytes(BYTES, self.valid_fraction);
            let most = train.min(BYTES - train).saturating_sub(1);
            if self.seq_len as u64 > most {
                let message = format!(
                    "the built-in corpus has {train} bytes for training and {} for validation: seq_len = {} does not fit, the largest value that fits is {most}",
                    BYTES - train,
                    self.seq_len
                );
                problems.push(("seq_len", message));
            }
        }
        problems
    }
}

/// Generates the corpus and opens it.
pub(crate) fn open(config: &BuiltinConfig, seed: u64) -> Result<Windows, DataError> {
    let bytes = story::corpus(LEAST_BYTES).into_bytes();
    let fingerprint = describe::of_bytes(&bytes);
    let (train, valid) = Span::split(Arc::new(bytes), config.valid_fraction);
    let description = Description {
        kind: "builtin",
        name: "built-in stories, version 1".to_owned(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint,
        valid_fingerprint: None,
        tokenizer: None,
        notes: Vec::new(),
        file_count: 0,
        files: Vec::new(),
    };
    let parts = (Arc::new(train) as _, Arc::new(valid) as _);
    let tokenizer = Arc::new(Tokenizer::bytes());
    Windows::new(parts, tokenizer, config.seq_len, seed, description)
}

#[cfg(test)]
mod tests;
