//! Text of files, as bytes or tokens, read by position: a corpus may be larger than memory.

mod cache;
mod corpus;
mod encoding;
mod find;
mod format;
mod notes;
mod read_at;
mod scan;
mod token_file;

use std::{io, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    DataError, Dataset, Description, Paths, Problem, Tokenized, Tokenizer,
    config::{check_seq_len, check_valid_fraction},
    paths,
    source::{Bytes, Span, Tokens},
    tokenizer,
    windows::Windows,
};
pub(crate) use cache::folders as cache_folders;
use corpus::Corpus;
use encoding::Encoding;

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
    /// What stands between two files; the tokens of a BPE are found in it, and a token that is
    /// written so, such as `<|endoftext|>`, is that token.
    pub separator: String,
    /// Take the bytes of all files as they are: files that are not UTF-8 text, records (JSON,
    /// Parquet), and a byte order mark at the start of a file too.
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
            tokenizer: match self.tokenizer.as_str() {
                tokenizer::BYTES => tokenizer::BYTES.to_owned(),
                path => paths::absolute(path)?,
            },
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

/// Opens text that is for evaluation alone: all of `path` is the validation part, read in rows of
/// `seq_len` tokens. The other fields say how files are read.
///
/// # Errors
/// As [`open`](crate::open); the field in them is `path`, or `seq_len`.
pub fn open_held_out(
    config: &TextConfig,
    tokenizer: Tokenizer,
) -> Result<Box<dyn Dataset>, DataError> {
    if let Some(problem) = check_seq_len(config.seq_len) {
        let problems = vec![problem];
        return Err(DataError::Config { problems });
    }
    let caches = cache_folders();
    let mut found = find::Finder::default();
    let files = found.files("path", &config.path)?;
    let corpus = Corpus::open("path", &config.path, &files, config, &caches)?;
    let corpus = Arc::new(corpus);
    let mut files = corpus.files();
    let file_count = files.len();
    files.truncate(100);
    let mut description = Description {
        kind: "text",
        name: config.path.to_string(),
        train_bytes: None,
        valid_bytes: Some(corpus.len()),
        fingerprint: corpus.fingerprint()?,
        valid_fingerprint: None,
        tokenizer: None,
        notes: [found.left_out(), notes::of_files(&corpus)?].concat(),
        file_count,
        files,
    };
    let text = Span::whole(corpus.clone());
    let notes = &mut description.notes;
    let tokens = tokens_of(text, &corpus, &tokenizer, &caches, notes)?;
    description.tokenizer = tokenized(&tokenizer, 0, tokens.len());
    let seq_len = config.seq_len;
    let windows = Windows::held_out(tokens, Arc::new(tokenizer), seq_len, description)?;
    Ok(Box::new(windows))
}

/// How a text became tokens; none for bytes.
fn tokenized(tokenizer: &Tokenizer, train_tokens: u64, valid_tokens: u64) -> Option<Tokenized> {
    Some(Tokenized {
        fingerprint: tokenizer.fingerprint()?.to_owned(),
        vocab: tokenizer.vocab(),
        train_tokens,
        valid_tokens,
    })
}

/// The tokens of a part of a corpus.
fn tokens_of(
    text: Span,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    caches: &[PathBuf],
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Tokens>, DataError> {
    if tokenizer.fingerprint().is_none() {
        return Ok(Arc::new(text));
    }
    let encoding = Encoding::new(&text, corpus, tokenizer)?;
    Ok(Arc::new(encoding.tokens(caches, notes)?))
}

/// Opens the files; `caches` are the folders to try for decompressed copies and tokens.
pub(crate) fn open(
    config: &TextConfig,
    seed: u64,
    caches: &[PathBuf],
) -> Result<Windows, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?;
    let mut found = find::Finder::default();
    let mut corpus = |field, paths| -> Result<Arc<Corpus>, DataError> {
        let files = found.files(field, paths)?;
        let corpus = Corpus::open(field, paths, &files, config, caches)?;
        Ok(Arc::new(corpus))
    };
    let first = corpus("path", &config.path)?;
    let own = match &config.valid_path {
        Some(paths) => Some(corpus("valid_path", paths)?),
        None => None,
    };

    let mut files = first.files();
    files.extend(own.iter().flat_map(|own| own.files()));
    let file_count = files.len();
    files.truncate(100);

    let mut notes = found.left_out();
    let (train, valid) = if let Some(own) = &own {
        notes.extend(notes::of_count(&first, own));
        (Span::whole(first.clone()), Span::whole(own.clone()))
    } else {
        let fraction = config.valid_fraction.unwrap_or(VALID_FRACTION);
        let (train, valid) = Span::cut(first.clone(), first.training_len(fraction));
        notes.extend(notes::of_split(&first, &valid));
        (train, valid)
    };
    notes.extend(notes::of_files(&first)?);
    let mut corpora = vec![&*first];
    if let Some(own) = &own {
        notes.extend(notes::of_files(own)?);
        notes.extend(notes::of_validation(&first, own)?);
        corpora.push(own);
    }
    notes.extend(notes::of_separator(&corpora, &tokenizer)?);
    let mut description = Description {
        kind: "text",
        name: config.path.to_string(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint: first.fingerprint()?,
        valid_fingerprint: own.as_ref().map(|own| own.fingerprint()).transpose()?,
        tokenizer: None,
        notes,
        file_count,
        files,
    };
    let valid_corpus = own.as_ref().unwrap_or(&first);
    let notes = &mut description.notes;
    let parts = (
        tokens_of(train, &first, &tokenizer, caches, notes)?,
        tokens_of(valid, valid_corpus, &tokenizer, caches, notes)?,
    );
    description.tokenizer = tokenized(&tokenizer, parts.0.len(), parts.1.len());
    Windows::new(
        parts,
        Arc::new(tokenizer),
        config.seq_len,
        seed,
        description,
    )
}

#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
