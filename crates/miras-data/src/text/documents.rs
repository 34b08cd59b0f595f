//! The texts of records, one after the other, in a file of a cache folder.
//!
//! A [`PieceFile`] whose units are bytes:
//!
//! ```text
//! text     the texts that are not empty, with the separator between two of them
//! ends     where each of them ends (u64 each)
//! counts   how many they are, and how many empty ones were left out (u64 each)
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use miras_run::hex;
use sha2::{Digest, Sha256};

use super::{
    cache,
    piece_file::{Kind, PieceFile, Unusable, Writer},
    records::Records,
};
use crate::DataError;

const KIND: Kind = Kind {
    magic: b"MIRASDOC",
    version: 1,
    width: 1,
};
const NUMBER_BYTES: u64 = 8;

/// The texts of a file of records.
pub(super) struct Documents {
    pub(super) pieces: PieceFile,
    /// Bytes of the texts and the separators between them.
    pub(super) len: u64,
    /// How many texts there are.
    pub(super) count: u64,
    /// How many empty ones were left out.
    pub(super) blank: u64,
}

/// How the texts of a file of records are put one after the other.
pub(super) struct Joining<'a> {
    /// The key that names the file, and the file.
    pub(super) named: (&'static str, &'a Path),
    pub(super) records: Records,
    /// The field of a record with its text.
    pub(super) field: &'a str,
    pub(super) separator: &'a [u8],
}

impl Documents {
    /// The texts, from the first folder that has them or can store them.
    pub(super) fn open(
        joining: &Joining<'_>,
        folders: &[PathBuf],
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let (_, origin) = joining.named;
        let name = joining.name().map_err(DataError::read(origin))?;
        cache::in_first(folders, |folder| {
            let path = folder.join(format!("{}.documents", hex(&name[..16])));
            match PieceFile::open(&path, KIND, &name) {
                Ok(pieces) => return Self::new(pieces),
                Err(Unusable::NotThere) => {}
                Err(Unusable::Damaged(why)) => {
                    notes.push(format!("`{}` {why}: made anew", path.display()));
                }
            }
            joining.write(folder, &path, &name)?;
            match PieceFile::open(&path, KIND, &name) {
                Ok(pieces) => Self::new(pieces),
                Err(_) => Err(DataError::DamagedCopy { path }),
            }
        })
    }

    fn new(pieces: PieceFile) -> Result<Self, DataError> {
        let mut documents = Self {
            len: 0,
            count: 0,
            blank: 0,
            pieces,
        };
        let all = documents.pieces.len;
        let path = || documents.pieces.file.path.clone();
        let damaged = || DataError::DamagedCopy { path: path() };
        let counts = all.checked_sub(2 * NUMBER_BYTES).ok_or_else(damaged)?;
        let [count, blank] = documents.numbers(counts)?;
        let ends = count.checked_mul(NUMBER_BYTES);
        let len = ends.and_then(|ends| counts.checked_sub(ends));
        let len = len.ok_or_else(damaged)?;
        (documents.len, documents.count, documents.blank) = (len, count, blank);
        Ok(documents)
    }

    /// Numbers at an offset of the file.
    fn numbers<const N: usize>(&self, offset: u64) -> Result<[u64; N], DataError> {
        let mut bytes = [[0; NUMBER_BYTES as usize]; N];
        self.read(offset, bytes.as_flattened_mut())?;
        Ok(bytes.map(u64::from_le_bytes))
    }

    /// Fills the buffer from an offset of the texts on.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let path = &self.pieces.file.path;
        (self.pieces.read(offset, buffer)).map_err(DataError::read(path))
    }

    /// Where a text ends, counted from 0.
    pub(super) fn end(&self, number: u64) -> Result<u64, DataError> {
        let [end] = self.numbers(self.len + number * NUMBER_BYTES)?;
        Ok(end)
    }

    /// Where so many texts from one on end.
    pub(super) fn ends(&self, first: u64, count: usize) -> Result<Vec<u64>, DataError> {
        let mut bytes = vec![[0; NUMBER_BYTES as usize]; count];
        self.read(self.len + first * NUMBER_BYTES, bytes.as_flattened_mut())?;
        Ok(bytes.into_iter().map(u64::from_le_bytes).collect())
    }

    /// The first text, counted from 0, that ends behind an offset or at the end of all.
    pub(super) fn at(&self, offset: u64) -> Result<u64, DataError> {
        let (mut from, mut to) = (0, self.count.saturating_sub(1));
        while from < to {
            let middle = from.midpoint(to);
            if self.end(middle)? > offset {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        Ok(from)
    }
}

impl Joining<'_> {
    /// A hash of everything that the texts depend on: path, size and date of the file, and how it
    /// is read.
    fn name(&self) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(KIND.version.to_le_bytes());
        hash.update(cache::key(self.named.1)?);
        for part in [
            self.records.name().as_bytes(),
            self.field.as_bytes(),
            self.separator,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Ok(hash.finalize().into())
    }

    /// Writes the texts into the file `path` of `folder`.
    fn write(&self, folder: &Path, path: &Path, name: &[u8; 32]) -> Result<(), DataError> {
        let unwritten = |source| DataError::Cache {
            path: self.named.1.to_owned(),
            folder: folder.to_owned(),
            source,
        };
        let file = cache::begin(folder, path).map_err(unwritten)?;
        let mut writer = Writer::new(file).map_err(unwritten)?;
        let (mut ends, mut blank, mut len) = (Vec::new(), 0_u64, 0);
        self.records.each(self.named, self.field, &mut |text| {
            if text.is_empty() {
                blank += 1;
                return Ok(());
            }
            let between = if len == 0 { &[][..] } else { self.separator };
            for bytes in [between, text.as_bytes()] {
                writer.add(bytes).map_err(unwritten)?;
                len += bytes.len() as u64;
            }
            ends.push(len);
            Ok(())
        })?;
        let counts = [ends.len() as u64, blank];
        for number in ends.iter().chain(&counts) {
            writer.add(&number.to_le_bytes()).map_err(unwritten)?;
        }
        writer.finish(KIND, name).map_err(unwritten)
    }
}
