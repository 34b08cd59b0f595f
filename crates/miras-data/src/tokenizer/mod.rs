//! Text to tokens and back: bytes, or byte-level byte-pair encoding.
//!
//! With every tokenizer the concatenated bytes of the tokens are the text. This makes losses of
//! different tokenizers comparable as bits per byte, and is checked whenever text is encoded.

mod alphabet;
pub(crate) mod blocks;
mod bpe;
mod exported;
mod files;
mod load;
mod saved;

use crate::DataError;
use bpe::Bpe;
pub(crate) use bpe::Refused;
pub use exported::byte_tokenizer_files;
use files::error;
pub(crate) use files::{BYTES, FIELD};
pub use saved::TokenizerFiles;

/// Text to tokens and back.
pub struct Tokenizer {
    given: String,
    kind: Kind,
}

enum Kind {
    Bytes,
    Bpe { bpe: Box<Bpe>, fingerprint: String },
}

impl Tokenizer {
    /// Every byte is a token.
    pub fn bytes() -> Self {
        Self {
            given: BYTES.to_owned(),
            kind: Kind::Bytes,
        }
    }

    /// `"bytes"`, or byte-level BPE from files: the path of a `tokenizer.json`, of a
    /// `vocab.json` with `merges.txt` beside it, or of a folder that holds either or was saved
    /// with [`TokenizerFiles`].
    pub fn open(setting: &str) -> Result<Self, DataError> {
        if setting == BYTES {
            return Ok(Self::bytes());
        }
        let saved = saved::facts_in(setting)?;
        if saved.as_ref().is_some_and(saved::Facts::is_bytes) {
            return Ok(Self::bytes());
        }
        let source = files::find(setting)?;
        let fingerprint = source.fingerprint();
        if let Some(saved) = saved {
            saved.check(setting, &fingerprint)?;
        }
        let bpe = Bpe::new(source).map_err(|why| error(setting, why))?;
        Ok(Self {
            given: setting.to_owned(),
            kind: Kind::Bpe {
                bpe: Box::new(bpe),
                fingerprint,
            },
        })
    }

    /// Number of token values; every token is below it.
    pub fn vocab(&self) -> usize {
        match &self.kind {
            Kind::Bytes => 256,
            Kind::Bpe { bpe, .. } => bpe.vocab(),
        }
    }

    /// The tokens of a text. Bytes that are not UTF-8 become one token each.
    ///
    /// # Errors
    /// If the tokens would not spell the text, because the tokenizer lacks a token or changes the
    /// text.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<i32>, DataError> {
        match &self.kind {
            Kind::Bytes => Ok(text.iter().copied().map(i32::from).collect()),
            Kind::Bpe { .. } => match self.encode_all(&[text]) {
                Ok(tokens) => Ok(tokens.concat()),
                Err(refused) => {
                    let place = format!("at byte {} of the text", refused.at);
                    Err(self.refusal(&refused, &place))
                }
            },
        }
    }

    /// The bytes that tokens stand for; a token that does not exist is skipped.
    pub fn decode(&self, tokens: &[i32]) -> Vec<u8> {
        match &self.kind {
            Kind::Bytes => (tokens.iter())
                .filter_map(|&token| u8::try_from(token).ok())
                .collect(),
            Kind::Bpe { bpe, .. } => bpe.decode(tokens),
        }
    }

    /// Encodes several texts in parallel.
    pub(crate) fn encode_all(&self, texts: &[&[u8]]) -> Result<Vec<Vec<i32>>, Refused> {
        match &self.kind {
            Kind::Bytes => Ok((texts.iter())
                .map(|text| text.iter().copied().map(i32::from).collect())
                .collect()),
            Kind::Bpe { bpe, .. } => bpe.encode(texts),
        }
    }

    /// The tokens of a separator: the token that spells it, such as `<|endoftext|>`, if there is
    /// one, else those of its text.
    pub(crate) fn separator(&self, text: &[u8]) -> Result<Vec<i32>, DataError> {
        let tokens = self.encode(text)?;
        Ok(match &self.kind {
            Kind::Bpe { bpe, .. } if tokens.len() > 1 => {
                bpe.spelled(text).map_or(tokens, |token| vec![token])
            }
            _ => tokens,
        })
    }

    /// The error for a text that cannot be encoded; `place` says where.
    pub(crate) fn refusal(&self, refused: &Refused, place: &str) -> DataError {
        error(&self.given, refused.told(place))
    }

    /// Whether a text can be cut between `before` and `after` without a change of its tokens.
    pub(crate) fn is_cut(&self, before: &[u8], after: &[u8]) -> bool {
        match &self.kind {
            Kind::Bytes => true,
            Kind::Bpe { bpe, .. } => bpe.is_cut(before, after),
        }
    }

    /// The number of bytes that a token stands for.
    pub(crate) fn len_of(&self, token: i32) -> u64 {
        match &self.kind {
            Kind::Bytes => 1,
            Kind::Bpe { bpe, .. } => bpe.len_of(token),
        }
    }

    /// A hash of the files; `None` for bytes.
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bytes => None,
            Kind::Bpe { fingerprint, .. } => Some(fingerprint),
        }
    }

    /// What the tokens are called in messages.
    pub(crate) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Bytes => "bytes",
            Kind::Bpe { .. } => "tokens",
        }
    }
}

#[cfg(test)]
mod block_tests;
