//! What is asked of an evaluation.

use std::path::PathBuf;

use miras_data::EvalPart;

use crate::Memory;

/// What is asked of an evaluation.
#[derive(Debug, Clone, Default)]
pub struct EvalRequest {
    /// Files, folders and patterns of text; empty for the run's own validation data.
    pub data: Vec<String>,
    /// Tokens of a row; those of training by default. Every row then starts with the initial
    /// memory, also of a run that carries memories from row to row.
    pub length: Option<usize>,
    /// Rows that are computed at once, a matter of speed and memory alone; by default as many as
    /// make up the tokens of a batch of training.
    pub batch: Option<usize>,
    /// How much is read; `eval.tokens` by default.
    pub size: Option<Size>,
    /// The part of a series that is read, all of it unless `size` says less; `data.part` by default.
    pub part: Option<EvalPart>,
    /// In how many stretches the rows lie; as follows from the amount by default.
    pub stretches: Option<u64>,
    /// What memories do; as in training by default.
    pub memory: Option<Memory>,
    /// The file of a state that every row starts from.
    pub state: Option<PathBuf>,
    /// Assignments to keys of `[data]`.
    pub sets: Vec<String>,
    /// Numbers of pairs a row; a quarter, half, all and twice those of training by default.
    pub pairs: Vec<usize>,
    /// Gaps of recall; none by default.
    pub gaps: Vec<usize>,
    /// Tokens of the n-grams by which targets that come again are told from new ones; by default 2,
    /// and 8 where a token is a byte.
    pub ngram: Option<usize>,
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// All of the text.
    All,
    /// So many tokens, in whole rows, or all if there are fewer.
    Tokens(u64),
    /// So many times the tokens of the rows that are computed at once.
    Batches(u64),
}
