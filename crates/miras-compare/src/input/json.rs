//! Files of a JSON value a line.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use miras_run::RunError;
use serde::de::DeserializeOwned;

use crate::CompareError;

/// A file of one value a line; none if there is no such file.
///
/// A process may be writing it, or was killed while it did: a last line without an end that is
/// no value is left out. Any other line that is none is an error.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CompareError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(RunError::io("read", path))?,
    };
    let mut values = Vec::new();
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(value) => values.push(value),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(error) => {
                let why = format!("line {}: {error}", at + 1);
                return Err(CompareError::damaged(path, why));
            }
        }
    }
    Ok(values)
}
