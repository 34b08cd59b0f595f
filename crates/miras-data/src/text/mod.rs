//! Bytes of files, read by position: a corpus may be larger than memory.

mod cache;
mod corpus;
mod find;
mod paths;

use std::{io, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

pub use paths::Paths;

use crate::{
    DataError, Dataset, Description, Problem,
    config::{check_seq_len, check_valid_fraction},
    windows::{Bytes, Span, Windows},
};
pub(crate) use cache::folders as cache_folders;
use corpus::Corpus;

/// Byte-level text from files.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// Files, folders and patterns, as one string or a list.
    ///
    /// A relative path starts from the working directory, `~/` from the home directory. A
    /// folder gives all files below it in the order of their names, except hidden ones; links
    /// to folders inside it are not followed. A `.gz` file is decompressed once and the copy
    /// kept in the user's cache folder.
    pub path: Paths,
    /// Tokens, that is bytes, in a row (1 to 16777216).
    pub seq_len: usize,
    /// Share of the corpus kept for validation, at its end (between 0 and 1); default 0.1; not
    /// beside `valid_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_fraction: Option<f64>,
    /// Files for validation, in the same forms as `path`; the whole of `path` is then for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<Paths>,
    /// Accept files that are not text: with NUL bytes, or not UTF-8, in their first 64 KiB.
    pub allow_binary: bool,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            seq_len: 256,
            valid_fraction: None,
            valid_path: None,
            allow_binary: false,
        }
    }
}

/// What is kept for validation where nothing is said.
const VALID_FRACTION: f64 = 0.1;

impl TextConfig {
    /// With the default of `valid_fraction` filled in, where there is one.
    #[must_use]
    pub fn settled(mut self) -> Self {
        if self.valid_path.is_none() {
            self.valid_fraction.get_or_insert(VALID_FRACTION);
        }
        self
    }

    /// The same with paths that do not depend on the working directory.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.absolute()?,
            valid_path: self.valid_path.as_ref().map(Paths::absolute).transpose()?,
            ..self.clone()
        })
    }

    /// All problems that show without opening a file; empty if there are none.
    pub fn validate(&self) -> Vec<Problem> {
        let missing = "must name a file, a folder or a pattern such as `books/*.txt`";
        let mut problems = Vec::new();
        if self.path.is_blank() {
            problems.push(("path", missing.to_owned()));
        }
        if self.valid_path.as_ref().is_some_and(Paths::is_blank) {
            problems.push(("valid_path", missing.to_owned()));
        }
        problems.extend(check_seq_len(self.seq_len));
        if self.valid_path.is_some() && self.valid_fraction.is_some() {
            let message = "has no effect beside valid_path, which is the whole validation part: \
                           leave one of them out";
            problems.push(("valid_fraction", message.to_owned()));
        }
        problems.extend(self.valid_fraction.and_then(check_valid_fraction));
        problems
    }
}

/// Opens text that is for evaluation alone: all of it is the validation part.
///
/// # Errors
/// As [`open`](crate::open); the field in them is `path`.
pub fn open_held_out(
    paths: &Paths,
    seq_len: usize,
    allow_binary: bool,
) -> Result<Box<dyn Dataset>, DataError> {
    let files = find::Finder::default().files("path", paths)?;
    let corpus = Corpus::open("path", paths, &files, allow_binary, &cache_folders())?;
    let mut files = corpus.files();
    let file_count = files.len();
    files.truncate(100);
    let description = Description {
        kind: "text",
        name: paths.to_string(),
        train_bytes: None,
        valid_bytes: Some(corpus.len()),
        fingerprint: corpus.fingerprint()?,
        valid_fingerprint: None,
        file_count,
        files,
    };
    let windows = Windows::held_out(Arc::new(corpus), seq_len, description)?;
    Ok(Box::new(windows))
}

/// Opens the files; `caches` are the folders to try for decompressed copies.
pub(crate) fn open(
    config: &TextConfig,
    seed: u64,
    caches: &[PathBuf],
) -> Result<Windows, DataError> {
    let mut found = find::Finder::default();
    let mut corpus = |field, paths| -> Result<Corpus, DataError> {
        let files = found.files(field, paths)?;
        Corpus::open(field, paths, &files, config.allow_binary, caches)
    };
    let train = corpus("path", &config.path)?;
    let valid = match &config.valid_path {
        Some(paths) => Some(corpus("valid_path", paths)?),
        None => None,
    };

    let mut files = train.files();
    files.extend(valid.iter().flat_map(Corpus::files));
    let file_count = files.len();
    files.truncate(100);
    let fingerprint = train.fingerprint()?;
    let valid_fingerprint = valid.as_ref().map(Corpus::fingerprint).transpose()?;

    let (train, valid) = if let Some(valid) = valid {
        (Span::whole(Arc::new(train)), Span::whole(Arc::new(valid)))
    } else {
        let fraction = config.valid_fraction.unwrap_or(VALID_FRACTION);
        Span::split(Arc::new(train), fraction)
    };
    let description = Description {
        kind: "text",
        name: config.path.to_string(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint,
        valid_fingerprint,
        file_count,
        files,
    };
    Windows::new((train, valid), config.seq_len, seed, description)
}

#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
