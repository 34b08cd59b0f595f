//! Parquet: a text in each row of a column.

use std::{fs::File, path::Path};

use parquet::{
    basic::{Compression, Type},
    column::reader::ColumnReader,
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::SchemaDescriptor,
};

use super::field::{KEY, Take, meant};
use crate::DataError;

/// Rows that are read at once.
const ROWS: usize = 256;

/// Gives the text of each row of the column `field`; of a nested one, names with dots between.
pub(super) fn each(
    (key, path): (&'static str, &Path),
    field: &str,
    take: &mut Take<'_>,
) -> Result<(), DataError> {
    let refused = |field, place: &str, why: String| DataError::Record {
        field,
        path: path.to_owned(),
        place: place.to_owned(),
        why,
    };
    let failed = |error: ParquetError| {
        let why = format!("is no Parquet file that can be read: {error}");
        refused(key, "", why)
    };
    let file = File::open(path).map_err(DataError::read(path))?;
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let column = column(schema, field).map_err(|why| refused(KEY, "", why))?;
    let filled = schema.column(column).max_def_level();
    let mut row = 0_u64;
    for group in 0..reader.num_row_groups() {
        let compression = metadata.row_group(group).column(column).compression();
        if let Some(why) = packed(compression) {
            return Err(refused(key, "", why));
        }
        let group = reader.get_row_group(group).map_err(failed)?;
        let ColumnReader::ByteArrayColumnReader(mut texts) =
            group.get_column_reader(column).map_err(failed)?
        else {
            unreachable!("the type of the column was looked at");
        };
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        loop {
            values.clear();
            levels.clear();
            let read = texts.read_records(ROWS, Some(&mut levels), None, &mut values);
            let (rows, ..) = read.map_err(failed)?;
            if rows == 0 {
                break;
            }
            let (mut values, mut levels) = (values.iter(), levels.iter());
            for _ in 0..rows {
                row += 1;
                let refused = |why: &str| {
                    let why = format!("has {why} in the column {field:?}");
                    Err(refused(KEY, &format!("row {row} of "), why))
                };
                // A column without nulls has no levels.
                let is_there = filled == 0 || levels.next() == Some(&filled);
                let Some(value) = values.next().filter(|_| is_there) else {
                    return refused("null in place of a text");
                };
                match str::from_utf8(value.data()) {
                    Ok(text) if text.contains('\0') => return refused("a NUL character"),
                    Ok(text) => take(text)?,
                    Err(_) => return refused("bytes that are not UTF-8"),
                }
            }
        }
    }
    Ok(())
}

/// The number of a column of texts.
fn column(schema: &SchemaDescriptor, field: &str) -> Result<usize, String> {
    let name = |at: usize| schema.column(at).path().string();
    let is_text = |at: usize| {
        let column = schema.column(at);
        column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0
    };
    let all = 0..schema.num_columns();
    match all.clone().find(|&at| name(at) == field) {
        Some(at) if is_text(at) => Ok(at),
        Some(at) => {
            let column = schema.column(at);
            let what = if column.max_rep_level() > 0 {
                "lists".to_owned()
            } else {
                column.physical_type().to_string()
            };
            Err(format!(
                "has values of another type in the column {field:?}, {what}: expected texts"
            ))
        }
        None => {
            let names: Vec<String> = all.clone().map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let likely = all.clone().find(|&at| is_text(at)).map(|at| names[at]);
            Err(format!(
                "has no column {field:?}, {}",
                meant(field, &names, likely)
            ))
        }
    }
}

/// Why a column chunk cannot be unpacked, if it cannot.
fn packed(compression: Compression) -> Option<String> {
    let codec = match compression {
        Compression::BROTLI(_) => "brotli",
        Compression::LZO => "LZO",
        _ => return None,
    };
    Some(format!(
        "is packed with {codec} inside, which is not read: write it anew with snappy or zstd, as \
         pandas does by default"
    ))
}
