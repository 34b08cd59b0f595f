//! Files of JSON lines, record by record.

use miras_config::did_you_mean;
use miras_data::{DataError, Unpacked};
use miras_run::sha256_of_file;
use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{TaskError, file::open};

/// The records of a file: one JSON object a line, also compressed with gzip or zstd (`.gz`, `.zst`). Empty lines are
/// skipped.
pub struct Records {
    path: PathBuf,
    lines: BufReader<Unpacked>,
    line: u64,
    count: u64,
}

/// A JSON object and where it is.
#[derive(Debug, Clone)]
pub struct Record {
    path: PathBuf,
    line: u64,
    fields: Map<String, Value>,
}

/// The SHA-256 of a file as it lies on the disk.
pub fn checksum(path: &Path) -> Result<String, TaskError> {
    sha256_of_file(path).map_err(|source| {
        TaskError::Read(DataError::Read {
            path: path.to_owned(),
            source,
        })
    })
}

impl Records {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, TaskError> {
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::new(open(path)?),
            line: 0,
            count: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Record>, TaskError> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = self.lines.read_until(b'\n', &mut text);
            let read = read.map_err(|cause| TaskError::Read(self.lines.get_ref().failed(cause)))?;
            if read == 0 {
                return match self.count {
                    0 => Err(TaskError::Empty {
                        path: self.path.clone(),
                    }),
                    _ => Ok(None),
                };
            }
            self.line += 1;
            if !text.trim_ascii().is_empty() {
                break;
            }
        }
        self.count += 1;
        let problem = |problem: String| TaskError::Line {
            path: self.path.clone(),
            line: self.line,
            problem,
        };
        // The mark that some programs write at the start of a file.
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        match serde_json::from_slice(text) {
            Ok(Value::Object(fields)) => Ok(Some(Record {
                path: self.path.clone(),
                line: self.line,
                fields,
            })),
            Ok(other) => Err(problem(format!(
                "a JSON object was expected, not {}",
                kind(&other)
            ))),
            Err(error) => {
                // Of its two places the line is known already.
                let (what, column) = (error.to_string(), error.column());
                let what = what.split(" at line ").next().unwrap_or_default();
                Err(problem(format!("not JSON: {what}, at column {column}")))
            }
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Record {
    /// Its line, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether it has a field.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// That something is wrong with it.
    pub fn error(&self, problem: impl Display) -> TaskError {
        TaskError::Line {
            path: self.path.clone(),
            line: self.line,
            problem: problem.to_string(),
        }
    }

    fn get(&self, field: &str) -> Result<&Value, TaskError> {
        self.fields.get(field).ok_or_else(|| {
            let names = || self.fields.keys().map(String::as_str);
            let hint = did_you_mean(field, names())
                .map_or_else(String::new, |hint| format!(" (did you mean `{hint}`?)"));
            let has: Vec<_> = names().map(|name| format!("`{name}`")).collect();
            let has = match &has[..] {
                [] => "no field".to_owned(),
                _ => has.join(", "),
            };
            self.error(format!(
                "the field `{field}` is missing{hint}: the record has {has}"
            ))
        })
    }

    /// The text of a field.
    pub fn text(&self, field: &str) -> Result<&str, TaskError> {
        let value = self.get(field)?;
        value
            .as_str()
            .ok_or_else(|| self.error(format!("`{field}` must be a text, not {}", kind(value))))
    }

    /// The texts of a field.
    pub fn texts(&self, field: &str) -> Result<Vec<&str>, TaskError> {
        self.texts_of(field, self.get(field)?)
    }

    fn texts_of<'a>(&self, field: &str, value: &'a Value) -> Result<Vec<&'a str>, TaskError> {
        let texts = value
            .as_array()
            .and_then(|all| all.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| self.error(format!("`{field}` must be a list of texts")))
    }

    /// The texts of a field of a field, or of the field itself if it is a list.
    fn texts_in(&self, outer: &str, inner: &str) -> Result<Vec<&str>, TaskError> {
        match self.get(outer)? {
            Value::Object(fields) => {
                let name = format!("{outer}.{inner}");
                let missing = || self.error(format!("the field `{name}` is missing"));
                self.texts_of(&name, fields.get(inner).ok_or_else(missing)?)
            }
            list => self.texts_of(outer, list),
        }
    }

    /// The texts of `choices`, and which of them is right: by its letter in `answerKey`, as AI2 has it,
    /// or by its number in `label`.
    pub(crate) fn choices(&self) -> Result<(Vec<&str>, usize), TaskError> {
        if self.has("answerKey") {
            let (choices, labels) = self.labelled("choices")?;
            return Ok((choices, self.label_among("answerKey", &labels)?));
        }
        let choices = self.texts_in("choices", "text")?;
        let right = self.label("label", choices.len())?;
        Ok((choices, right))
    }

    /// Texts that each have a label, and the labels.
    fn labelled(&self, field: &str) -> Result<(Vec<&str>, Vec<&str>), TaskError> {
        let (texts, labels) = (
            self.texts_in(field, "text")?,
            self.texts_in(field, "label")?,
        );
        if texts.len() == labels.len() {
            return Ok((texts, labels));
        }
        let (texts, labels) = (texts.len(), labels.len());
        Err(self.error(format!("`{field}` has {texts} texts and {labels} labels")))
    }

    /// Which of `count` choices a field names: a number from 0, as a number or a text.
    pub fn label(&self, field: &str, count: usize) -> Result<usize, TaskError> {
        let value = self.get(field)?;
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(yes) => Some(u64::from(*yes)),
            other => other.as_u64(),
        };
        let fits = |label: &usize| *label < count;
        let label = number
            .and_then(|label| usize::try_from(label).ok())
            .filter(fits);
        label.ok_or_else(|| {
            let range = match count {
                0 => "there is no choice".to_owned(),
                _ => format!("there are {count} choices: give 0 to {}", count - 1),
            };
            self.error(format!("`{field}` is {value}, and {range}"))
        })
    }

    /// Which of `names` a field is.
    pub(crate) fn label_among(&self, field: &str, names: &[&str]) -> Result<usize, TaskError> {
        let value = self.text(field)?.trim();
        names.iter().position(|name| *name == value).ok_or_else(|| {
            let names = names.join(", ");
            self.error(format!(
                "`{field}` is \"{value}\", which is none of {names}"
            ))
        })
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
