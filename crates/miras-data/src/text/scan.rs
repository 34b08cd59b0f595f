//! A pass over a file that should be text.

use crate::DataError;

/// Bytes that are read at once.
const READ_BYTES: u64 = 1 << 20;
/// The byte order mark of UTF-8.
const MARK: char = '\u{feff}';

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Length of a byte order mark at the start.
    pub(super) mark: u64,
    /// Byte order marks after the start: the offset of the first, and their number.
    pub(super) later_marks: Option<(u64, u64)>,
    /// Lines that end in CR LF.
    pub(super) crlf: u64,
    /// Lines that end in CR alone.
    pub(super) cr: u64,
    /// Whether the file ends inside a character.
    pub(super) is_cut_off: bool,
    /// Why it is not text; the bytes after this were not read.
    pub(super) flaw: Option<Flaw>,
}

/// The first byte that is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A NUL byte.
    Nul { at: u64 },
    /// A byte that is not UTF-8.
    Invalid { at: u64, byte: u8 },
}

impl Scan {
    /// Reads all bytes of a file; `read` fills a buffer from an offset on.
    pub(super) fn of(
        len: u64,
        read: impl Fn(u64, &mut [u8]) -> Result<(), DataError>,
    ) -> Result<Self, DataError> {
        let mut scan = Self::default();
        let mut ends_in_cr = false;
        // The start of a character that ends in the next read.
        let mut bytes = Vec::new();
        let mut start = 0;
        loop {
            let had = bytes.len();
            let next = start + had as u64;
            let more = READ_BYTES.min(len - next);
            if more == 0 {
                scan.cr += u64::from(ends_in_cr);
                scan.is_cut_off = had > 0;
                return Ok(scan);
            }
            bytes.resize(had + more as usize, 0);
            read(next, &mut bytes[had..])?;

            let (valid, invalid) = match str::from_utf8(&bytes) {
                Ok(text) => (text, None),
                Err(error) => {
                    let valid = str::from_utf8(&bytes[..error.valid_up_to()]);
                    let at = error.error_len().map(|_| error.valid_up_to());
                    (valid.unwrap_or_default(), at)
                }
            };
            if let Some(at) = valid.find('\0') {
                let at = start + at as u64;
                scan.flaw = Some(Flaw::Nul { at });
                return Ok(scan);
            }
            scan.count(valid, start, &mut ends_in_cr);
            if let Some(at) = invalid {
                let (byte, at) = (bytes[at], start + at as u64);
                scan.flaw = Some(Flaw::Invalid { at, byte });
                return Ok(scan);
            }
            let valid = valid.len();
            start += valid as u64;
            bytes.drain(..valid);
        }
    }

    fn count(&mut self, text: &str, start: u64, ends_in_cr: &mut bool) {
        if text.is_empty() {
            return;
        }
        let mut line_ends = |next: u8| match next {
            b'\n' => self.crlf += 1,
            _ => self.cr += 1,
        };
        let bytes = text.as_bytes();
        if *ends_in_cr {
            line_ends(bytes[0]);
        }
        // What follows on a CR at the end comes with the next piece.
        let followed = text.match_indices('\r');
        followed
            .filter_map(|(at, _)| bytes.get(at + 1))
            .for_each(|&next| line_ends(next));
        *ends_in_cr = text.ends_with('\r');
        for (at, _) in text.match_indices(MARK) {
            let at = start + at as u64;
            if at == 0 {
                self.mark = MARK.len_utf8() as u64;
            } else {
                self.later_marks.get_or_insert((at, 0)).1 += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a [u8], &'a dyn Fn(&mut Scan));

    fn scan(bytes: &[u8]) -> Scan {
        let read = |at: u64, buffer: &mut [u8]| {
            let at = at as usize;
            buffer.copy_from_slice(&bytes[at..at + buffer.len()]);
            Ok(())
        };
        Scan::of(bytes.len() as u64, read).unwrap()
    }

    #[test]
    fn places_are_found_wherever_the_pieces_of_the_file_end() {
        assert_eq!(scan(b"plain\ntext\n"), Scan::default());
        assert_eq!(scan(b""), Scan::default());
        for before in [
            0,
            1,
            100,
            READ_BYTES - 2,
            READ_BYTES - 1,
            READ_BYTES,
            READ_BYTES + 1,
        ] {
            let filled = |bytes: &[u8]| [&vec![b'x'; before as usize], bytes].concat();
            let expected = |change: &dyn Fn(&mut Scan)| {
                let mut scan = Scan::default();
                change(&mut scan);
                scan
            };
            let cases: [Case; 7] = [
                (b"\r\n\r\n\r\r\n", &|scan| (scan.crlf, scan.cr) = (3, 1)),
                (b"a\rb\r\rc\r", &|scan| scan.cr = 4),
                ("ä€🦀 text".as_bytes(), &|_| ()),
                ("a\u{feff}b\u{feff}".as_bytes(), &|scan| {
                    scan.later_marks = Some((before + 1, 2));
                }),
                (b"\xe2\x82", &|scan| scan.is_cut_off = true),
                (b"ab\0\xff", &|scan| {
                    scan.flaw = Some(Flaw::Nul { at: before + 2 });
                }),
                (b"ab\xfcber\0", &|scan| {
                    let (at, byte) = (before + 2, 0xfc);
                    scan.flaw = Some(Flaw::Invalid { at, byte });
                }),
            ];
            for (bytes, change) in cases {
                assert_eq!(scan(&filled(bytes)), expected(change), "{before} {bytes:?}");
            }
        }
        assert_eq!(scan("\u{feff}text".as_bytes()).mark, 3);
    }
}
