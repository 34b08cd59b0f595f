//! From the text of files to a file of tokens.
//!
//! Every document, a file of text or the text of a record, is encoded by itself, so that no token
//! spans two of them, and the separator between them has its own tokens.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use miras_run::hex;
use sha2::{Digest, Sha256};

use super::{
    cache,
    corpus::{Corpus, Part},
    piece_file::Unusable,
    token_file::{TokenFile, VERSION, Writer},
};
use crate::{
    DataError, Tokenizer,
    source::{Span, Tokens},
    tokenizer::blocks::Blocks,
};

/// The first and the maximum size of a block of text that is encoded at once.
const BLOCK_BYTES: (usize, usize) = (1 << 18, 1 << 22);
/// Bytes and pieces after which what is waiting is encoded in parallel.
const BATCH: (usize, usize) = (8 * BLOCK_BYTES.0, 1 << 12);

/// A part of a corpus and the tokenizer that encodes it.
pub(super) struct Encoding<'a> {
    text: &'a Span,
    corpus: &'a Corpus,
    tokenizer: &'a Tokenizer,
    separator: Vec<i32>,
}

/// A piece of the text in the order of the tokens.
enum Piece {
    /// Bytes of one document, and their place in the corpus.
    Text(u64, Vec<u8>),
    Separator,
}

impl<'a> Encoding<'a> {
    pub(super) fn new(
        text: &'a Span,
        corpus: &'a Corpus,
        tokenizer: &'a Tokenizer,
    ) -> Result<Self, DataError> {
        Ok(Self {
            separator: tokenizer.separator(corpus.separator())?,
            text,
            corpus,
            tokenizer,
        })
    }

    /// The tokens, from the first folder that has them or can store them.
    pub(super) fn tokens(
        &self,
        folders: &[PathBuf],
        notes: &mut Vec<String>,
    ) -> Result<TokenFile, DataError> {
        let name = self.name()?;
        let vocab = self.tokenizer.vocab();
        cache::in_first(folders, |folder| {
            let path = folder.join(format!("{}.tokens", hex(&name[..16])));
            match TokenFile::open(&path, &name, vocab) {
                Ok(file) => return Ok(file),
                Err(Unusable::NotThere) => {}
                Err(Unusable::Damaged(why)) => {
                    notes.push(format!("`{}` {why}: made anew", path.display()));
                }
            }
            self.write(folder, &path, name)?;
            let written = TokenFile::open(&path, &name, vocab);
            let written = written.map_err(|_| DataError::DamagedCopy { path })?;
            notes.push(format!(
                "encoded {} bytes as {} tokens, kept in `{}`",
                self.text.len(),
                written.len(),
                written.pieces.file.path.display()
            ));
            Ok(written)
        })
    }

    fn within(&self) -> Range<u64> {
        self.text.start()..self.text.start() + self.text.len()
    }

    /// A hash of everything that the tokens depend on.
    fn name(&self) -> Result<[u8; 32], DataError> {
        let mut hash = Sha256::new();
        hash.update(VERSION.to_le_bytes());
        hash.update(self.tokenizer.fingerprint().unwrap_or_default());
        hash.update(self.corpus.identity()?);
        hash.update(self.corpus.separator());
        for part in self.corpus.parts(self.within()) {
            let bytes = match part? {
                Part::Document(bytes) => bytes,
                Part::Separator => 0..0,
            };
            hash.update(bytes.start.to_le_bytes());
            hash.update(bytes.end.to_le_bytes());
        }
        Ok(hash.finalize().into())
    }

    /// Encodes into the file `path` of `folder`.
    fn write(&self, folder: &Path, path: &Path, name: [u8; 32]) -> Result<(), DataError> {
        let unwritten = |source| DataError::TokenCache {
            folder: folder.to_owned(),
            source,
        };
        let file = cache::begin(folder, path).map_err(unwritten)?;
        let mut writer = Writer::new(file, self.tokenizer.vocab()).map_err(unwritten)?;
        let mut waiting = Vec::new();
        let mut bytes = 0;
        let mut encode = |waiting: &mut Vec<Piece>| {
            for tokens in self.encode(waiting)? {
                writer.add(&tokens).map_err(unwritten)?;
            }
            waiting.clear();
            Ok::<_, DataError>(())
        };
        for part in self.corpus.parts(self.within()) {
            let range = match part? {
                Part::Document(range) => range,
                Part::Separator => {
                    waiting.push(Piece::Separator);
                    continue;
                }
            };
            let inside = range.start - self.text.start();
            let file = self.text.part(inside, range.end - range.start);
            let mut blocks = Blocks::new(&file, self.tokenizer, BLOCK_BYTES);
            let mut at = range.start;
            while let Some(text) = blocks.next()? {
                let len = text.len();
                waiting.push(Piece::Text(at, text));
                at += len as u64;
                bytes += len;
                if bytes >= BATCH.0 || waiting.len() >= BATCH.1 {
                    encode(&mut waiting)?;
                    bytes = 0;
                }
            }
        }
        encode(&mut waiting)?;
        writer.finish(&name).map_err(unwritten)
    }

    /// The tokens of each piece.
    fn encode(&self, pieces: &[Piece]) -> Result<Vec<Vec<i32>>, DataError> {
        let texts: Vec<(u64, &[u8])> = (pieces.iter())
            .filter_map(|piece| match piece {
                Piece::Text(at, text) => Some((*at, &**text)),
                Piece::Separator => None,
            })
            .collect();
        let slices: Vec<&[u8]> = texts.iter().map(|(_, text)| *text).collect();
        let encoded = match self.tokenizer.encode_all(&slices) {
            Ok(encoded) => encoded,
            Err(refused) => {
                let place = self.corpus.place(texts[refused.text].0 + refused.at)?;
                return Err(self.tokenizer.refusal(&refused, &place));
            }
        };
        let mut encoded = encoded.into_iter();
        let tokens = pieces.iter().map(|piece| match piece {
            Piece::Text(..) => encoded.next().unwrap_or_default(),
            Piece::Separator => self.separator.clone(),
        });
        Ok(tokens.collect())
    }
}
