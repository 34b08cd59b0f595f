//! The letters of FASTA files.

use std::io::{BufRead, BufReader};

use crate::{
    DataError, DataFile, Paths,
    packing::{Packing, Unpacked},
    paths::find::Found,
    tokenizer::bases::{shown, token_of, why_not},
};

/// Bytes that compressed files begin with.
const PACKED: [(Packing, &[u8]); 2] = [
    (Packing::Gzip, &[0x1F, 0x8B]),
    (Packing::Zstd, &[0x28, 0xB5, 0x2F, 0xFD]),
];

/// The sequences of files, one after the other.
#[derive(Default)]
pub(super) struct Sequences {
    /// Their letters as they are written, with a line end between two sequences.
    pub(super) letters: Vec<u8>,
    /// The files, with the number of letters of each.
    pub(super) files: Vec<DataFile>,
    pub(super) records: u64,
    /// Records without a letter, which are left out.
    pub(super) blank: u64,
}

impl Sequences {
    /// Reads the files that were found for the paths `given`.
    pub(super) fn read(
        field: &'static str,
        given: &Paths,
        files: &[Found],
    ) -> Result<Self, DataError> {
        let mut all = Self::default();
        for found in files {
            let before = all.letters.len();
            all.add(field, found)?;
            let bytes = (all.letters.len() - before) as u64;
            if bytes > 0 {
                let path = found.path.clone();
                all.files.push(DataFile { path, bytes });
            } else if found.named {
                let path = found.path.display().to_string();
                return Err(DataError::Empty { field, path });
            }
        }
        if all.letters.is_empty() {
            let path = given.to_string();
            return Err(DataError::Empty { field, path });
        }
        Ok(all)
    }

    /// Adds the sequences of a file.
    fn add(&mut self, field: &'static str, found: &Found) -> Result<(), DataError> {
        let mut source = BufReader::with_capacity(1 << 18, Unpacked::open(&found.path)?);
        let mut line = Vec::new();
        let (mut number, mut record) = (0_u64, Record::None);
        loop {
            line.clear();
            number += 1;
            let read = source.read_until(b'\n', &mut line);
            if read.map_err(|error| source.get_ref().failed(error))? == 0 {
                break;
            }
            let refused = |why: String| DataError::Record {
                field,
                path: found.path.clone(),
                place: format!("line {number} of "),
                why,
            };
            let text = line.trim_ascii();
            if text.first() == Some(&b'>') {
                self.blank += u64::from(record == Record::Begun);
                self.records += 1;
                record = Record::Begun;
            } else if !text.is_empty() {
                if record == Record::None {
                    return Err(refused(no_record(text)));
                }
                if let Some(at) = text.iter().position(|&letter| token_of(letter).is_none()) {
                    let letter = text[at];
                    let column = line.len() - line.trim_ascii_start().len() + at + 1;
                    let (letter, why) = (shown(letter), why_not(letter));
                    return Err(refused(format!("has {letter} in column {column}, {why}")));
                }
                if record == Record::Begun && !self.letters.is_empty() {
                    self.letters.push(b'\n');
                }
                record = Record::Filled;
                self.letters.extend_from_slice(text);
            }
        }
        self.blank += u64::from(record == Record::Begun);
        Ok(())
    }
}

/// How far a record was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    None,
    /// Its name.
    Begun,
    /// Letters.
    Filled,
}

/// Why a file is refused that does not begin with a record.
fn no_record(text: &[u8]) -> String {
    if let Some((packing, _)) = PACKED.iter().find(|(_, magic)| text.starts_with(magic)) {
        let (name, ending) = (packing.name(), packing.ending());
        return format!("is {name}: give the file a name that ends in .{ending}");
    }
    let what = match text {
        [b'@', ..] => "it may be FASTQ, of which `seqtk seq -A` makes FASTA",
        [b'L', b'O', b'C', b'U', b'S', ..] => {
            "it may be GenBank, of which `seqret` of EMBOSS makes FASTA"
        }
        _ => "a FASTA file has a line with `>` and a name before the letters of each sequence",
    };
    format!("does not begin with `>`: {what}")
}
