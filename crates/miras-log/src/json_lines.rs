//! `metrics.jsonl`: one JSON object a line.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::append::{AppendFile, make_folder_of, replace};
use crate::{LogError, Tracker};

/// Writes scalars as lines such as
/// `{"step":20,"tokens":40960,"train/loss":2.3412}`.
///
/// Numbers that JSON lacks become the strings `"NaN"`, `"inf"` and `"-inf"`.
/// Each line reaches the file in one write.
pub struct JsonLines {
    file: AppendFile,
}

impl JsonLines {
    /// Begins an empty file at `path`; earlier content is dropped.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref();
        make_folder_of(path)?;
        let file = AppendFile::create(path)?;
        Ok(Self { file })
    }

    /// Goes on with the file at `path` after `step`.
    ///
    /// Lines of later steps and a torn last line are dropped, in one atomic
    /// replacement; all other lines stay byte for byte. A missing file is made.
    pub fn resume(path: impl AsRef<Path>, step: u64) -> Result<Self, LogError> {
        let path = path.as_ref();
        make_folder_of(path)?;
        match fs::read(path) {
            Ok(old) => {
                let kept = keep_up_to(&old, step);
                if kept != old {
                    replace(path, &kept)?;
                }
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(LogError::io("read", path, cause)),
        }
        let file = AppendFile::open(path)?;
        Ok(Self { file })
    }

    /// The file written to.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Tracker for JsonLines {
    fn scalars(
        &mut self,
        step: u64,
        tokens: u64,
        values: &[(String, f64)],
    ) -> Result<(), LogError> {
        let mut line = format!("{{\"step\":{step},\"tokens\":{tokens}");
        for (tag, value) in values {
            // `Value` displays as JSON, with every escape that a tag may need.
            let tag = Value::from(tag.as_str());
            // Writing to a `String` cannot fail.
            let _ = write!(line, ",{tag}:{}", number(*value));
        }
        line.push_str("}\n");
        self.file.append(line.as_bytes())
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.sync()
    }
}

fn number(value: f64) -> Value {
    if value.is_finite() {
        Value::from(value)
    } else {
        // Rust spells these `NaN`, `inf` and `-inf`, which is what we promise.
        Value::from(value.to_string())
    }
}

#[derive(Deserialize)]
struct Line {
    step: u64,
}

/// The lines of `old` that a run resumed at `step` keeps.
fn keep_up_to(old: &[u8], step: u64) -> Vec<u8> {
    let mut kept = Vec::with_capacity(old.len());
    let mut lines = old.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        match serde_json::from_slice::<Line>(line) {
            Ok(parsed) if parsed.step > step => {}
            Err(_) if is_last => {}
            // A line in the middle that is not ours stays: dropping what we do
            // not understand is not the business of a resume.
            Ok(_) | Err(_) => kept.extend_from_slice(line),
        }
    }
    if kept.last().is_some_and(|byte| *byte != b'\n') {
        kept.push(b'\n');
    }
    kept
}
