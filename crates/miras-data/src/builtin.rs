//! The corpus inside the program: short stories that state facts and recall them later.

use std::{
    io::Read,
    sync::{Arc, LazyLock},
};

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::{
    DataError, DataKind, Dataset, Description, Kind, LANGUAGE, Problem, Tokenizer, describe,
    mixture::Source,
    shared_keys::{
        CORRUPT, NEEDLES, SEQ_LEN, VALID_FRACTION, check_corrupt, check_needles, check_seq_len,
        check_valid_fraction,
    },
    source::{Span, train_bytes},
    tokenizer,
    windows::Windows,
};

pub(crate) const KIND: Kind<BuiltinConfig> = Kind {
    name: "builtin",
    task: LANGUAGE,
    summary: "fixed 1 MiB corpus of short stories that recall their own facts; needs no files",
    keys: &[SEQ_LEN, VALID_FRACTION, CORRUPT, NEEDLES],
    default: BuiltinConfig::default,
    take: |section| section.part(),
};

/// Size of the text in bytes.
const BYTES: u64 = 1_049_461;

/// The text, as `scripts/stories.py` wrote it.
static TEXT: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| {
    let mut text = Vec::with_capacity(BYTES as usize);
    GzDecoder::new(&include_bytes!("stories.txt.gz")[..])
        .read_to_end(&mut text)
        .expect("the embedded gzip file is whole");
    Arc::new(text)
});

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
    /// With this probability (0 to below 1) each token is read as one drawn uniformly from the
    /// vocabulary, in rows of training and of evaluation; targets are those of the text.
    pub corrupt: f64,
    /// This share of the training rows (0 to 1) has a needle planted, with its question and answer at
    /// the end of the row, in the place of the tokens that stood there; see `eval --task needle`.
    pub needles: f64,
}

impl Default for BuiltinConfig {
    fn default() -> Self {
        Self {
            seq_len: 256,
            valid_fraction: 0.1,
            corrupt: 0.0,
            needles: 0.0,
        }
    }
}

impl DataKind for BuiltinConfig {
    fn seq_len(&self) -> usize {
        self.seq_len
    }

    fn tokenizer(&self) -> Option<&str> {
        Some(tokenizer::BYTES)
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::bytes().vocab())
    }

    fn corrupt(&self) -> f64 {
        self.corrupt
    }

    fn needles(&self) -> f64 {
        self.needles
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(Box::new(open(self, seed)?))
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::from_iter(check_seq_len(self.seq_len));
        problems.extend(check_valid_fraction(self.valid_fraction));
        problems.extend(check_corrupt(self.corrupt));
        problems.extend(check_needles(self.needles));
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

/// Opens the corpus.
fn open(config: &BuiltinConfig, seed: u64) -> Result<Windows, DataError> {
    let fingerprint = describe::of_bytes(&TEXT);
    let (train, valid) = Span::split(TEXT.clone(), config.valid_fraction);
    let description = Description {
        kind: "builtin",
        name: "built-in stories, version 1".to_owned(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint,
        ..Description::default()
    };
    let parts = (vec![Source::alone(Arc::new(train))], Arc::new(valid) as _);
    let tokenizer = Arc::new(Tokenizer::bytes());
    let windows = Windows::new(parts, tokenizer, config.seq_len, seed, description)?;
    Ok(windows.planted(config.needles)?.corrupted(config.corrupt))
}
