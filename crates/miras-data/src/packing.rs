//! Compressed files: known by the ends of their names, and read as what is in them.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::DataError;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// By the name of a file; `None` if it is not compressed.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension().and_then(OsStr::to_str)?;
        let mut all = Self::ALL.into_iter();
        all.find(|packing| ending.eq_ignore_ascii_case(packing.ending()))
    }

    /// What the names of such files end in.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }

    /// Its name in a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The program that writes what is in a file.
    pub(crate) fn cat(self) -> &'static str {
        match self {
            Self::Gzip => "zcat",
            Self::Zstd => "zstdcat",
        }
    }
}

/// The name without the end that says how the file is compressed.
pub fn unpacked_name(path: &Path) -> PathBuf {
    match Packing::of(path) {
        Some(_) => path.with_extension(""),
        None => path.to_owned(),
    }
}

/// What is in a file, decompressed where its name says that it is compressed.
pub struct Unpacked {
    path: PathBuf,
    packing: Option<Packing>,
    source: Box<dyn Read>,
}

impl Unpacked {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = BufReader::new(File::open(path).map_err(DataError::read(path))?);
        let packing = Packing::of(path);
        let source: Box<dyn Read> = match packing {
            None => Box::new(file),
            Some(Packing::Gzip) => Box::new(MultiGzDecoder::new(file)),
            Some(Packing::Zstd) => Box::new(ZstdFrames::new(file)),
        };
        Ok(Self {
            path: path.to_owned(),
            packing,
            source,
        })
    }

    /// The error for a failed read.
    pub fn failed(&self, source: io::Error) -> DataError {
        let path = self.path.clone();
        match self.packing {
            None => DataError::Read { path, source },
            Some(packing) => DataError::Unpack {
                path,
                what: packing.name(),
                source,
            },
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}

/// All frames of a zstd file, one after the other, each held to its checksum.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    is_inside: bool,
    had_any: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            is_inside: false,
            had_any: false,
        }
    }

    /// Begins the next frame; false at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    (self.is_inside, self.had_any) = (true, true);
                    return Ok(true);
                }
                // Other programs keep notes of their own in such frames.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.source).take(length.into());
                    if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        if self.had_any {
            Ok(false)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_inside && !self.begin()? {
                return Ok(0);
            }
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.source, one);
                decoded.map_err(io::Error::other)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.decoder.is_finished() {
                self.is_inside = false;
                let stored = self.decoder.get_checksum_from_data();
                if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
                    let why = "its checksum is not that of its content";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        ZstdFrames::new(bytes).read_to_end(&mut found)?;
        Ok(found)
    }

    #[test]
    fn frames_follow_one_another_and_damage_of_any_byte_is_an_error_or_changes_nothing() {
        let pack = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
        let (one, two) = (b"Anna has the red key. ".repeat(50), vec![7; 300_000]);
        let skipped = [&b"\x50\x2a\x4d\x18\x03\0\0\0"[..], b"abc"].concat();
        let all = [&pack(&one)[..], &skipped, &pack(&two), &skipped].concat();
        let text = [&one[..], &two].concat();
        assert_eq!(unpack(&all).unwrap(), text);
        let frame = pack(&one);
        for at in 0..frame.len() {
            assert!(unpack(&frame[..at]).is_err(), "cut at {at}");
            let mut changed = frame.clone();
            changed[at] ^= 0x10;
            // A byte of the header may be a flag that is not used.
            assert!(unpack(&changed).is_err_and(|_| true) || unpack(&changed).unwrap() == one);
        }
        assert!(unpack(&[&frame[..], &skipped[..9]].concat()).is_err());
    }
}
