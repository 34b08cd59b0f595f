//! The settings of text from files.

use serde::{Deserialize, Serialize};

use crate::{Paths, tokenizer};

/// Text from files.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// Files, folders and patterns, as one string or a list.
    ///
    /// A relative path starts from the working directory, `~/` from the home directory. A
    /// folder gives all files below it in the order of their names, except hidden ones; links
    /// to folders inside it are not followed. A `.gz` or `.zst` file is decompressed once and the
    /// copy kept in the user's cache folder. A `.jsonl` file gives the text of each record.
    pub path: Paths,
    /// The field of a record with its text.
    pub field: String,
    /// Sources from which training rows are drawn by their weights, in place of `path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<MixSource>,
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
    /// The text between two documents: files of text, and the texts of records. If the tokenizer has a token that is written like it, such as
    /// `<|endoftext|>`, it is that token.
    pub separator: String,
    /// With this probability (0 to below 1) each token is read as one drawn uniformly from the
    /// vocabulary, in rows of training and of evaluation; targets are those of the text.
    pub corrupt: f64,
    /// This share of the training rows (0 to 1) has a needle planted, with its question and answer at
    /// the end of the row, in the place of the tokens that stood there; see `eval --task needle`.
    pub needles: f64,
    /// Take the bytes of all files as they are, also of files that are not UTF-8 text, of records
    /// (JSON, Parquet), and of a byte order mark at the start of a file.
    pub allow_binary: bool,
}

/// A source of a mixture.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MixSource {
    /// Files, folders and patterns, as [`TextConfig::path`].
    pub path: Paths,
    /// A number above 0; the expected share of the training rows is this over the sum of all.
    pub weight: f64,
    /// The field of its records with their texts, if it is not that of the whole mixture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            field: FIELD.to_owned(),
            mix: Vec::new(),
            tokenizer: tokenizer::BYTES.to_owned(),
            seq_len: 256,
            valid_fraction: None,
            valid_path: None,
            separator: String::new(),
            corrupt: 0.0,
            needles: 0.0,
            allow_binary: false,
        }
    }
}

/// The key of the sources of a mixture.
pub(super) const MIX: &str = "mix";
/// The default of `field`.
pub(super) const FIELD: &str = "text";
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
