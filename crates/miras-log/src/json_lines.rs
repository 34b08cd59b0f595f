//! `metrics.jsonl`: one JSON object per line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use miras_run::{RunError, write_atomic};
use serde::Deserialize;
use serde_json::Value;

use crate::append::{AppendFile, make_folder_of};
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

    /// Continues the file at `path` after `step`, with those points of before for which `keeps` is
    /// true, given their step and tag.
    ///
    /// All others and a torn last line are dropped, in one atomic replacement; lines that are kept
    /// as a whole stay unchanged. A missing file is created.
    ///
    /// # Errors
    /// As [`read`](Self::read); the file is then unchanged.
    pub fn resume(
        path: impl AsRef<Path>,
        step: u64,
        keeps: &dyn Fn(u64, &str) -> bool,
    ) -> Result<Self, LogError> {
        let path = path.as_ref();
        make_folder_of(path)?;
        if let Some(old) = content(path)? {
            let mut kept = Vec::with_capacity(old.len());
            for (text, line) in lines(path, &old)?.0 {
                if line.step > step {
                    continue;
                }
                let is_kept = |tag: &str| tag == TOKENS || keeps(line.step, tag);
                let points = || line.values.keys().filter(|tag| *tag != TOKENS);
                if line.values.keys().all(|tag| is_kept(tag)) {
                    kept.extend_from_slice(text);
                    kept.push(b'\n');
                } else if points().any(|tag| is_kept(tag)) {
                    let values = line.values.iter().filter(|(tag, _)| is_kept(tag));
                    let values = values.map(|(tag, value)| (&**tag, value.clone()));
                    kept.extend_from_slice(json(line.step, values).as_bytes());
                }
            }
            if kept != old {
                write_atomic(path, &kept)?;
            }
        }
        let file = AppendFile::open(path)?;
        Ok(Self { file })
    }

    /// Reads the lines of a file, empty if it is missing, and whether the final line is torn.
    ///
    /// A torn final line, which is being written or was cut by a kill, is skipped.
    ///
    /// # Errors
    /// [`LogError::Line`] for a complete line that is not a JSON object with a step.
    pub fn read(path: impl AsRef<Path>) -> Result<(Vec<Line>, bool), LogError> {
        let path = path.as_ref();
        let bytes = content(path)?.unwrap_or_default();
        let (lines, is_torn) = lines(path, &bytes)?;
        Ok((lines.into_iter().map(|(_, line)| line).collect(), is_torn))
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
        let values = values.iter().map(|(tag, value)| (&**tag, number(*value)));
        let values = std::iter::once((TOKENS, Value::from(tokens))).chain(values);
        self.file.append(json(step, values).as_bytes())
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.sync()
    }
}

fn number(value: f64) -> Value {
    if value.is_finite() {
        Value::from(value)
    } else {
        // Rust writes these as `NaN`, `inf` and `-inf`, as documented.
        Value::from(value.to_string())
    }
}

/// The key of the number of tokens, which is not a metric.
const TOKENS: &str = "tokens";

/// One line of a file of metrics.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// Optimiser steps done.
    pub step: u64,
    /// The scalars by name; numbers that JSON lacks are strings.
    #[serde(flatten)]
    pub values: BTreeMap<String, Value>,
}

/// A line as it is written, with its end.
fn json<'a>(step: u64, values: impl Iterator<Item = (&'a str, Value)>) -> String {
    let mut text = format!("{{\"step\":{step}");
    for (tag, value) in values {
        // `Value` displays as JSON, with every escape that a tag may need. Writing to a `String`
        // cannot fail.
        let _ = write!(text, ",{}:{value}", Value::from(tag));
    }
    text + "}\n"
}

fn content(path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(RunError::io("read", path)(cause).into()),
    }
}

/// A line without its line end, and its content.
type Parsed<'a> = (&'a [u8], Line);

/// Every line, and whether the final one is torn.
fn lines<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Vec<Parsed<'a>>, bool), LogError> {
    let (mut found, mut is_torn) = (Vec::new(), false);
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = line.strip_suffix(b"\n");
        match (serde_json::from_slice(line), text) {
            (Ok(parsed), text) => found.push((text.unwrap_or(line), parsed)),
            (Err(_), None) => is_torn = true,
            (Err(cause), Some(_)) => {
                return Err(LogError::Line {
                    path: path.to_path_buf(),
                    number: at + 1,
                    cause: cause.to_string(),
                });
            }
        }
    }
    Ok((found, is_torn))
}
