//! What windows are cut from: bytes and tokens that are read by position.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::DataError;

/// Tokens that can be read at any position.
pub(crate) trait Tokens: Send + Sync {
    fn len(&self) -> u64;
    /// Fills the buffer from `offset` on, which must lie inside the length.
    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError>;

    /// How much each token from `offset` on counts as a target.
    fn weigh(&self, offset: u64, weights: &mut [f32]) -> Result<(), DataError> {
        let _ = offset;
        weights.fill(1.0);
        Ok(())
    }
}

/// Bytes that can be read at any position.
pub(crate) trait Bytes: Send + Sync {
    fn len(&self) -> u64;
    /// Fills the buffer from `offset` on, which must lie inside the length.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError>;
}

impl Bytes for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let start = offset as usize;
        buffer.copy_from_slice(&self[start..start + buffer.len()]);
        Ok(())
    }
}

/// A stretch of a corpus.
pub(crate) struct Span {
    bytes: Arc<dyn Bytes>,
    start: u64,
    len: u64,
}

impl Span {
    pub(crate) fn whole(bytes: Arc<dyn Bytes>) -> Self {
        let len = bytes.len();
        Self {
            bytes,
            start: 0,
            len,
        }
    }

    /// Cuts a corpus into its training part and, at its end, its validation part.
    pub(crate) fn split(bytes: Arc<dyn Bytes>, valid_fraction: f64) -> (Self, Self) {
        let cut = train_bytes(bytes.len(), valid_fraction);
        Self::cut(bytes, cut)
    }

    /// Cuts a corpus in two at an offset.
    pub(crate) fn cut(bytes: Arc<dyn Bytes>, cut: u64) -> (Self, Self) {
        let total = bytes.len();
        let train = Self {
            bytes: Arc::clone(&bytes),
            start: 0,
            len: cut,
        };
        let valid = Self {
            bytes,
            start: cut,
            len: total - cut,
        };
        (train, valid)
    }

    /// A part of this stretch.
    pub(crate) fn part(&self, offset: u64, len: u64) -> Self {
        Self {
            bytes: Arc::clone(&self.bytes),
            start: self.start + offset,
            len,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Fills the buffer from `offset` of the stretch on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        self.bytes.read(self.start + offset, buffer)
    }
}

/// Size of the training part of a corpus of `total` bytes.
pub(crate) fn train_bytes(total: u64, valid_fraction: f64) -> u64 {
    ((total as f64 * (1.0 - valid_fraction)) as u64).min(total)
}

/// Every byte is a token.
impl Tokens for Span {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        let mut bytes = vec![0; buffer.len()];
        self.read(offset, &mut bytes)?;
        for (token, byte) in buffer.iter_mut().zip(bytes) {
            *token = i32::from(byte);
        }
        Ok(())
    }
}

/// A file that is read by position.
pub(crate) struct ReadFile {
    pub(crate) path: PathBuf,
    file: Option<File>,
}

impl ReadFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: Some(File::open(path)?),
        })
    }

    /// From now on the file is opened for each read: a process may have so many open at once.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        let data = match &self.file {
            Some(file) => file.metadata(),
            None => fs::metadata(&self.path),
        };
        Ok(data?.len())
    }

    /// Fills the buffer from an offset on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => read_at(file, &self.path, offset, buffer),
            None => read_at(&File::open(&self.path)?, &self.path, offset, buffer),
        }
    }
}

/// Fills the buffer from an offset of a file on.
#[cfg(unix)]
fn read_at(file: &File, _path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// An open file has one position, shared by all threads, so each read opens its own.
#[cfg(not(unix))]
fn read_at(_file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}
