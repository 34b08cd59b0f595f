use std::{fmt::Write, path::PathBuf};

use miras_run::{hex, sha256_hex};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Batch;

/// What a run should remember of its data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Description {
    /// Kind of data, as in [`KINDS`](crate::KINDS).
    pub kind: &'static str,
    /// A short description for people.
    pub name: String,
    /// Size of the training part in bytes; `None` if generated without end.
    pub train_bytes: Option<u64>,
    /// Size of the validation part in bytes; `None` if generated without end.
    pub valid_bytes: Option<u64>,
    /// Hash of the data; it does not depend on paths, dates, a seed or the length of rows.
    ///
    /// `sha256:` hashes every byte of the corpus, `sha256-sampled:` (large corpora) its size
    /// and blocks spread over it, `sha256-mixture:` the fingerprints and shares of the sources of a
    /// mixture, `sha256-corrupted:` the fingerprint of the text, the share of its tokens that is
    /// read as others and the fingerprint of the tokenizer that makes them, `sha256-generator:` the settings of a generator and rows that
    /// it makes with a fixed seed.
    pub fingerprint: String,
    /// The same for a validation corpus of its own, for the ends of the sources of a mixture, and for
    /// what is read through noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_fingerprint: Option<String>,
    /// The tokenizer, where tokens are not bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<Tokenized>,
    /// What the user should know about how the data were opened.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Number of files.
    pub file_count: usize,
    /// The first of these files, a hundred at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
}

impl Description {
    /// Of the same text, with needles in a share of the rows of training, which evaluations do not read.
    pub(crate) fn planted(mut self, share: f64) -> Self {
        if share > 0.0 {
            self.notes.push(format!(
                "data.needles = {share}: that share of the rows of training has a needle in it and its \
                 question at its end, as `eval --task needle --kind text` asks"
            ));
        }
        self
    }

    /// Of the same text, of which a share of the tokens is read as others of the vocabulary: evaluations
    /// of other shares are not of the same data.
    pub(crate) fn corrupted(mut self, share: f64, vocab: usize) -> Self {
        if share > 0.0 {
            let mut hash = Sha256::new();
            hash.update(self.valid_fingerprint.as_ref().unwrap_or(&self.fingerprint));
            hash.update(share.to_le_bytes());
            // Without one a token is a byte.
            if let Some(tokenizer) = &self.tokenizer {
                hash.update(&tokenizer.fingerprint);
            }
            let hash = hex(&hash.finalize());
            self.valid_fingerprint = Some(format!("sha256-corrupted:{hash}"));
            let _ = write!(self.name, ", corrupt = {share}");
            self.notes.push(format!(
                "corrupt = {share}: each token is read as one drawn from \
                 all {vocab} with that probability; targets are those of the text"
            ));
        }
        self
    }
}

/// How a text became tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tokenized {
    /// Hash of the tokenizer's files, `tokenizer-sha256:`.
    pub fingerprint: String,
    /// Number of token values.
    pub vocab: usize,
    /// Tokens of the training part.
    pub train_tokens: u64,
    /// Tokens of the validation part.
    pub valid_tokens: u64,
}

/// One file of a corpus.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataFile {
    /// Where it was found.
    pub path: PathBuf,
    /// Its size in bytes, after decompression.
    pub bytes: u64,
}

/// The fingerprint of bytes held in memory.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// The fingerprint of a generator: its settings, and batches that it made with a fixed seed.
pub(crate) fn of_generator(settings: &str, batches: &[Batch]) -> String {
    let mut hash = Sha256::new();
    hash.update(settings);
    for batch in batches {
        for token in batch.inputs.iter().chain(&batch.targets) {
            hash.update(token.to_le_bytes());
        }
        for weight in &batch.weights {
            hash.update(weight.to_le_bytes());
        }
    }
    format!("sha256-generator:{}", hex(&hash.finalize()))
}
