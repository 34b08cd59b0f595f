use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
};

use miras_run::hex;
use sha2::{Digest, Sha256};

use super::{
    cache,
    config::TextConfig,
    find::Found,
    format::{self, Format},
    scan::{Flaw, Scan},
};
use crate::{
    DataError, Paths,
    describe::DataFile,
    paths::is_compressed,
    source::{Bytes, read_at, train_bytes},
};

/// Bytes at the start of a file from which its format is recognised.
const HEAD_BYTES: u64 = 64 << 10;
/// The most files that stay open; others are opened for each read.
const MAX_OPEN_FILES: usize = 128;
/// Up to this size a fingerprint covers every byte.
const MAX_FULL_HASH: u64 = 64 << 20;
/// Number and size of the blocks that the fingerprint of a larger corpus covers.
const HASHED_BLOCKS: u64 = 1024;
const HASHED_BLOCK: u64 = 4 << 10;
/// Bytes that are read at once where a whole file is read.
const READ_BYTES: u64 = 1 << 20;

/// Files one after another with a separator between them, read by position.
pub(super) struct Corpus {
    /// In their order; empty files are left out.
    pub(super) segments: Vec<Segment>,
    separator: Vec<u8>,
    len: u64,
}

/// A file of a corpus.
pub(super) struct Segment {
    /// The file as the user knows it.
    pub(super) origin: PathBuf,
    /// The file that is read: itself or its decompressed copy.
    path: PathBuf,
    file: Option<File>,
    /// Where it starts in the corpus.
    pub(super) start: u64,
    /// Bytes of it that are read: all but a byte order mark at its start.
    pub(super) len: u64,
    /// What a pass over all its bytes found; empty with `allow_binary`.
    pub(super) scan: Scan,
}

/// A part of a corpus that is encoded by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes of one file, by their place in the corpus.
    File(Range<u64>),
    /// A whole separator.
    Separator,
}

