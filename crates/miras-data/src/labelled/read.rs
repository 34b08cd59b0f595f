//! The rows of CSV files: sequences and labels.

use std::path::Path;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use miras_config::did_you_mean;

use super::config::LabelledConfig;
use crate::{
    DataError, DataFile, Paths, Tokenizer, packing::Unpacked, packing::unpacked_name,
    paths::find::Found,
};

/// A row of a file.
pub(super) struct Labelled {
    pub(super) tokens: Vec<i32>,
    pub(super) label: String,
    pub(super) place: Place,
}

/// Where a row stands.
#[derive(Clone)]
pub(super) struct Place {
    /// The number of the file.
    file: usize,
    line: u64,
}

/// The rows of files, in their order.
pub(super) struct Table {
    /// The setting that names the files.
    pub(super) field: &'static str,
    pub(super) rows: Vec<Labelled>,
    pub(super) files: Vec<DataFile>,
}

impl Table {
    /// Reads the files that were found for the paths `given`.
    pub(super) fn read(
        (field, given): (&'static str, &Paths),
        found: &[Found],
        config: &LabelledConfig,
        tokenizer: &Tokenizer,
    ) -> Result<Self, DataError> {
        let mut table = Self {
            field,
            rows: Vec::new(),
            files: Vec::new(),
        };
        for file in found {
            let before = table.rows.len();
            table.files.push(DataFile {
                path: file.path.clone(),
                bytes: 0,
            });
            let bytes = table.add(config, tokenizer)?;
            if table.rows.len() == before && file.named {
                let path = file.path.display().to_string();
                return Err(DataError::Empty { field, path });
            }
            if let Some(last) = table.files.last_mut() {
                last.bytes = bytes;
            }
        }
        if table.rows.is_empty() {
            let path = given.to_string();
            return Err(DataError::Empty { field, path });
        }
        table.longest(config.seq_len)?;
        Ok(table)
    }

    /// Adds the rows of the last file, and gives the bytes of their sequences.
    fn add(&mut self, config: &LabelledConfig, tokenizer: &Tokenizer) -> Result<u64, DataError> {
        let file = self.files.len() - 1;
        let path = self.files[file].path.clone();
        let is_tabs = unpacked_name(&path)
            .extension()
            .is_some_and(|end| end == "tsv");
        let mut reader = ReaderBuilder::new()
            .delimiter(if is_tabs { b'\t' } else { b',' })
            .from_reader(Unpacked::open(&path)?);
        let header = reader.headers().cloned();
        let header = header.map_err(|error| self.not_read(&path, &reader, error))?;
        if header.is_empty() {
            return Ok(0);
        }
        let [sequence, label] = [("sequence", &config.sequence), ("label", &config.label)]
            .map(|(field, name)| column(&header, field, name, &path));
        let (sequence, label) = (sequence?, label?);
        let mut record = StringRecord::new();
        let mut bytes = 0;
        loop {
            let more = reader.read_record(&mut record);
            if !more.map_err(|error| self.not_read(&path, &reader, error))? {
                return Ok(bytes);
            }
            let line = record.position().map_or(0, csv::Position::line);
            let place = Place { file, line };
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            let (letters, label) = (cell(sequence), cell(label));
            for (cell, name) in [(letters, &config.sequence), (label, &config.label)] {
                if cell.is_empty() {
                    let why = format!("has nothing in the column {name:?}");
                    return Err(self.refused(self.field, &place, why));
                }
            }
            let tokens = tokenizer.encode(letters.as_bytes()).map_err(|error| {
                let name = &config.sequence;
                let why = match error {
                    DataError::Letter { at, letter, why } => {
                        format!("has {letter} at letter {} of {name:?}, {why}", at + 1)
                    }
                    other => format!("has in {name:?} what cannot be tokens: {other}"),
                };
                self.refused(self.field, &place, why)
            })?;
            bytes += letters.len() as u64;
            self.rows.push(Labelled {
                tokens,
                label: label.to_owned(),
                place,
            });
        }
    }

    /// Refuses sequences that are too long by the longest of them.
    fn longest(&self, seq_len: usize) -> Result<(), DataError> {
        let too_long = self.rows.iter().filter(|row| row.tokens.len() > seq_len);
        let count = too_long.clone().count();
        let Some(row) = too_long.max_by_key(|row| row.tokens.len()) else {
            return Ok(());
        };
        let len = row.tokens.len();
        let others = match count {
            1 => String::new(),
            count => format!(", the longest of {count} that are too long"),
        };
        let why = format!(
            "has a sequence of {len} tokens, {} more than seq_len = {seq_len}{others}: set seq_len = {len} or more, for nothing is cut off",
            len - seq_len
        );
        Err(self.refused("seq_len", &row.place, why))
    }

    /// The error for a row.
    pub(super) fn refused(&self, field: &'static str, place: &Place, why: String) -> DataError {
        DataError::Record {
            field,
            path: self.files[place.file].path.clone(),
            place: format!("line {} of ", place.line),
            why,
        }
    }

    /// The error of a reader.
    fn not_read(&self, path: &Path, reader: &Reader<Unpacked>, error: csv::Error) -> DataError {
        let line = error.position().map(csv::Position::line);
        let why = match error.into_kind() {
            ErrorKind::Io(source) => return reader.get_ref().failed(source),
            ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => format!("has {len} cells, and the first line has {expected_len}"),
            ErrorKind::Utf8 { err, .. } => format!("is not UTF-8 in cell {}", err.field() + 1),
            other => format!("is not CSV: {other:?}"),
        };
        DataError::Record {
            field: self.field,
            path: path.to_owned(),
            place: line.map_or_else(String::new, |line| format!("line {line} of ")),
            why,
        }
    }
}

/// The number of a column; `field` is the setting with its name.
fn column(
    header: &StringRecord,
    field: &'static str,
    name: &str,
    path: &Path,
) -> Result<usize, DataError> {
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    let found: Vec<usize> = (0..names.len()).filter(|&at| names[at] == name).collect();
    let why = match (&*found, &*names) {
        (&[at], _) => return Ok(at),
        ([], names) => {
            let near = did_you_mean(name, names.iter().copied());
            let near = near.map(|near| format!("; did you mean {field} = {near:?}?"));
            format!(
                "has no column {name:?} in its first line, which names {}{}",
                names.join(", "),
                near.unwrap_or_else(|| format!(": name one of them with {field} = \"…\""))
            )
        }
        (several, _) => format!(
            "has {} columns {name:?} in its first line: give them names of their own",
            several.len()
        ),
    };
    let (path, place) = (path.to_owned(), String::new());
    Err(DataError::Record {
        field,
        path,
        place,
        why,
    })
}
