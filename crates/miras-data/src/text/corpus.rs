use std::{
    fs::File,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{cache, find::Found, read_at::read_at};
use crate::{
    DataError, Paths,
    describe::{DataFile, hex},
    paths::is_compressed,
    source::Bytes,
};

/// So much of a file's start is checked for being text.
const SNIFF: u64 = 64 << 10;
/// So many files stay open; others are opened for each read.
const OPEN_FILES: usize = 128;
/// Up to this size the fingerprint covers every byte.
const HASH_ALL: u64 = 64 << 20;
/// Number and size of the blocks that the fingerprint of a larger corpus covers.
const BLOCKS: u64 = 1024;
const BLOCK: u64 = 4 << 10;

/// Files one after another, read by position.
pub(super) struct Corpus {
    /// In order, none empty.
    segments: Vec<Segment>,
    len: u64,
}

struct Segment {
    /// The file as the user knows it.
    origin: PathBuf,
    /// The file that is read: itself or its decompressed copy.
    path: PathBuf,
    file: Option<File>,
    start: u64,
    len: u64,
}

impl Corpus {
    pub(super) fn open(
        field: &'static str,
        given: &Paths,
        files: &[Found],
        allow_binary: bool,
        caches: &[PathBuf],
    ) -> Result<Self, DataError> {
        let mut corpus = Self {
            segments: Vec::new(),
            len: 0,
        };
        for found in files {
            let mut segment = Segment::open(&found.path, caches)?;
            if segment.len == 0 {
                if found.named {
                    let path = found.path.display().to_string();
                    return Err(DataError::Empty { field, path });
                }
                continue;
            }
            if !allow_binary && let Some(why) = segment.is_no_text()? {
                let path = segment.origin;
                return Err(DataError::Binary { field, path, why });
            }
            if corpus.segments.len() >= OPEN_FILES {
                segment.file = None;
            }
            segment.start = corpus.len;
            corpus.len += segment.len;
            corpus.segments.push(segment);
        }
        if corpus.len == 0 {
            let path = given.to_string();
            return Err(DataError::Empty { field, path });
        }
        Ok(corpus)
    }

    pub(super) fn files(&self) -> Vec<DataFile> {
        self.segments
            .iter()
            .map(|segment| DataFile {
                path: segment.origin.clone(),
                bytes: segment.len,
            })
            .collect()
    }

    /// A hash of the bytes, or of blocks at even distances if there are very many.
    pub(super) fn fingerprint(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        let mut block = Vec::new();
        let mut add = |hash: &mut Sha256, offset: u64, len: u64| -> Result<(), DataError> {
            block.resize(len as usize, 0);
            self.read(offset, &mut block)?;
            hash.update(&block);
            Ok(())
        };
        if self.len <= HASH_ALL {
            let step = 1 << 20;
            for offset in (0..self.len).step_by(step as usize) {
                add(&mut hash, offset, step.min(self.len - offset))?;
            }
            return Ok(format!("sha256:{}", hex(&hash.finalize())));
        }
        hash.update(self.len.to_le_bytes());
        for number in 0..BLOCKS {
            let offset = u128::from(self.len - BLOCK) * u128::from(number);
            add(&mut hash, (offset / u128::from(BLOCKS - 1)) as u64, BLOCK)?;
        }
        Ok(format!("sha256-sampled:{}", hex(&hash.finalize())))
    }

    /// What tells the corpus from one with another byte anywhere: its fingerprint and, where
    /// that leaves bytes out, place, size and date of each file.
    pub(super) fn identity(&self) -> Result<String, DataError> {
        let fingerprint = self.fingerprint()?;
        if self.len <= HASH_ALL {
            return Ok(fingerprint);
        }
        let mut hash = Sha256::new();
        for segment in &self.segments {
            let key = cache::key(&segment.path).map_err(|source| DataError::Read {
                path: segment.origin.clone(),
                source,
            })?;
            hash.update(key);
        }
        Ok(format!("{fingerprint} {}", hex(&hash.finalize())))
    }
}

impl Bytes for Corpus {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let after = self
            .segments
            .partition_point(|segment| segment.start <= offset);
        let mut rest = buffer;
        let mut offset = offset;
        for segment in &self.segments[after.saturating_sub(1)..] {
            let inside = offset - segment.start;
            let count = (segment.len - inside).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(count as usize);
            segment.read(inside, now)?;
            offset += count;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl Segment {
    fn open(origin: &Path, caches: &[PathBuf]) -> Result<Self, DataError> {
        let path = if is_compressed(origin) {
            cache::decompressed(origin, caches)?
        } else {
            origin.to_owned()
        };
        let unreadable = |source| DataError::Read {
            path: origin.to_owned(),
            source,
        };
        let file = File::open(&path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        Ok(Self {
            origin: origin.to_owned(),
            path,
            file: Some(file),
            start: 0,
            len,
        })
    }

    /// Why the file's start is no text, if it is none.
    fn is_no_text(&self) -> Result<Option<&'static str>, DataError> {
        let mut head = vec![0; self.len.min(SNIFF) as usize];
        self.read(0, &mut head)?;
        if head.contains(&0) {
            return Ok(Some("holds NUL bytes, so it is no text"));
        }
        // A last character may be cut off, here or where the file was cut.
        let is_text = match str::from_utf8(&head) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        };
        Ok((!is_text).then_some("is not UTF-8 text"))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let result = match &self.file {
            Some(file) => read_at(file, &self.path, offset, buffer),
            None => {
                File::open(&self.path).and_then(|file| read_at(&file, &self.path, offset, buffer))
            }
        };
        result.map_err(|source| DataError::Read {
            path: self.origin.clone(),
            source,
        })
    }
}
