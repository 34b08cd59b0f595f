//! The settings of labelled sequences.

use serde::{Deserialize, Serialize};

use crate::{Paths, tokenizer::BYTES};

/// Sequences with a label each: the rows of CSV files with a header, two columns of which are read.
///
/// A row of a batch is one sequence, padded with token 0 to `seq_len`. Its target is the number of its
/// class, at its last token, which alone has a weight; so the tokens up to there are the sequence.
/// Classes are the labels of the training part, sorted: by value where all are whole numbers, else as
/// text. Training rows are drawn with replacement, every sequence as often.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LabelledConfig {
    /// Files, folders and patterns, as one string or a list.
    pub path: Paths,
    /// The column of sequences.
    pub sequence: String,
    /// The column of labels.
    pub label: String,
    /// `"bytes"`, `"bases"`, or the path of a byte-level BPE.
    pub tokenizer: String,
    /// Tokens of the longest sequence (1 to 16777216); shorter ones are padded.
    pub seq_len: usize,
    /// Share of the sequences of each class kept for validation (between 0 and 1); default 0.1; not
    /// beside `valid_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_fraction: Option<f64>,
    /// Files for validation, in the same forms as `path`; the whole of `path` is then for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<Paths>,
}

/// The default of `valid_fraction`.
const DEFAULT_FRACTION: f64 = 0.1;

impl Default for LabelledConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            sequence: "sequence".to_owned(),
            label: "label".to_owned(),
            tokenizer: BYTES.to_owned(),
            seq_len: 256,
            valid_fraction: None,
            valid_path: None,
        }
    }
}

impl LabelledConfig {
    /// Fills in the default of `valid_fraction`, unless there is a `valid_path`.
    #[must_use]
    pub(super) fn settled(mut self) -> Self {
        if self.valid_path.is_none() {
            self.valid_fraction.get_or_insert(DEFAULT_FRACTION);
        }
        self
    }

    /// The share of each class that is kept for validation.
    pub(super) fn fraction(&self) -> f64 {
        self.valid_fraction.unwrap_or(DEFAULT_FRACTION)
    }
}
