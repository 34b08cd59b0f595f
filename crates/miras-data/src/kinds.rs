//! The list of the kinds of data, and what each of them says of itself.

use std::io;

use miras_config::{ConfigError, Section, did_you_mean};
use serde::Serialize;
use toml::Table;

use crate::{BuiltinConfig, DataError, Dataset, MqarConfig, TextConfig, builtin, mqar, text};

/// `Kind(Settings) = ENTRY` for each kind: the enum of all settings, and the list.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($config:ty) = $entry:expr,)*) => {
        /// Where batches come from: the settings of one kind of the list.
        ///
        /// It is serialised as the fields of its kind, without the name of the kind.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum DataConfig {
            $($(#[$doc])* $kind($config),)*
        }

        $(impl From<$config> for DataConfig {
            fn from(config: $config) -> Self {
                Self::$kind(config)
            }
        })*

        /// All kinds, in the order of documentation and help; the first is the default.
        pub const KINDS: &[Kind] = &[$($entry),*];

        impl DataConfig {
            /// Its entry of the list.
            pub fn entry(&self) -> &'static Kind {
                match self {
                    $(Self::$kind(_) => &$entry,)*
                }
            }
        }

        /// The settings answer for themselves.
        impl std::ops::Deref for DataConfig {
            type Target = dyn DataKind;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$kind(config) => config,)*
                }
            }
        }
    };
}

kinds! {
    /// The fixed corpus that needs no files.
    Builtin(BuiltinConfig) = builtin::KIND,
    /// Text of files.
    Text(TextConfig) = text::KIND,
    /// Multi-query associative recall.
    Mqar(MqarConfig) = mqar::KIND,
}

/// One entry of the list: all that is known of a kind of data by name.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name in TOML (`data.kind = "…"`).
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its keys and their meanings.
    pub keys: &'static [(&'static str, &'static str)],
    /// The kind with all fields at their defaults.
    pub default: fn() -> DataConfig,
    /// Reads the fields from the table of a configuration, wherever that stands.
    pub take: fn(&mut Section<'_>) -> Result<DataConfig, ConfigError>,
}

/// The settings of a kind of data.
pub trait DataKind {
    /// Tokens in a row.
    fn seq_len(&self) -> usize;

    /// All problems that can be found without opening a file; empty if there are none.
    fn validate(&self) -> Vec<Problem>;

    /// Number of token values, as [`Dataset::vocab`] of the opened data.
    ///
    /// Only the tokenizer is opened, not the text.
    ///
    /// # Errors
    /// If the tokenizer cannot be opened.
    fn vocab(&self) -> Result<usize, DataError>;

    /// Opens data whose settings have no problem; [`open`] asks for them first.
    ///
    /// # Errors
    /// If files cannot be read, or do not fit the settings.
    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError>;

    /// The setting of [`Tokenizer::open`](crate::Tokenizer::open); `None` for data that are not
    /// text.
    fn tokenizer(&self) -> Option<&str> {
        None
    }

    /// The same data with another tokenizer; `None` where there is no choice of one.
    fn with_tokenizer(&self, _setting: &str) -> Option<DataConfig> {
        None
    }

    /// The same data with absolute paths; `None` where no path is named.
    ///
    /// # Errors
    /// If there is no working directory.
    fn absolute(&self) -> io::Result<Option<DataConfig>> {
        Ok(None)
    }

    /// What generated data are, whatever their seed and the length of their rows; `None` for text.
    fn generator(&self) -> Option<String> {
        None
    }
}

