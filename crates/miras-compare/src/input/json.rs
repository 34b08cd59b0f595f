//! Files of a JSON value a line.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use miras_run::RunError;
use serde::de::DeserializeOwned;

use crate::CompareError;

/// A file of one value a line, none if there is no such file; and whether the last line is torn.
///
/// A process may be writing it, or was killed while it did: a last line without an end that is
/// no value is torn, and left out. Any other line that is none is an error.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, bool), CompareError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), false)),
        result => result.map_err(RunError::io("read", path))?,
    };
    let (mut values, mut is_torn) = (Vec::new(), false);
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(value) => values.push(value),
            Err(_) if !line.ends_with(b"\n") => is_torn = true,
            Err(error) => {
                let why = format!("line {}: {error}", at + 1);
                return Err(CompareError::damaged(path, why));
            }
        }
    }
    Ok((values, is_torn))
}
