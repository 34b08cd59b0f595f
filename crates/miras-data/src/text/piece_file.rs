//! Files of a cache folder, each piece of which has a checksum, read by position.
//!
//! ```text
//! head     8 bytes that name the kind, version, bytes a unit (u32), units (u64), name of the
//!          content (32 bytes), sha256 of all this and of the sums; 88 bytes, little-endian
//! units    as many bytes each
//! sums     8 bytes of the sha256 of each MiB of units
//! ```

use std::{
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use miras_run::AtomicFile;
use sha2::{Digest, Sha256};

use crate::source::ReadFile;

const HEAD_BYTES: u64 = 88;
/// The part of the head before its hash.
const FIELDS_BYTES: usize = 56;
/// Bytes of units that share a checksum.
const PIECE_BYTES: usize = 1 << 20;
const SUM_BYTES: usize = 8;
/// The most pieces that are checked when a file is opened; in a larger file they are evenly spaced.
const MAX_CHECKED: u64 = 64;

/// What a file holds.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) magic: &'static [u8; 8],
    pub(super) version: u32,
    /// Bytes of a unit.
    pub(super) width: usize,
}

/// A file that is whole.
pub(super) struct PieceFile {
    pub(super) file: ReadFile,
    /// Bytes of its units.
    pub(super) len: u64,
}

/// Writes such a file.
pub(super) struct Writer {
    out: BufWriter<AtomicFile>,
    len: u64,
    /// The incomplete last piece.
    piece: Vec<u8>,
    sums: Vec<u8>,
}

impl Writer {
    /// Writes into a file that has no name yet.
    pub(super) fn new(file: AtomicFile) -> io::Result<Self> {
        let mut out = BufWriter::new(file);
        out.write_all(&[0; HEAD_BYTES as usize])?;
        Ok(Self {
            out,
            len: 0,
            piece: Vec::with_capacity(PIECE_BYTES),
            sums: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            let count = bytes.len().min(PIECE_BYTES - self.piece.len());
            self.piece.extend(&bytes[..count]);
            bytes = &bytes[count..];
            if self.piece.len() == PIECE_BYTES {
                self.end_piece()?;
            }
        }
        Ok(())
    }

    fn end_piece(&mut self) -> io::Result<()> {
        self.out.write_all(&self.piece)?;
        self.sums.extend(sum(&self.piece));
        self.piece.clear();
        Ok(())
    }

    /// Completes the file, which then has its name.
    pub(super) fn finish(mut self, kind: Kind, name: &[u8; 32]) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.end_piece()?;
        }
        self.out.write_all(&self.sums)?;
        self.out.seek(SeekFrom::Start(0))?;
        let fields = fields(kind, self.len, name);
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

impl PieceFile {
    /// Opens a file whose content has this name.
    pub(super) fn open(path: &Path, kind: Kind, name: &[u8; 32]) -> Result<Self, Unusable> {
        let damaged = |why: &str| Unusable::Damaged(why.to_owned());
        let file = match ReadFile::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unusable::NotThere);
            }
            Err(error) => return Err(Unusable::Damaged(format!("cannot be read ({error})"))),
        };
        let mut head = [0; HEAD_BYTES as usize];
        (file.read(0, &mut head)).map_err(|_| damaged("is cut short"))?;
        let (found, hash) = head.split_at(FIELDS_BYTES);
        let mut count = [0; 8];
        count.copy_from_slice(&found[16..24]);
        let size = u64::from_le_bytes(count).saturating_mul(kind.width as u64);
        if *found != fields(kind, size, name) {
            return Err(damaged("has another head than it should"));
        }
        let piece_file = Self { file, len: size };
        let pieces = size.div_ceil(PIECE_BYTES as u64);
        let whole = HEAD_BYTES
            .saturating_add(size)
            .saturating_add(pieces.saturating_mul(SUM_BYTES as u64));
        let len = piece_file.file.len().unwrap_or(0);
        if len != whole {
            return Err(Unusable::Damaged(format!(
                "has {len} bytes instead of {whole}"
            )));
        }
        let mut sums = vec![0; pieces as usize * SUM_BYTES];
        (piece_file.read(size, &mut sums)).map_err(|_| damaged("is cut short"))?;
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
            if !piece_file.is_whole(piece, &sums) {
                return Err(damaged("is damaged"));
            }
        }
        Ok(piece_file)
    }

    fn is_whole(&self, piece: u64, sums: &[u8]) -> bool {
        let start = piece * PIECE_BYTES as u64;
        let mut bytes = vec![0; (self.len - start).min(PIECE_BYTES as u64) as usize];
        let at = piece as usize * SUM_BYTES;
        self.read(start, &mut bytes).is_ok() && sum(&bytes) == sums[at..at + SUM_BYTES]
    }

    /// Fills the buffer from a byte of the units on.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read(HEAD_BYTES + offset, buffer)
    }
}

fn fields(kind: Kind, len: u64, name: &[u8; 32]) -> [u8; FIELDS_BYTES] {
    let mut head = [0; FIELDS_BYTES];
    head[..8].copy_from_slice(kind.magic);
    head[8..12].copy_from_slice(&kind.version.to_le_bytes());
    head[12..16].copy_from_slice(&(kind.width as u32).to_le_bytes());
    head[16..24].copy_from_slice(&(len / kind.width as u64).to_le_bytes());
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
