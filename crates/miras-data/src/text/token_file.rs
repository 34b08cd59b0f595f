//! Encoded text, kept in a cache folder and read by position: a [`PieceFile`] whose units are
//! tokens, u16 or u32 each.

use std::{io, path::Path};

use miras_run::AtomicFile;

use super::piece_file::{self, Kind, PieceFile, Unusable};
use crate::{DataError, source::Tokens};

/// Changes with the format and with the rules for cutting text into files and blocks.
pub(super) const VERSION: u32 = 2;

/// Encoded text.
pub(super) struct TokenFile {
    pub(super) pieces: PieceFile,
    width: usize,
    vocab: usize,
}

/// Writes a token file.
pub(super) struct Writer {
    pieces: piece_file::Writer,
    kind: Kind,
    /// Bytes of the tokens that are added.
    bytes: Vec<u8>,
}

impl Writer {
    /// Writes into a file that has no name yet; there are `vocab` token values.
    pub(super) fn new(file: AtomicFile, vocab: usize) -> io::Result<Self> {
        Ok(Self {
            pieces: piece_file::Writer::new(file)?,
            kind: kind(vocab),
            bytes: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, tokens: &[i32]) -> io::Result<()> {
        self.bytes.clear();
        let width = self.kind.width;
        for token in tokens {
            self.bytes.extend(&token.to_le_bytes()[..width]);
        }
        self.pieces.add(&self.bytes)
    }

    /// Completes the file, which then has its name.
    pub(super) fn finish(self, name: &[u8; 32]) -> io::Result<()> {
        self.pieces.finish(self.kind, name)
    }
}

impl TokenFile {
    pub(super) fn open(path: &Path, name: &[u8; 32], vocab: usize) -> Result<Self, Unusable> {
        let kind = kind(vocab);
        Ok(Self {
            pieces: PieceFile::open(path, kind, name)?,
            width: kind.width,
            vocab,
        })
    }
}

impl Tokens for TokenFile {
    fn len(&self) -> u64 {
        self.pieces.len / self.width as u64
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        let mut bytes = vec![0; buffer.len() * self.width];
        let path = &self.pieces.file.path;
        (self.pieces.read(offset * self.width as u64, &mut bytes))
            .map_err(DataError::read(path))?;
        for (token, bytes) in buffer.iter_mut().zip(bytes.chunks_exact(self.width)) {
            let mut whole = [0; 4];
            whole[..self.width].copy_from_slice(bytes);
            *token = i32::from_le_bytes(whole);
            // A larger token has no row in the embedding.
            if usize::try_from(*token).map_or(true, |token| token >= self.vocab) {
                let path = path.clone();
                return Err(DataError::DamagedCopy { path });
            }
        }
        Ok(())
    }
}

/// Tokens have 2 bytes, or 4 where there are more than 65,536 values.
fn kind(vocab: usize) -> Kind {
    Kind {
        magic: b"MIRASTOK",
        version: VERSION,
        width: if vocab <= 1 << 16 { 2 } else { 4 },
    }
}
