//! Files, as they are or compressed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::TaskError;

/// Whether a file has a record a line, by its name.
pub(crate) fn has_records(path: &Path) -> bool {
    let ends = |path: &Path, names: &[&str]| {
        path.extension()
            .is_some_and(|end| names.iter().any(|name| end == *name))
    };
    let plain = if ends(path, &["gz"]) {
        path.with_extension("")
    } else {
        path.to_owned()
    };
    ends(&plain, &["jsonl", "ndjson"])
}

/// The content of a file.
pub(crate) fn whole(path: &Path) -> Result<String, TaskError> {
    let read = || {
        let mut text = String::new();
        open(path)?.read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    };
    let text = read().map_err(|cause| TaskError::Read {
        path: path.to_owned(),
        cause,
    })?;
    if text.trim().is_empty() {
        return Err(TaskError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// A file, decompressed if its name ends in `.gz`.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    if path.extension().is_some_and(|end| end == "gz") {
        return Ok(Box::new(MultiGzDecoder::new(file)));
    }
    Ok(Box::new(file))
}
