//! Encoded text, kept in a cache folder and read by position.
//!
//! ```text
//! head     "MIRASTOK", version, bytes a token (u32), tokens (u64), name of the content (32 bytes),
//!          sha256 of all this and of the sums; 88 bytes, little-endian
//! tokens   u16 or u32 each
//! sums     8 bytes of the sha256 of each MiB of tokens
//! ```

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use miras_run::AtomicFile;
use sha2::{Digest, Sha256};

use crate::{
    DataError,
    source::{Tokens, read_at},
};

const MAGIC: &[u8; 8] = b"MIRASTOK";
/// Changes with the format and with the rules for cutting text into files and blocks.
pub(super) const VERSION: u32 = 2;
const HEAD_BYTES: u64 = 88;
/// The part of the head before its hash.
const FIELDS_BYTES: usize = 56;
/// Bytes of tokens that share a checksum.
const PIECE_BYTES: usize = 1 << 20;
const SUM_BYTES: usize = 8;
/// The most pieces that are checked when a file is opened; in a larger file they are evenly spaced.
const MAX_CHECKED: u64 = 64;

/// Encoded text.
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    file: File,
    width: usize,
    count: u64,
    vocab: usize,
}

/// Writes a token file.
pub(super) struct Writer {
    out: BufWriter<AtomicFile>,
    width: usize,
    count: u64,
    /// The incomplete last piece.
    piece: Vec<u8>,
    sums: Vec<u8>,
}

impl Writer {
    /// Writes into a file that has no name yet; there are `vocab` token values.
    pub(super) fn new(file: AtomicFile, vocab: usize) -> io::Result<Self> {
        let width = width(vocab);
        let mut out = BufWriter::new(file);
        out.write_all(&[0; HEAD_BYTES as usize])?;
        Ok(Self {
            out,
            width,
            count: 0,
            piece: Vec::with_capacity(PIECE_BYTES),
            sums: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, tokens: &[i32]) -> io::Result<()> {
        for token in tokens {
            self.piece.extend(&token.to_le_bytes()[..self.width]);
            if self.piece.len() == PIECE_BYTES {
                self.end_piece()?;
            }
        }
        self.count += tokens.len() as u64;
        Ok(())
    }

    fn end_piece(&mut self) -> io::Result<()> {
        self.out.write_all(&self.piece)?;
        self.sums.extend(sum(&self.piece));
        self.piece.clear();
        Ok(())
    }

    /// Completes the file, which then has its name.
    pub(super) fn finish(mut self, name: [u8; 32]) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.end_piece()?;
        }
        self.out.write_all(&self.sums)?;
        self.out.seek(SeekFrom::Start(0))?;
        let fields = fields(self.width, self.count, &name);
        self.out.write_all(&fields)?;
        self.out.write_all(&head_hash(&fields, &self.sums))?;
        let file = self.out.into_inner();
        Ok(file.map_err(io::IntoInnerError::into_error)?.finish()?)
    }
}

/// Why a file cannot be used.
pub(super) enum Unusable {
    NotThere,
    Damaged(String),
}

impl TokenFile {
    pub(super) fn open(path: &Path, name: &[u8; 32], vocab: usize) -> Result<Self, Unusable> {
        let damaged = |why: &str| Unusable::Damaged(why.to_owned());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unusable::NotThere);
            }
            Err(error) => return Err(Unusable::Damaged(format!("cannot be read ({error})"))),
        };
        let width = width(vocab);
        let mut head = [0; HEAD_BYTES as usize];
        (read_at(&file, path, 0, &mut head)).map_err(|_| damaged("is cut short"))?;
        let (found, hash) = head.split_at(FIELDS_BYTES);
        let mut count = [0; 8];
        count.copy_from_slice(&found[16..24]);
        let count = u64::from_le_bytes(count);
        if *found != fields(width, count, name) {
            return Err(damaged("has another head than it should"));
        }
        let token_file = Self {
            path: path.to_owned(),
            file,
            width,
            count,
            vocab,
        };
        let size = count.saturating_mul(width as u64);
        let pieces = size.div_ceil(PIECE_BYTES as u64);
        let whole = HEAD_BYTES
            .saturating_add(size)
            .saturating_add(pieces.saturating_mul(SUM_BYTES as u64));
        let len = (token_file.file.metadata()).map_or(0, |data| data.len());
        if len != whole {
            return Err(Unusable::Damaged(format!(
                "has {len} bytes instead of {whole}"
            )));
        }
        let mut sums = vec![0; pieces as usize * SUM_BYTES];
        (read_at(&token_file.file, path, HEAD_BYTES + size, &mut sums))
            .map_err(|_| damaged("is cut short"))?;
        if *hash != head_hash(found, &sums) {
            return Err(damaged("is damaged"));
        }
        let tried = pieces.min(MAX_CHECKED);
        for number in 0..tried {
            // The first and the last are among them.
            let piece = match tried {
                1 => 0,
                tried => (number * (pieces - 1)).div_ceil(tried - 1),
            };
            if !token_file.is_whole(piece, size, &sums) {
                return Err(damaged("is damaged"));
            }
        }
        Ok(token_file)
    }

    fn is_whole(&self, piece: u64, size: u64, sums: &[u8]) -> bool {
        let start = piece * PIECE_BYTES as u64;
        let mut bytes = vec![0; (size - start).min(PIECE_BYTES as u64) as usize];
        let at = piece as usize * SUM_BYTES;
        read_at(&self.file, &self.path, HEAD_BYTES + start, &mut bytes).is_ok()
            && sum(&bytes) == sums[at..at + SUM_BYTES]
    }
}

impl Tokens for TokenFile {
    fn len(&self) -> u64 {
        self.count
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        let mut bytes = vec![0; buffer.len() * self.width];
        let at = HEAD_BYTES + offset * self.width as u64;
        read_at(&self.file, &self.path, at, &mut bytes).map_err(DataError::read(&self.path))?;
        for (token, bytes) in buffer.iter_mut().zip(bytes.chunks_exact(self.width)) {
            let mut whole = [0; 4];
            whole[..self.width].copy_from_slice(bytes);
            *token = i32::from_le_bytes(whole);
            // A larger token has no row in the embedding.
            if usize::try_from(*token).map_or(true, |token| token >= self.vocab) {
                let path = self.path.clone();
                return Err(DataError::DamagedTokens { path });
            }
        }
        Ok(())
    }
}

/// Bytes of a token.
fn width(vocab: usize) -> usize {
    if vocab <= 1 << 16 { 2 } else { 4 }
}

fn fields(width: usize, count: u64, name: &[u8; 32]) -> [u8; FIELDS_BYTES] {
    let mut head = [0; FIELDS_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&(width as u32).to_le_bytes());
    head[16..24].copy_from_slice(&count.to_le_bytes());
    head[24..].copy_from_slice(name);
    head
}

fn head_hash(fields: &[u8], sums: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(fields);
    hash.update(sums);
    hash.finalize().into()
}

fn sum(piece: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&Sha256::digest(piece)[..SUM_BYTES]);
    sum
}
