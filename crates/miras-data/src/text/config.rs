//! The settings of text from files.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{
    DataConfig, DataError, DataKind, Dataset, Kind, Paths, Problem, Tokenizer,
    kinds::{self, check_seq_len, check_valid_fraction},
    paths, tokenizer,
};

pub(crate) const KIND: Kind = Kind {
    name: "text",
    summary: "text files, folders, patterns and .gz files, as bytes or as tokens of a byte-level BPE",
    keys: &[
        (
            "path",
            "files, folders, patterns and .gz files, one string or a list; relative to the working directory, `~/` to the home directory",
        ),
        (
            "tokenizer",
            "what a token is: \"bytes\", or the path of a byte-level BPE: tokenizer.json, vocab.json with merges.txt beside it, or a folder with either",
        ),
        kinds::SEQ_LEN,
        kinds::VALID_FRACTION,
        (
            "valid_path",
            "files for validation, in place of valid_fraction; all of path is then for training",
        ),
        (
            "separator",
            "text between two files, such as \"<|endoftext|>\"; `generate` ends there; none by default",
        ),
        (
            "allow_binary",
            "true: take the bytes of all files as they are, also of those that are not UTF-8 text, JSON and Parquet included",
        ),
    ],
    default: || TextConfig::default().settled().into(),
    take: |section| Ok(section.part::<TextConfig>()?.settled().into()),
};

/// Text from files.
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
    /// What a token is: `"bytes"`, or the path of a byte-level BPE.
    ///
    /// A `tokenizer.json`, a `vocab.json` with `merges.txt` beside it, or a folder with either.
    /// The text is encoded once and the tokens kept in the user's cache folder.
    pub tokenizer: String,
    /// Tokens in a row (1 to 16777216).
    pub seq_len: usize,
    /// Share of the corpus kept for validation, at its end (between 0 and 1); default 0.1; not
    /// beside `valid_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_fraction: Option<f64>,
    /// Files for validation, in the same forms as `path`; the whole of `path` is then for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<Paths>,
    /// The text between two files. If the tokenizer has a token that is written like it, such as
    /// `<|endoftext|>`, it is that token.
    pub separator: String,
    /// Take the bytes of all files as they are, also of files that are not UTF-8 text, of records
    /// (JSON, Parquet), and of a byte order mark at the start of a file.
    pub allow_binary: bool,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            tokenizer: tokenizer::BYTES.to_owned(),
            seq_len: 256,
            valid_fraction: None,
            valid_path: None,
            separator: String::new(),
            allow_binary: false,
        }
    }
}

/// The default of `valid_fraction`.
pub(super) const VALID_FRACTION: f64 = 0.1;

impl TextConfig {
    /// Fills in the default of `valid_fraction`, unless there is a `valid_path`.
    #[must_use]
    pub fn settled(mut self) -> Self {
        if self.valid_path.is_none() {
            self.valid_fraction.get_or_insert(VALID_FRACTION);
        }
        self
    }
}

impl DataKind for TextConfig {
    fn seq_len(&self) -> usize {
        self.seq_len
    }

    fn tokenizer(&self) -> Option<&str> {
        Some(&self.tokenizer)
    }

    fn with_tokenizer(&self, setting: &str) -> Option<DataConfig> {
        let tokenizer = setting.to_owned();
        let changed = Self {
            tokenizer,
            ..self.clone()
        };
        Some(changed.into())
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::open(&self.tokenizer)?.vocab())
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        super::open(self, seed, &super::cache_folders())
    }

    fn absolute(&self) -> io::Result<Option<DataConfig>> {
        let absolute = Self {
            path: self.path.absolute()?,
            tokenizer: match self.tokenizer.as_str() {
                tokenizer::BYTES => tokenizer::BYTES.to_owned(),
                path => paths::absolute(path)?,
            },
            valid_path: self.valid_path.as_ref().map(Paths::absolute).transpose()?,
            ..self.clone()
        };
        Ok(Some(absolute.into()))
    }

    fn validate(&self) -> Vec<Problem> {
        let missing = "must name a file, a folder or a pattern such as `books/*.txt`";
        let mut problems = Vec::new();
        if self.path.is_blank() {
            problems.push(("path", missing.to_owned()));
        }
        if self.valid_path.as_ref().is_some_and(Paths::is_blank) {
            problems.push(("valid_path", missing.to_owned()));
        }
        if self.tokenizer.trim().is_empty() {
            let message = "must be \"bytes\" or the path of a tokenizer";
            problems.push((tokenizer::FIELD, message.to_owned()));
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