impl Corpus {
    /// Opens the files that were found for the paths `given`, and reads all of them once, unless
    /// `allow_binary` is set.
    pub(super) fn open(
        field: &'static str,
        given: &Paths,
        files: &[Found],
        config: &TextConfig,
        caches: &[PathBuf],
    ) -> Result<Self, DataError> {
        let mut corpus = Self {
            segments: Vec::new(),
            separator: config.separator.clone().into_bytes(),
            len: 0,
        };
        for found in files {
            let mut segment = Segment::open(&found.path, caches)?;
            if !config.allow_binary {
                segment.examine(field, files)?;
            }
            if segment.len == 0 {
                if found.named {
                    let path = found.path.display().to_string();
                    return Err(DataError::Empty { field, path });
                }
                continue;
            }
            if corpus.segments.len() >= MAX_OPEN_FILES {
                segment.file = None;
            }
            if !corpus.segments.is_empty() {
                corpus.len += corpus.separator.len() as u64;
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

    /// Size of the training part. A separator is not cut in two: if the cut would be in it or
    /// before it, the training part ends after the separator.
    pub(super) fn training_len(&self, valid_fraction: f64) -> u64 {
        let cut = train_bytes(self.len, valid_fraction);
        match self.segment_at(cut) {
            Some(segment) if cut >= segment.end() => {
                (segment.end() + self.separator.len() as u64).min(self.len)
            }
            _ => cut,
        }
    }

    /// The parts between two places, which are not inside a separator.
    pub(super) fn parts(&self, within: Range<u64>) -> Vec<Part> {
        let mut parts = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let bytes = segment.start.max(within.start)..segment.end().min(within.end);
            if bytes.start < bytes.end {
                parts.push(Part::File(bytes));
            }
            let after = segment.end()..segment.end() + self.separator.len() as u64;
            let is_last = at + 1 == self.segments.len();
            if !is_last
                && within.start <= after.start
                && after.end <= within.end
                && !after.is_empty()
            {
                parts.push(Part::Separator);
            }
        }
        parts
    }

    pub(super) fn separator(&self) -> &[u8] {
        &self.separator
    }

    /// The file and the line, counted from 1, at an offset.
    pub(super) fn place(&self, offset: u64) -> Result<(&Path, u64), DataError> {
        let Some(segment) = self.segment_at(offset) else {
            return Ok((Path::new(""), 1));
        };
        let inside = (offset - segment.start).min(segment.len);
        Ok((&segment.origin, segment.line(inside)?))
    }

    /// The file at an offset; for a separator the file before it.
    fn segment_at(&self, offset: u64) -> Option<&Segment> {
        let after = self
            .segments
            .partition_point(|segment| segment.start <= offset);
        self.segments.get(after.checked_sub(1)?)
    }

    /// A hash of all bytes, or of evenly spaced blocks of a large corpus.
    pub(super) fn fingerprint(&self) -> Result<String, DataError> {
        fingerprint(self.len, |offset, buffer| self.read(offset, buffer))
    }

    /// A text that differs for corpora that differ in any byte: the fingerprint and, if that does
    /// not cover all bytes, path, size and date of each file.
    pub(super) fn identity(&self) -> Result<String, DataError> {
        let fingerprint = self.fingerprint()?;
        if self.len <= MAX_FULL_HASH {
            return Ok(fingerprint);
        }
        let mut hash = Sha256::new();
        for segment in &self.segments {
            let key = cache::key(&segment.path).map_err(DataError::read(&segment.origin))?;
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
            let inside = (offset - segment.start).min(segment.len);
            let count = (segment.len - inside).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(count as usize);
            segment.read(inside, now)?;
            offset += count;
            if later.is_empty() {
                break;
            }
            // Then the rest of the separator.
            let inside = (offset - segment.end()) as usize;
            let between = &self.separator[inside.min(self.separator.len())..];
            let count = between.len().min(later.len());
            let (now, later) = later.split_at_mut(count);
            now.copy_from_slice(&between[..count]);
            offset += count as u64;
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
        let file = File::open(&path).map_err(DataError::read(origin))?;
        let len = file.metadata().map_err(DataError::read(origin))?.len();
        Ok(Self {
            origin: origin.to_owned(),
            path,
            file: Some(file),
            start: 0,
            len,
            scan: Scan::default(),
        })
    }

    fn end(&self) -> u64 {
        self.start + self.len
    }

    /// Refuses a file that is not text, and skips a byte order mark at its start.
    fn examine(&mut self, field: &'static str, files: &[Found]) -> Result<(), DataError> {
        let refused = |why| {
            let path = self.origin.clone();
            Err(DataError::Binary { field, path, why })
        };
        let mut head = vec![0; self.len.min(HEAD_BYTES) as usize];
        self.read(0, &mut head)?;
        let by_name = Format::of_name(&self.origin);
        let is_whole = self.len <= HEAD_BYTES;
        if let Some(format) = by_name.or_else(|| Format::of_start(&head, is_whole)) {
            let why = format.refusal(&self.origin, &head);
            let alike = (files.iter())
                .filter(|other| by_name.is_some() && Format::of_name(&other.path) == by_name);
            return refused(match alike.count() {
                0 | 1 => why,
                count => format!("{why} ({count} of the {} files are such)", files.len()),
            });
        }
        let scan = Scan::of(self.len, |at, buffer| self.read(at, buffer))?;
        if let Some(flaw) = scan.flaw {
            let (Flaw::Nul { at } | Flaw::Invalid { at, .. }) = flaw;
            let line = self.line(at)?;
            let mut rest = vec![0; (self.len - at).min(HEAD_BYTES) as usize];
            self.read(at, &mut rest)?;
            let around = (&*head, &*rest);
            return refused(format::not_text(&self.origin, around, flaw, line));
        }
        self.len -= scan.mark;
        self.scan = scan;
        Ok(())
    }

    /// The line, counted from 1, at an offset.
    pub(super) fn line(&self, offset: u64) -> Result<u64, DataError> {
        let mut line = 1;
        let mut piece = Vec::new();
        for start in (0..offset).step_by(READ_BYTES as usize) {
            piece.resize(READ_BYTES.min(offset - start) as usize, 0);
            self.read(start, &mut piece)?;
            line += piece.split(|byte| *byte == b'\n').count() as u64 - 1;
        }
        Ok(line)
    }

    /// The fingerprint of a corpus of this file alone.
    pub(super) fn fingerprint(&self) -> Result<String, DataError> {
        fingerprint(self.len, |offset, buffer| self.read(offset, buffer))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let offset = self.scan.mark + offset;
        let result = match &self.file {
            Some(file) => read_at(file, &self.path, offset, buffer),
            None => {
                File::open(&self.path).and_then(|file| read_at(&file, &self.path, offset, buffer))
            }
        };
        result.map_err(DataError::read(&self.origin))
    }
}

/// A hash of all bytes up to [`MAX_FULL_HASH`], else of the length and evenly spaced blocks.
fn fingerprint(
    len: u64,
    read: impl Fn(u64, &mut [u8]) -> Result<(), DataError>,
) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    let mut block = Vec::new();
    let mut add = |hash: &mut Sha256, offset: u64, len: u64| -> Result<(), DataError> {
        block.resize(len as usize, 0);
        read(offset, &mut block)?;
        hash.update(&block);
        Ok(())
    };
    if len <= MAX_FULL_HASH {
        for offset in (0..len).step_by(READ_BYTES as usize) {
            add(&mut hash, offset, READ_BYTES.min(len - offset))?;
        }
        return Ok(format!("sha256:{}", hex(&hash.finalize())));
    }
    hash.update(len.to_le_bytes());
    for number in 0..HASHED_BLOCKS {
        let offset = u128::from(len - HASHED_BLOCK) * u128::from(number);
        add(
            &mut hash,
            (offset / u128::from(HASHED_BLOCKS - 1)) as u64,
            HASHED_BLOCK,
        )?;
    }
    Ok(format!("sha256-sampled:{}", hex(&hash.finalize())))
}
