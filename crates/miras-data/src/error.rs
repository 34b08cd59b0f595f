use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// A field and what is wrong with its value.
pub type Problem = (&'static str, String);

/// Why data cannot be opened or read.
///
/// The cause of an input or output failure is the error's source, not part of its text.
#[derive(Debug, Error)]
pub enum DataError {
    /// Values that cannot work, all of them.
    #[error("{}", list(problems))]
    Config {
        /// Each field with its problem.
        problems: Vec<Problem>,
    },

    /// A path that does not exist.
    #[error("{field}: `{}` does not exist{hint}", path.display())]
    Missing {
        /// Field of the configuration.
        field: &'static str,
        /// The path as given.
        path: PathBuf,
        /// What to do, with its punctuation; may be empty.
        hint: String,
    },

    /// A data set of the Hugging Face Hub that is not to be had.
    #[error("{field}: `{given}` {why}")]
    Hub {
        /// Field of the configuration.
        field: &'static str,
        /// The name as given.
        given: String,
        /// Why, and what to do.
        why: String,
    },

    /// A pattern that matches no file.
    #[error("{field}: no file matches the pattern `{pattern}`{hint}")]
    NoMatch {
        /// Field of the configuration.
        field: &'static str,
        /// The pattern as given.
        pattern: String,
        /// What to do, with its punctuation; may be empty.
        hint: String,
    },

    /// A pattern that cannot be parsed.
    #[error("{field}: `{pattern}` is not a valid pattern: {reason}")]
    Pattern {
        /// Field of the configuration.
        field: &'static str,
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A file, folder or pattern without a single byte.
    #[error("{field}: `{path}` is empty: there is nothing to train on")]
    Empty {
        /// Field of the configuration.
        field: &'static str,
        /// What was given.
        path: String,
    },

    /// A pipe, socket or device in place of a file.
    #[error("{field}: `{}` is neither a file nor a folder; write its contents to a file first", path.display())]
    NotAFile {
        /// Field of the configuration.
        field: &'static str,
        /// The path.
        path: PathBuf,
    },

    /// A file that is listed twice.
    #[error("`{}` is given twice, by `{first}` and by `{second}`: text used for both training and validation would spoil the measure", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The setting that listed it first.
        first: String,
        /// The setting that listed it again.
        second: String,
    },

    /// A file that is not text, or whose text is inside of records.
    #[error("{field}: `{}` {why}; set allow_binary = true to train on its bytes all the same", path.display())]
    Binary {
        /// Field of the configuration.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// How this was found, and what to do.
        why: String,
    },

    /// A record without a text that can be read.
    #[error("{field}: {place}`{}` {why}", path.display())]
    Record {
        /// Field of the configuration.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Where in it, such as `line 3 of `, with the blank behind it; may be empty.
        place: String,
        /// What is wrong, and what to do.
        why: String,
    },

    /// A letter that is no nucleotide, in text that is to be tokens of nucleotides.
    #[error("the tokens are nucleotides, and at byte {at} of the text is {letter}, {why}")]
    Letter {
        /// The byte, from 0.
        at: usize,
        /// What is there.
        letter: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// Validation text that is the training text.
    #[error(
        "valid_path: `{}` has the same bytes as `{}`, which is trained on, so that the validation would measure what was learned by heart: give other text, or leave valid_path out and the end of the training text is kept for validation", valid.display(), train.display()
    )]
    Copied {
        /// The file for validation.
        valid: PathBuf,
        /// The file for training.
        train: PathBuf,
    },

    /// A file or folder that cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// A damaged compressed file.
    #[error("cannot decompress `{}`: it is damaged or not a {what} file", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// How it should be compressed, by its name.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },

    /// The copy of the text of a compressed file or of records cannot be written.
    #[error("cannot write a copy of the text of `{}` to `{}`; set XDG_CACHE_HOME to a folder with room", path.display(), folder.display())]
    Cache {
        /// The file that is copied.
        path: PathBuf,
        /// The cache folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// A tokenizer that cannot be used, or not on this text.
    #[error("{field}: `{}` {why}", path.display())]
    Tokenizer {
        /// Field of the configuration.
        field: &'static str,
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// The encoded text cannot be written.
    #[error("cannot write encoded text to `{}`; set XDG_CACHE_HOME to a folder with room", folder.display())]
    TokenCache {
        /// The cache folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// A file of the cache folder that changed after the data were opened.
    #[error("`{}` is damaged: delete it, and it is made anew", path.display())]
    DamagedCopy {
        /// The file.
        path: PathBuf,
    },

    /// A part of the corpus that is shorter than one row.
    #[error("the {part} has {tokens} {unit}, but seq_len = {seq_len} needs at least {}: {hint}", *seq_len as u64 + 1)]
    TooShort {
        /// Such as `training part`.
        part: String,
        /// Tokens in the part.
        tokens: u64,
        /// What they are called.
        unit: &'static str,
        /// Tokens in a row.
        seq_len: usize,
        /// What to do.
        hint: String,
    },

    /// A stream was asked of data whose rows are independent of each other.
    #[error("the rows of these data are independent: there is no order to follow")]
    NoOrder,

    /// A stream was asked of a mixture.
    #[error(
        "the rows of a mixture are drawn from its sources one by one: there is no order to follow; name the files with path, or use train.state = \"reset\""
    )]
    NoOrderOfMixture,

    /// A training part that is too short for a stream of so many rows.
    #[error(
        "the training part has {tokens} {unit}, which gives each of the {rows} sequences of a step a stretch of {}, but two steps of seq_len = {seq_len} in a row need at least {}: give more text, or make seq_len or the number of sequences smaller", *tokens / (*rows).max(1) as u64, 2 * *seq_len as u64 + 1
    )]
    ShortStretch {
        /// Tokens of the training part.
        tokens: u64,
        /// What they are called.
        unit: &'static str,
        /// Rows of the stream.
        rows: usize,
        /// Tokens in a row.
        seq_len: usize,
    },

    /// A batch that is empty or too large.
    #[error(
        "a batch of {rows} rows of {len} tokens is not possible: rows must be from 1 to {most}"
    )]
    BatchSize {
        /// Rows asked for.
        rows: usize,
        /// Tokens in a row.
        len: usize,
        /// The most rows of that length.
        most: usize,
    },

    /// An evaluation row past the end.
    #[error(
        "there is no evaluation row at token {start}: the validation part has {tokens} tokens that can be scored, counted from 0"
    )]
    EvalStart {
        /// Where the row would begin.
        start: u64,
        /// Tokens there are.
        tokens: u64,
    },
}

impl DataError {
    /// For `map_err`: a file or folder that cannot be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// Whether the cause is a disk or a file, and not the configuration.
    pub fn is_outside(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::Cache { .. }
                | Self::TokenCache { .. }
                | Self::DamagedCopy { .. }
        )
    }

    /// The field of the configuration that the error is about, if it is about one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Config { problems } => problems.first().map(|(field, _)| *field),
            Self::Missing { field, .. }
            | Self::NoMatch { field, .. }
            | Self::Hub { field, .. }
            | Self::Pattern { field, .. }
            | Self::Empty { field, .. }
            | Self::NotAFile { field, .. }
            | Self::Tokenizer { field, .. }
            | Self::Record { field, .. }
            | Self::Binary { field, .. } => Some(field),
            Self::Copied { .. } => Some("valid_path"),
            Self::TooShort { .. } => Some("seq_len"),
            _ => None,
        }
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems
        .iter()
        .map(|(field, message)| format!("{field}: {message}"))
        .collect();
    lines.join("\n")
}
