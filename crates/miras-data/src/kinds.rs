//! The list of the kinds of data, and the settings of one of them.

use std::{collections::BTreeMap, io};

use miras_config::{ConfigError, Section, did_you_mean};
use serde::Serialize;
use toml::Table;

use crate::{
    BuiltinConfig, DataError, DataKind, Dataset, FastaConfig, Kind, LabelledConfig, MqarConfig,
    NeedleConfig, SeriesConfig, TextConfig, builtin, fasta, labelled, long::rows, mqar, series,
    text,
};

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
        pub const KINDS: &[Kind<DataConfig>] = &[$(Kind {
            name: $entry.name,
            task: $entry.task,
            summary: $entry.summary,
            keys: $entry.keys,
            default: || ($entry.default)().into(),
            take: |section| Ok(($entry.take)(section)?.into()),
        }),*];

        impl DataConfig {
            /// The kind's name, as in [`KINDS`].
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $entry.name,)*
                }
            }

            /// The task that it is for, as in [`KINDS`].
            pub fn task(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $entry.task,)*
                }
            }

            /// The same data from whatever working directory.
            ///
            /// # Errors
            /// If there is no working directory.
            pub fn absolute(&self) -> io::Result<Self> {
                Ok(match self {
                    $(Self::$kind(config) => config.absolute()?.into(),)*
                })
            }

            /// The same data with another tokenizer; unchanged where there is no choice of one.
            #[must_use]
            pub fn with_tokenizer(&self, setting: &str) -> Self {
                match self {
                    $(Self::$kind(config) => config.with_tokenizer(setting).into(),)*
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
    /// Nucleotides of FASTA files.
    Fasta(FastaConfig) = fasta::KIND,
    /// Multi-query associative recall.
    Mqar(MqarConfig) = mqar::KIND,
    /// Needles in haystacks.
    Needle(NeedleConfig) = rows::KIND,
    /// Sequences with a label each.
    Labelled(LabelledConfig) = labelled::KIND,
    /// Time series of CSV files.
    Series(SeriesConfig) = series::KIND,
}

/// The kinds for a task, the first of which is its default.
pub fn kinds_for(task: &str) -> impl Iterator<Item = &'static Kind<DataConfig>> {
    KINDS.iter().filter(move |kind| kind.task == task)
}

/// The entry of a name among the kinds for a task.
///
/// # Errors
/// If none of them has this name; the help says which ones there are.
fn find(
    name: &str,
    task: &str,
    section: &Section<'_>,
) -> Result<&'static Kind<DataConfig>, ConfigError> {
    if let Some(kind) = kinds_for(task).find(|kind| kind.name == name) {
        return Ok(kind);
    }
    let names: Vec<&str> = kinds_for(task).map(|kind| kind.name).collect();
    let all = names.join(", ");
    let others = KINDS.iter().filter(|kind| kind.name == name);
    let others: Vec<String> = others.map(|kind| format!("{:?}", kind.task)).collect();
    if !others.is_empty() {
        let message = format!(
            "data.kind = {name:?} is for task.kind = {}, and the task is {task:?}",
            others.join(" and ")
        );
        let help = format!(
            "set task.kind = {}, or use data of this task, data.kind = {all}",
            others.join(" or ")
        );
        return Err(section.error("kind", message, Some(help)));
    }
    let message = format!("unknown data `{name}`, expected one of {all}");
    let help = match about_missing_kind(name) {
        Some(help) => Some(help.to_owned()),
        None => did_you_mean(name, names).map(|name| format!("did you mean `{name}`?")),
    };
    Err(section.error("kind", message, help))
}

/// The keys that `kind` does not have, and the kinds that have them: those for its own task, or else for
/// others.
fn owners_of_others(kind: &Kind<DataConfig>) -> BTreeMap<&'static str, String> {
    let mut owners: BTreeMap<&'static str, [Vec<String>; 2]> = BTreeMap::new();
    for other in KINDS {
        let is_other = other.task != kind.task;
        let of_task = if is_other {
            format!(" with task.kind = {:?}", other.task)
        } else {
            String::new()
        };
        let new = |key: &&str| !kind.key_names().any(|own| own == *key);
        for key in other.key_names().filter(new) {
            let all = owners.entry(key).or_default();
            all[usize::from(is_other)].push(format!("data.kind = {:?}{of_task}", other.name));
        }
    }
    let named = |(key, [own, others]): (&'static str, [Vec<String>; 2])| {
        let all = if own.is_empty() { others } else { own };
        (key, all.join(" or "))
    };
    owners.into_iter().map(named).collect()
}

/// What to do instead, if `name` is a kind that other programs have and this one does not.
fn about_missing_kind(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    match &*name {
        "jsonl" | "ndjson" | "json" | "records" | "parquet" => Some(
            "name .jsonl or .parquet files with data.kind = \"text\" and data.path, and the field \
             with the texts with data.field",
        ),
        "zst" | "zstd" | "gz" | "gzip" => {
            Some("name the compressed files with data.kind = \"text\" and data.path")
        }
        "fa" | "fna" | "ffn" | "dna" | "rna" | "genome" | "nucleotides" => {
            Some("name FASTA files with data.kind = \"fasta\" and data.path")
        }
        "fastq" | "fq" => Some(
            "make FASTA of it, such as with `seqtk seq -A`, and name that with data.kind = \
             \"fasta\" and data.path",
        ),
        "arrow" | "feather" | "csv" | "tsv" => Some(
            "there is no reader of these yet: make a Parquet file of it, or a file of text, and \
             name that with data.kind = \"text\" and data.path",
        ),
        "hf" | "hub" | "huggingface" | "dataset" | "datasets" => Some(NOT_DOWNLOADED),
        name if name.contains('/') => Some(NOT_DOWNLOADED),
        _ => None,
    }
}

const NOT_DOWNLOADED: &str = "name a data set of the Hugging Face Hub with data.kind = \"text\" and \
                              data.path = \"hf://OWNER/NAME\" (built with `--features hub`), or \
                              download it and name the folder of its files, of text, .jsonl or \
                              .parquet";

impl Default for DataConfig {
    fn default() -> Self {
        (KINDS[0].default)()
    }
}

impl DataConfig {
    /// Its entry of the list.
    pub fn entry(&self) -> &'static Kind<Self> {
        let mut own = kinds_for(self.task()).filter(|kind| kind.name == self.kind());
        own.next().expect("the list has every kind")
    }

    /// Reads a table of a configuration for a task: its kind, then the fields of that kind.
    ///
    /// # Errors
    /// If the kind is unknown or for another task, or a field is unknown or has a wrong value.
    ///
    /// # Panics
    /// If there are no data for the task: a bug of whoever lists tasks.
    pub fn take(section: &mut Section<'_>, task: &str) -> Result<Self, ConfigError> {
        let name: Option<String> = section.value("kind")?;
        let kind = match &name {
            Some(name) => find(name, task, section)?,
            None => (kinds_for(task).next()).expect("every task has a kind of data"),
        };
        for (key, owners) in owners_of_others(kind) {
            section.belongs(key, owners);
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