/// A field and what is wrong with its value.
pub type Problem = (&'static str, String);

/// Keys that several kinds have, and their meanings.
pub(crate) const SEQ_LEN: (&str, &str) = ("seq_len", "tokens in a sequence, from 1 to 16777216");
pub(crate) const VALID_FRACTION: (&str, &str) = (
    "valid_fraction",
    "share of the corpus kept for validation, at its end, between 0 and 1",
);

/// The most tokens in a row.
const MAX_SEQ_LEN: usize = 1 << 24;

/// The problem with a row length, if it has one.
pub(crate) fn check_seq_len(seq_len: usize) -> Option<Problem> {
    (!(1..=MAX_SEQ_LEN).contains(&seq_len)).then(|| {
        (
            "seq_len",
            format!("must be from 1 to {MAX_SEQ_LEN} tokens, got {seq_len}"),
        )
    })
}

/// The problem with a validation share, if it has one.
pub(crate) fn check_valid_fraction(fraction: f64) -> Option<Problem> {
    (!(fraction > 0.0 && fraction < 1.0)).then(|| {
        (
            "valid_fraction",
            format!("must lie between 0 and 1, both excluded, got {fraction}"),
        )
    })
}

impl Kind {
    /// The names of its keys.
    pub fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|(key, _)| *key)
    }

    /// The entry of a name.
    ///
    /// # Errors
    /// If there is none: what to write instead.
    fn find(name: &str, section: &Section<'_>) -> Result<&'static Self, ConfigError> {
        if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
            return Ok(kind);
        }
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let message = format!(
            "unknown data `{name}`, expected one of {}",
            names.join(", ")
        );
        let help = match about_missing_kind(name) {
            Some(help) => Some(help.to_owned()),
            None => did_you_mean(name, names).map(|name| format!("did you mean `{name}`?")),
        };
        Err(section.error("kind", message, help))
    }
}

/// What to do instead, if `name` is a kind that other programs have and this one does not.
fn about_missing_kind(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    match &*name {
        "jsonl" | "ndjson" | "json" => Some(
            "there is no reader of records yet: write the texts to a file first, as `jq -r .text \
             FILE.jsonl > FILE.txt` does, and name it with data.kind = \"text\" and data.path",
        ),
        "parquet" | "arrow" | "feather" | "csv" | "tsv" => Some(
            "there is no reader of columns yet: write the texts to a file first, and name it with \
             data.kind = \"text\" and data.path",
        ),
        "hf" | "hub" | "huggingface" | "dataset" | "datasets" => Some(NOT_DOWNLOADED),
        name if name.contains('/') => Some(NOT_DOWNLOADED),
        _ => None,
    }
}

const NOT_DOWNLOADED: &str = "nothing is downloaded here: download the data, write the texts to a \
                              file, and name it with data.kind = \"text\" and data.path";

impl Default for DataConfig {
    fn default() -> Self {
        (KINDS[0].default)()
    }
}

impl DataConfig {
    /// The kind's name, as in [`KINDS`].
    pub fn kind(&self) -> &'static str {
        self.entry().name
    }

    /// Reads a table of a configuration: its kind, then the fields of that kind.
    ///
    /// # Errors
    /// If the kind is unknown, or a field is unknown or has a wrong value.
    pub fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let name: Option<String> = section.value("kind")?;
        let kind = match &name {
            Some(name) => Kind::find(name, section)?,
            None => &KINDS[0],
        };
        for other in KINDS.iter().filter(|other| other.name != kind.name) {
            for key in other.key_names() {
                if !kind.key_names().any(|own| own == key) {
                    section.belongs(key, format!("data.kind = {:?}", other.name));
                }
            }
        }
        let config = (kind.take)(section)?;
        for (field, problem) in config.validate() {
            let message = format!("{}: {problem}", section.key(field));
            let mistake = section.error(field, message, None);
            section.note(mistake)?;
        }
        Ok(config)
    }

    /// What [`take`](Self::take) reads.
    ///
    /// # Panics
    /// If the settings cannot be written as TOML: a bug of the kind.
    pub fn to_table(&self) -> Table {
        let mut table = Table::new();
        table.insert("kind".into(), self.kind().into());
        table.extend(Table::try_from(self).expect("the settings of data are a TOML table"));
        table
    }

    /// The same data from whatever working directory.
    ///
    /// # Errors
    /// If there is no working directory.
    pub fn absolute(&self) -> io::Result<Self> {
        let absolute = (**self).absolute()?;
        Ok(absolute.unwrap_or_else(|| self.clone()))
    }

    /// The same data with another tokenizer; unchanged where there is no choice of one.
    #[must_use]
    pub fn with_tokenizer(&self, setting: &str) -> Self {
        let changed = (**self).with_tokenizer(setting);
        changed.unwrap_or_else(|| self.clone())
    }
}

/// Opens the data and checks everything that can be checked before training.
///
/// # Errors
/// If a setting has a problem, or files cannot be read or do not fit.
pub fn open(config: &DataConfig, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
    let problems = config.validate();
    if !problems.is_empty() {
        return Err(DataError::Config { problems });
    }
    config.open(seed)
}
