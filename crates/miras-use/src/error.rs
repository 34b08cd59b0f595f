//! Why a trained run cannot be used as asked.

use std::path::PathBuf;

use miras_config::ConfigError;
use miras_data::DataError;
use miras_device::DeviceError;
use miras_model::StateError;
use miras_run::RunError;
use miras_spec::SpecError;
use miras_tasks::TaskError;

/// Why a trained run cannot be used as asked. Messages are complete on their own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UseError {
    /// What was asked for makes no sense for this run.
    #[error("{0}")]
    Usage(String),
    /// The data are no text.
    #[error("the run was trained on data.kind = \"{kind}\", whose tokens are no text")]
    NoText {
        /// The kind of data.
        kind: &'static str,
    },
    /// What was asked for is about a text and the tokens that come next.
    #[error(
        "run `{run}` was trained for task.kind = \"{task}\", which neither reads nor writes on a text: {what} is for language models; `miras-train eval {run}` measures this one"
    )]
    NoLanguage {
        /// The run.
        run: String,
        /// Its task.
        task: &'static str,
        /// What was asked for.
        what: String,
    },
    /// The tokenizer is not the one of training.
    #[error(
        "data.tokenizer: the model of run `{run}` knows the tokens of another tokenizer: it was trained with {}, now it is {}; restore the files in `tokenizer/` of the run's folder",
        of_tokenizer(stored.as_deref()), of_tokenizer(now.as_deref())
    )]
    OtherTokenizer {
        /// The run.
        run: String,
        /// Fingerprint at training; none for bytes.
        stored: Option<String>,
        /// Fingerprint now.
        now: Option<String>,
    },
    /// The tokenizer cannot be opened.
    #[error(
        "data.tokenizer: the tokenizer of the run cannot be used: {}; put its files into {}",
        with_cause(cause), folder.display()
    )]
    NoTokenizer {
        /// Where its files belong.
        folder: PathBuf,
        /// Why it cannot be opened. It is part of the message, therefore no `source`.
        cause: DataError,
    },
    /// The configuration, or what was set on top of it, is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The text is shorter than a row.
    #[error("the text has {tokens} {unit}, and a row of {length} tokens needs {}: {}", length + 1, shorter(*tokens))]
    Short {
        /// Tokens of the text.
        tokens: u64,
        /// What they are called.
        unit: &'static str,
        /// Tokens of a row.
        length: usize,
    },
    /// The data cannot be read.
    #[error("{}", with_cause(.0))]
    Data(DataError),
    /// A run folder refuses, or a file cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What the run stored cannot be used, or cannot be measured.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no such device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The file of a state is refused.
    #[error("cannot go on from {}: {cause}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: StateError,
    },
    /// The folder of an export is taken.
    #[error("{} is not empty: choose another folder with --out", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// A file of questions is refused.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A number is NaN or infinite.
    #[error("{0}")]
    NonFinite(String),
}

// Not by `#[from]`: the error is part of the message already, and would be printed twice.
impl From<DataError> for UseError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl UseError {
    /// Whether another command line or configuration is what helps.
    pub fn is_usage(&self) -> bool {
        if let Self::Task(error) = self {
            return !matches!(error, TaskError::Read(_));
        }
        matches!(
            self,
            Self::Usage(_)
                | Self::NoText { .. }
                | Self::NoLanguage { .. }
                | Self::Data(DataError::Letter { .. })
                | Self::OtherTokenizer { .. }
                | Self::Config(_)
                | Self::Short { .. }
                | Self::State { .. }
                | Self::Taken { .. }
        )
    }
}

fn of_tokenizer(fingerprint: Option<&str>) -> &str {
    fingerprint.unwrap_or("bytes")
}

fn shorter(tokens: u64) -> String {
    match tokens.saturating_sub(1) {
        0 => "give more text".to_owned(),
        most => format!("use `--length {most}` or less"),
    }
}

fn with_cause(error: &DataError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
