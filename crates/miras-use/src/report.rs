//! `eval.json`.

use serde::{Deserialize, Serialize};

use crate::Memory;

/// The name of the schema.
pub(crate) const SCHEMA: &str = "miras_eval";
/// Its version.
pub(crate) const VERSION: u32 = 1;

/// What an evaluation found: the content of `eval.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `miras_eval`.
    pub schema: String,
    /// 1.
    pub version: u32,
    /// The run that the weights are from.
    pub run: String,
    /// Optimiser steps of the checkpoint.
    pub step: u64,
    /// Tokens it was trained on.
    pub trained_tokens: u64,
    /// SHA-256 of the file of the weights.
    pub weights: String,
    /// Name, size and fingerprint of the data.
    pub data: Weighed,
    /// Tokens of a row.
    pub length: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Batches.
    pub batches: u64,
    /// What memories did.
    pub memory: Memory,
    /// The state that every row started from; none for that of a new sequence.
    pub state: Option<StateUsed>,
    /// Where it was computed.
    pub device: String,
    /// All scored targets together.
    #[serde(flatten)]
    pub measured: Measured,
    /// The same by the number of tokens of the row before the one that is read.
    pub by_position: Vec<ByPosition>,
    /// The same by load; recall only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_pairs: Vec<ByPairs>,
    /// What the user should know of how the data were opened; not in the file.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// The data of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// In a few words.
    pub name: String,
    /// Size of the part that is evaluated; none if it is generated.
    pub bytes: Option<u64>,
    /// Hash of the data.
    pub fingerprint: String,
}

/// A state that an evaluation started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateUsed {
    /// The file.
    pub path: String,
    /// Tokens that it had seen.
    pub position: usize,
}

/// What scored targets say, on average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Scored targets.
    pub tokens: u64,
    /// Mean negative log-likelihood in nats.
    pub loss: f64,
    /// `exp(loss)`; null in the file where it is beyond the largest number.
    pub perplexity: f64,
    /// Nats over the bytes of the targets, over ln 2; text only.
    pub bits_per_byte: Option<f64>,
    /// Share of targets that are ranked first.
    pub accuracy: f64,
}

/// Targets at some positions of their rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByPosition {
    /// The first position, counted from 0.
    pub from: usize,
    /// The last.
    pub to: usize,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}

/// Rows with some number of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByPairs {
    /// `data.pairs`.
    pub pairs: usize,
    /// What they say.
    #[serde(flatten)]
    pub measured: Measured,
}
