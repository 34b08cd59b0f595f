//! Files, as they are or compressed.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use miras_data::{Unpacked, unpacked_name};

use crate::TaskError;

/// Whether a file has a record a line, by its name.
pub(crate) fn has_records(path: &Path) -> bool {
    let name = unpacked_name(path);
    let ending = name.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ["jsonl", "ndjson"].contains(&ending))
}

/// The content of a file.
pub(crate) fn whole(path: &Path) -> Result<String, TaskError> {
    let (mut file, mut text) = (open(path)?, String::new());
    if let Err(cause) = file.read_to_string(&mut text) {
        return Err(TaskError::Read(file.failed(cause)));
    }
    if text.trim().is_empty() {
        return Err(TaskError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// A file, decompressed if its name says that it is compressed.
pub(crate) fn open(path: &Path) -> Result<Unpacked, TaskError> {
    Unpacked::open(path).map_err(TaskError::Read)
}
