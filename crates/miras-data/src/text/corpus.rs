use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use miras_run::hex;
use sha2::{Digest, Sha256};

use super::{
    cache,
    config::TextConfig,
    documents::{Documents, Joining},
    format::{self, Format},
    records::Records,
    scan::{Flaw, Scan},
};
use crate::{
    DataError, Paths,
    describe::DataFile,
    packing::Packing,
    paths::find::Found,
    source::{Bytes, ReadFile, train_bytes},
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
/// Documents whose ends are read at once.
const READ_ENDS: usize = 1 << 12;

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
    content: Content,
    /// Where it starts in the corpus.
    pub(super) start: u64,
    /// Bytes of its text.
    pub(super) len: u64,
    /// What a pass over all its bytes found; empty for records, and with `allow_binary`.
    pub(super) scan: Scan,
}

/// Where the text of a file is.
enum Content {
    /// In the file itself or its decompressed copy, behind a byte order mark.
    Text(ReadFile),
    /// In its records, whose texts were put one after the other.
    Records(Documents),
}

/// The place of a document or, if it is true, of a separator in the corpus.
type Placed = (Range<u64>, bool);

/// A part of a corpus that is encoded by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes of one document, that is of a file of text or of a record, by their place in the
    /// corpus.
    Document(Range<u64>),
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
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let mut corpus = Self {
            segments: Vec::new(),
            separator: config.separator.clone().into_bytes(),
            len: 0,
        };
        for found in files {
            let records = Records::of(&found.path).filter(|_| !config.allow_binary);
            let segment = match records {
                Some(records) => {
                    let joining = Joining {
                        named: (field, &found.path),
                        records,
                        field: &config.field,
                        separator: &corpus.separator,
                    };
                    Segment::of_records(&joining, caches, notes)
                }
                None => Segment::of_text(&found.path, caches),
            };
            let mut segment = segment?;
            if records.is_none() && !config.allow_binary {
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
                segment.file().close();
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
    pub(super) fn training_len(&self, valid_fraction: f64) -> Result<u64, DataError> {
        let cut = train_bytes(self.len, valid_fraction);
        let between = self.separator.len() as u64;
        Ok(match self.segment_at(cut) {
            Some(segment) if cut >= segment.end() => (segment.end() + between).min(self.len),
            Some(segment) => cut.max(segment.document_at(cut, between)?.start),
            None => cut,
        })
    }

    /// The parts between two places, which are not inside a separator.
    pub(super) fn parts(
        &self,
        within: Range<u64>,
    ) -> impl Iterator<Item = Result<Part, DataError>> {
        let between = self.separator.len() as u64;
        let is_before = |segment: &Segment| segment.end() + between <= within.start;
        let first = self.segments.partition_point(is_before);
        let rest = self.segments[first..].iter();
        let parts = rest.enumerate().flat_map(move |(at, segment)| {
            let is_last = first + at + 1 == self.segments.len();
            segment.parts(between, is_last)
        });
        // Ends the walk where the parts lie behind the place that is asked for.
        let end = within.end;
        let parts = parts.take_while(move |part| match part {
            Ok((bytes, _)) => bytes.start < end,
            Err(_) => true,
        });
        parts.filter_map(move |part| match part {
            Err(error) => Some(Err(error)),
            Ok((bytes, false)) => {
                let bytes = bytes.start.max(within.start)..bytes.end.min(within.end);
                (!bytes.is_empty()).then_some(Ok(Part::Document(bytes)))
            }
            Ok((bytes, true)) => {
                let is_whole = within.start <= bytes.start && bytes.end <= within.end;
                is_whole.then_some(Ok(Part::Separator))
            }
        })
    }

    /// The files that lie between two places, and how many bytes of each do.
    pub(super) fn files_within(&self, within: &Range<u64>) -> Vec<(&Segment, u64)> {
        let shared = |segment: &Segment| {
            let end = segment.end().min(within.end);
            end.saturating_sub(segment.start.max(within.start))
        };
        let all = self.segments.iter();
        let all = all.map(|segment| (segment, shared(segment)));
        all.filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// How many texts stand one after the other, with the separator between them.
    pub(super) fn document_count(&self) -> u64 {
        self.segments.iter().map(Segment::document_count).sum()
    }

    pub(super) fn separator(&self) -> &[u8] {
        &self.separator
    }

    /// The file and the line, or the document, both counted from 1, at an offset.
    pub(super) fn place(&self, offset: u64) -> Result<String, DataError> {
        let Some(segment) = self.segment_at(offset) else {
            return Ok("at the start of the text".to_owned());
        };
        let inside = (offset - segment.start).min(segment.len);
        let origin = segment.origin.display();
        Ok(match &segment.content {
            Content::Text(_) => format!("in line {} of `{origin}`", segment.line(inside)?),
            Content::Records(documents) => {
                let number = documents.at(inside)? + 1;
                format!("in text {number} of `{origin}`")
            }
        })
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
            let key = cache::key(segment.path()).map_err(DataError::read(&segment.origin))?;
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
    fn of_text(origin: &Path, caches: &[PathBuf]) -> Result<Self, DataError> {
        let path = if Packing::of(origin).is_some() {
            cache::decompressed(origin, caches)?
        } else {
            origin.to_owned()
        };
        let file = ReadFile::open(&path).map_err(DataError::read(origin))?;
        let len = file.len().map_err(DataError::read(origin))?;
        Ok(Self::new(origin, Content::Text(file), len))
    }

    fn of_records(
        joining: &Joining<'_>,
        caches: &[PathBuf],
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let documents = Documents::open(joining, caches, notes)?;
        let (_, origin) = joining.named;
        let (blank, count) = (documents.blank, documents.blank + documents.count);
        if blank > 0 && count > blank {
            notes.push(format!(
                "{blank} of the {count} texts of `{}` are empty and left out",
                origin.display()
            ));
        }
        let len = documents.len;
        Ok(Self::new(origin, Content::Records(documents), len))
    }

    fn new(origin: &Path, content: Content, len: u64) -> Self {
        Self {
            origin: origin.to_owned(),
            content,
            start: 0,
            len,
            scan: Scan::default(),
        }
    }

    fn end(&self) -> u64 {
        self.start + self.len
    }

    /// Whether its text is that of records.
    pub(super) fn has_records(&self) -> bool {
        matches!(self.content, Content::Records(_))
    }

    fn file(&mut self) -> &mut ReadFile {
        match &mut self.content {
            Content::Text(file) => file,
            Content::Records(documents) => &mut documents.pieces.file,
        }
    }

    /// The file that is read: itself or a copy.
    fn path(&self) -> &Path {
        match &self.content {
            Content::Text(file) => &file.path,
            Content::Records(documents) => &documents.pieces.file.path,
        }
    }

    fn document_count(&self) -> u64 {
        match &self.content {
            Content::Text(_) => 1,
            Content::Records(documents) => documents.count,
        }
    }

    /// The document at a place of the corpus that is in this file, or the one behind the separator
    /// that is there.
    fn document_at(&self, offset: u64, between: u64) -> Result<Range<u64>, DataError> {
        let Content::Records(documents) = &self.content else {
            return Ok(self.start..self.end());
        };
        let number = documents.at(offset - self.start)?;
        let start = match number.checked_sub(1) {
            Some(before) => documents.end(before)? + between,
            None => 0,
        };
        Ok(self.start + start..self.start + documents.end(number)?)
    }

    /// Documents and separators of `between` bytes, with the one behind the file unless it is the
    /// last.
    fn parts(
        &self,
        between: u64,
        is_last: bool,
    ) -> Box<dyn Iterator<Item = Result<Placed, DataError>> + '_> {
        let after = move |end: u64| (between > 0).then_some(Ok((end..end + between, true)));
        let behind = (!is_last).then(|| after(self.end())).flatten();
        let Content::Records(documents) = &self.content else {
            let whole = Ok((self.start..self.end(), false));
            return Box::new(std::iter::once(whole).chain(behind));
        };
        let firsts = (0..documents.count).step_by(READ_ENDS);
        let ends = firsts.flat_map(move |first| {
            let count = (documents.count - first).min(READ_ENDS as u64) as usize;
            match documents.ends(first, count) {
                Ok(ends) => ends.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        let mut start = self.start;
        let parts = ends.flat_map(move |end| {
            let end = match end {
                Ok(end) => self.start + end,
                Err(error) => return vec![Err(error)],
            };
            let document = Ok((start..end, false));
            start = end + between;
            let between = (end < self.end()).then(|| after(end)).flatten();
            std::iter::once(document).chain(between).collect()
        });
        Box::new(parts.chain(behind))
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
        match &self.content {
            Content::Text(file) => {
                (file.read(self.scan.mark + offset, buffer)).map_err(DataError::read(&self.origin))
            }
            Content::Records(documents) => documents.read(offset, buffer),
        }
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
