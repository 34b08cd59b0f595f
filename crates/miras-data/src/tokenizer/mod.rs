//! Text to tokens and back: bytes, or byte-level byte-pair encoding; and nucleotides.
//!
//! With every tokenizer of text the concatenated bytes of the tokens are the text. This makes losses of
//! different tokenizers comparable as bits per byte, and is checked whenever text is encoded. Tokens of
//! nucleotides spell sequences without their case, with T for U.

mod alphabet;
pub(crate) mod bases;
pub(crate) mod blocks;
mod bpe;
mod exported;
mod files;
mod load;
mod saved;

use std::io;

use crate::{DataError, paths};
use bases::BASES;
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
    /// Nucleotides.
    Bases,
    Bpe {
        bpe: Box<Bpe>,
        fingerprint: String,
    },
}

/// A setting that does not depend on the working directory.
pub(crate) fn absolute(setting: &str) -> io::Result<String> {
    if Tokenizer::is_built_in(setting) {
        return Ok(setting.to_owned());
    }
    paths::absolute(setting)
}

impl Tokenizer {
    /// Every byte is a token.
    pub fn bytes() -> Self {
        Self {
            given: BYTES.to_owned(),
            kind: Kind::Bytes,
        }
    }

    /// Every nucleotide is a token.
    pub(crate) fn bases() -> Self {
        Self {
            given: BASES.to_owned(),
            kind: Kind::Bases,
        }
    }

    /// Whether a setting names a tokenizer that needs no files.
    pub fn is_built_in(setting: &str) -> bool {
        saved::built_in(setting, None).is_some()
    }

    /// `"bytes"`, `"bases"`, or byte-level BPE from files: the path of a `tokenizer.json`, of a
    /// `vocab.json` with `merges.txt` beside it, or of a folder that holds either or was saved
    /// with [`TokenizerFiles`].
    pub fn open(setting: &str) -> Result<Self, DataError> {
        let saved = saved::facts_in(setting)?;
        match saved::built_in(setting, saved.as_ref()) {
            Some(BYTES) => return Ok(Self::bytes()),
            Some(_) => return Ok(Self::bases()),
            None => {}
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
            Kind::Bases => bases::LETTERS.len(),
            Kind::Bpe { bpe, .. } => bpe.vocab(),
        }
    }

    /// The tokens of a text. Bytes that are not UTF-8 become one token each.
    ///
    /// # Errors
    /// If the tokens would not spell the text, because the tokenizer lacks a token or changes the
    /// text; for nucleotides, if a byte is neither a letter of one nor a line end.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<i32>, DataError> {
        match &self.kind {
            Kind::Bytes => Ok(text.iter().copied().map(i32::from).collect()),
            Kind::Bases => bases::encode(text).map_err(|at| DataError::Letter {
                at,
                letter: bases::shown(text[at]),
                why: bases::why_not(text[at]),
            }),
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
            Kind::Bases => bases::decode(tokens),
            Kind::Bpe { bpe, .. } => bpe.decode(tokens),
        }
    }

    /// Encodes several texts in parallel.
    pub(crate) fn encode_all(&self, texts: &[&[u8]]) -> Result<Vec<Vec<i32>>, Refused> {
        match &self.kind {
            Kind::Bytes => Ok((texts.iter())
                .map(|text| text.iter().copied().map(i32::from).collect())
                .collect()),
            Kind::Bases => (texts.iter().enumerate())
                .map(|(number, text)| {
                    bases::encode(text).map_err(|at| {
                        let before = format!("has {} ", bases::shown(text[at]));
                        let after = format!(", {}", bases::why_not(text[at]));
                        Refused::new((number, at), before, after)
                    })
                })
                .collect(),
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

    /// Whether its tokens are bytes.
    pub fn is_bytes(&self) -> bool {
        matches!(self.kind, Kind::Bytes)
    }

    /// The same, of text; an error for tokens of nucleotides.
    pub(crate) fn of_text(self) -> Result<Self, DataError> {
        if matches!(self.kind, Kind::Bases) {
            let why = "has the tokens of data.kind = \"fasta\", and text has other letters";
            return Err(error(&self.given, why.to_owned()));
        }
        Ok(self)
    }

    /// Whether a text can be cut between `before` and `after` without a change of its tokens.
    pub(crate) fn is_cut(&self, before: &[u8], after: &[u8]) -> bool {
        match &self.kind {
            Kind::Bytes | Kind::Bases => true,
            Kind::Bpe { bpe, .. } => bpe.is_cut(before, after),
        }
    }

    /// The number of bytes of text that a token stands for; 0 for nucleotides, which are no text.
    pub(crate) fn len_of(&self, token: i32) -> u64 {
        match &self.kind {
            Kind::Bytes => 1,
            Kind::Bases => 0,
            Kind::Bpe { bpe, .. } => bpe.len_of(token),
        }
    }

    /// A hash of the files; `None` for bytes and nucleotides.
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bytes | Kind::Bases => None,
            Kind::Bpe { fingerprint, .. } => Some(fingerprint),
        }
    }

    /// What the tokens are called in messages.
    pub(crate) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Bytes => "bytes",
            Kind::Bases => "letters",
            Kind::Bpe { .. } => "tokens",
        }
    }
}

#[cfg(test)]
mod block_tests;
