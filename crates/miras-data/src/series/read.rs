//! The numbers of a CSV file, column by column.

use std::{io::Read, path::Path};

use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};
use memchr::memchr_iter;
use miras_config::did_you_mean;

use crate::{DataError, packing::Unpacked};

/// What the first column of a table is called where it is a date: in lower case, and left out
/// even if it is a number.
const DATES: [&str; 4] = ["date", "datetime", "time", "timestamp"];

/// The columns of a file that were asked for.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    /// As many values in each.
    pub(super) values: Vec<Vec<f64>>,
    /// The column that was left out because it is a date.
    pub(super) date: Option<String>,
}

/// What is read, for errors.
struct Place<'a> {
    field: &'static str,
    path: &'a Path,
    bytes: &'a [u8],
}

impl Place<'_> {
    /// An error about the row of which a reader says that it begins at `byte`.
    fn refused(&self, byte: u64, why: String) -> DataError {
        // Blank lines before a row are of it for the reader.
        let is_blank = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let byte = byte as usize;
        let begin = byte + self.bytes[byte..].iter().take_while(is_blank).count();
        let line = 1 + memchr_iter(b'\n', &self.bytes[..begin]).count();
        DataError::Record {
            field: self.field,
            path: self.path.to_owned(),
            place: format!("line {line} of "),
            why,
        }
    }
}

impl Columns {
    /// Reads the columns of `wanted`, in that order; without any, all but a date in front.
    pub(super) fn read(
        field: &'static str,
        path: &Path,
        wanted: &[String],
    ) -> Result<Self, DataError> {
        let (mut source, mut bytes) = (Unpacked::open(path)?, Vec::new());
        let read = source.read_to_end(&mut bytes);
        read.map_err(|error| source.failed(error))?;
        let place = Place {
            field,
            path,
            bytes: &bytes,
        };
        let mut reader = ReaderBuilder::new().from_reader(bytes.as_slice());
        let names = header(&place, reader.headers().cloned().map_err(failed(&place)))?;
        let mut row = StringRecord::new();
        let mut next = |row: &mut StringRecord| reader.read_record(row).map_err(failed(&place));
        if !next(&mut row)? {
            let why = "names columns, and there is no row of numbers below";
            return Err(place.refused(0, why.to_owned()));
        }
        let first = row.get(0).unwrap_or_default();
        let has_date = DATES.contains(&&*names[0].to_lowercase())
            || number(first).is_none() && !is_missing(first);
        let chosen = if wanted.is_empty() {
            (usize::from(has_date)..names.len()).collect()
        } else {
            found(path, &names, wanted)?
        };
        if chosen.is_empty() {
            let why = format!("names one column, `{}`, which is no number", names[0]);
            return Err(place.refused(0, why));
        }
        let mut values = vec![Vec::new(); chosen.len()];
        loop {
            let begin = row.position().map_or(0, Position::byte);
            for (values, &at) in values.iter_mut().zip(&chosen) {
                let value = cell(&place, begin, &names[at], row.get(at).unwrap_or_default())?;
                values.push(value);
            }
            if !next(&mut row)? {
                break;
            }
        }
        let left_out = has_date && !chosen.contains(&0);
        Ok(Self {
            date: left_out.then(|| names[0].clone()),
            names: chosen.iter().map(|&at| names[at].clone()).collect(),
            values,
        })
    }
}

/// Whether a cell stands for a number that is not known, and not for a date.
fn is_missing(cell: &str) -> bool {
    let cell = cell.trim().to_lowercase();
    [
        "", "-", "?", "na", "n/a", "nan", "null", "none", "inf", "-inf",
    ]
    .contains(&&*cell)
}

/// The names of the columns.
fn header(place: &Place, read: Result<StringRecord, DataError>) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = read?.iter().map(|name| name.trim().to_owned()).collect();
    if names.is_empty() {
        return Err(DataError::Empty {
            field: place.field,
            path: place.path.display().to_string(),
        });
    }
    if names.iter().all(|name| number(name).is_some()) {
        let why = "has numbers where the names of the columns are expected: put a line of names \
                   in front, such as `date,a,b`";
        return Err(place.refused(0, why.to_owned()));
    }
    if let ([one], Some(other)) = (&names[..], names[0].chars().find(|c| ";\t|".contains(*c))) {
        let why = format!(
            "is one column, `{one}`: columns are separated by commas here, and not by {other:?}"
        );
        return Err(place.refused(0, why));
    }
    if let Some(name) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
        let why = format!(
            "names two columns `{}`: give each its own name",
            names[name]
        );
        return Err(place.refused(0, why));
    }
    Ok(names)
}

/// Where the wanted columns are.
fn found(path: &Path, names: &[String], wanted: &[String]) -> Result<Vec<usize>, DataError> {
    let mut chosen = Vec::new();
    for name in wanted {
        let Some(at) = names.iter().position(|known| known == name) else {
            let hint = match did_you_mean(name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has {}", names.join(", ")),
            };
            let problem = format!("`{}` has no column `{name}`; {hint}", path.display());
            let problems = vec![("columns", problem)];
            return Err(DataError::Config { problems });
        };
        chosen.push(at);
    }
    Ok(chosen)
}

/// A number as it is written; none for one that is not written as one.
fn number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok()
}

fn cell(place: &Place, begin: u64, column: &str, cell: &str) -> Result<f64, DataError> {
    let what = match number(cell) {
        Some(value) if value.is_finite() => return Ok(value),
        _ if cell.trim().is_empty() => "no value".to_owned(),
        Some(_) => format!("`{}`, which is no finite number,", cell.trim()),
        None => format!("`{}`, which is no number,", cell.trim()),
    };
    let why = format!(
        "has {what} in column `{column}`: a series has a number in every row, so fill the gap or cut the rows, or name other columns with data.columns"
    );
    Err(place.refused(begin, why))
}

fn failed(place: &Place<'_>) -> impl Fn(csv::Error) -> DataError {
    move |error| {
        let begin = error.position().map_or(0, Position::byte);
        let why = match error.kind() {
            ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => {
                format!("has {len} values, and the first line names {expected_len} columns")
            }
            ErrorKind::Utf8 { .. } => "is no text in UTF-8".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        place.refused(begin, why)
    }
}
