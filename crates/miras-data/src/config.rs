use std::io;

use serde::Serialize;

use crate::{
    BuiltinConfig, DataError, Dataset, MqarConfig, Problem, TextConfig, Tokenizer, builtin, mqar,
    text, tokenizer::BYTES,
};

/// Where batches come from.
///
/// It is serialised as the fields of its kind. The name of the kind, which stands beside them in
/// a configuration file, is read and written by the caller.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DataConfig {
    /// The fixed corpus that needs no files.
    Builtin(BuiltinConfig),
    /// Text of files.
    Text(TextConfig),
    /// Multi-query associative recall.
    Mqar(MqarConfig),
}

/// One kind of data.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in a configuration.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its keys and their meanings.
    pub keys: &'static [(&'static str, &'static str)],
    /// The kind with all fields at their defaults.
    pub default: fn() -> DataConfig,
}

const SEQ_LEN: (&str, &str) = ("seq_len", "tokens in a sequence, from 1 to 16777216");
const VALID_FRACTION: &str = "share of the corpus kept for validation, at its end, between 0 and 1";

/// All kinds, in the order of documentation and help.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "builtin",
        summary: "fixed 1 MiB corpus of short stories that recall their own facts; needs no files",
        keys: &[SEQ_LEN, ("valid_fraction", VALID_FRACTION)],
        default: || DataConfig::Builtin(BuiltinConfig::default()),
    },
    Kind {
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
            SEQ_LEN,
            ("valid_fraction", VALID_FRACTION),
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
        default: || DataConfig::Text(TextConfig::default().settled()),
    },
    Kind {
        name: "mqar",
        summary: "multi-query associative recall: key-value pairs first, keys asked after a gap",
        keys: &[
            (
                "vocab",
                "number of token values; keys come from the lower half, values from the upper",
            ),
            SEQ_LEN,
            ("pairs", "key-value pairs at the start of a sequence"),
            (
                "gap",
                "filler tokens, at least, between the last pair and the first query",
            ),
            (
                "queries",
                "how often each key is asked in a training sequence; once in an evaluation",
            ),
            (
                "filler",
                "what stands between the queries: \"blank\" (token 0) or \"random\"",
            ),
        ],
        default: || DataConfig::Mqar(MqarConfig::default()),
    },
];

/// What to do instead, if `name` is a kind that other programs have and this one does not.
pub fn about_missing_kind(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let is_record = |name: &str| ["jsonl", "ndjson", "json"].contains(&name);
    let is_column = |name: &str| ["parquet", "arrow", "feather", "csv", "tsv"].contains(&name);
    let is_hub = |name: &str| {
        ["hf", "hub", "huggingface", "dataset", "datasets"].contains(&name) || name.contains('/')
    };
    match &*name {
        name if is_record(name) => Some(
            "there is no reader of records yet: write the texts to a file first, as `jq -r .text \
             FILE.jsonl > FILE.txt` does, and name it with data.kind = \"text\" and data.path",
        ),
        name if is_column(name) => Some(
            "there is no reader of columns yet: write the texts to a file first, and name it with \
             data.kind = \"text\" and data.path",
        ),
        name if is_hub(name) => Some(
            "nothing is downloaded here: download the data, write the texts to a file, and name \
             it with data.kind = \"text\" and data.path",
        ),
        _ => None,
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self::Builtin(BuiltinConfig::default())
    }
}

impl DataConfig {
    /// The kind's name, as in [`KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Builtin(_) => "builtin",
            Self::Text(_) => "text",
            Self::Mqar(_) => "mqar",
        }
    }

    /// Tokens in a row.
    pub fn seq_len(&self) -> usize {
        match self {
            Self::Builtin(config) => config.seq_len,
            Self::Text(config) => config.seq_len,
            Self::Mqar(config) => config.seq_len,
        }
    }

    /// The same data with absolute paths.
    ///
    /// # Errors
    /// If there is no working directory.
    pub fn absolute(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Text(config) => Self::Text(config.absolute()?),
            Self::Builtin(_) | Self::Mqar(_) => self.clone(),
        })
    }

    /// The setting of [`Tokenizer::open`] for these data; `None` for data that are not text.
    pub fn tokenizer(&self) -> Option<&str> {
        match self {
            Self::Builtin(_) => Some(BYTES),
            Self::Text(config) => Some(&config.tokenizer),
            Self::Mqar(_) => None,
        }
    }

    /// The same data with another tokenizer; unchanged if they are not text of files.
    #[must_use]
    pub fn with_tokenizer(&self, setting: &str) -> Self {
        match self {
            Self::Text(config) => Self::Text(TextConfig {
                tokenizer: setting.to_owned(),
                ..config.clone()
            }),
            Self::Builtin(_) | Self::Mqar(_) => self.clone(),
        }
    }

    /// Number of token values, as [`Dataset::vocab`](crate::Dataset::vocab) of the opened data.
    ///
    /// Only the tokenizer is opened, not the text.
    ///
    /// # Errors
    /// If the tokenizer cannot be opened.
    pub fn vocab(&self) -> Result<usize, DataError> {
        Ok(match self {
            Self::Builtin(_) => Tokenizer::bytes().vocab(),
            Self::Text(config) => Tokenizer::open(&config.tokenizer)?.vocab(),
            Self::Mqar(config) => config.vocab,
        })
    }

    /// All problems that can be found without opening a file; empty if there are none.
    pub fn validate(&self) -> Vec<Problem> {
        match self {
            Self::Builtin(config) => config.validate(),
            Self::Text(config) => config.validate(),
            Self::Mqar(config) => config.validate(),
        }
    }
}

/// Opens the data and checks everything that can be checked before training.
pub fn open(config: &DataConfig, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
    let problems = config.validate();
    if !problems.is_empty() {
        return Err(DataError::Config { problems });
    }
    Ok(match config {
        DataConfig::Builtin(config) => Box::new(builtin::open(config, seed)?),
        DataConfig::Text(config) => Box::new(text::open(config, seed, &text::cache_folders())?),
        DataConfig::Mqar(config) => Box::new(mqar::Mqar::new(config, seed)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amount, Selection};

    #[test]
    fn kinds_have_unique_names_that_match_their_defaults() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert_eq!((kind.default)().kind(), kind.name);
            assert!(!kind.summary.is_empty());
            let defaults = toml::Table::try_from((kind.default)()).unwrap();
            let mut described: Vec<_> = kind.keys.iter().map(|(key, _)| *key).collect();
            // In place of `valid_fraction`, it has no default.
            described.retain(|key| *key != "valid_path");
            described.sort_unstable();
            let mut keys: Vec<_> = defaults.keys().collect();
            keys.sort_unstable();
            assert_eq!(described, keys, "{}", kind.name);
            assert!(KINDS[..at].iter().all(|other| other.name != kind.name));
        }
        assert_eq!(KINDS[0].name, DataConfig::default().kind());
    }

    #[test]
    fn defaults_are_valid_except_that_text_needs_a_path() {
        for kind in KINDS {
            let problems = (kind.default)().validate();
            let fields: Vec<_> = problems.iter().map(|(field, _)| *field).collect();
            let expected: &[&str] = if kind.name == "text" { &["path"] } else { &[] };
            assert_eq!(fields, expected, "{}", kind.name);
        }
    }

    #[test]
    fn the_vocabulary_is_that_of_the_opened_data_for_every_kind_and_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "the lamp was red and ".repeat(200)).unwrap();
        let text = |tokenizer: &str| TextConfig {
            path: [file.to_str().unwrap()].into(),
            tokenizer: tokenizer.to_owned(),
            seq_len: 16,
            ..TextConfig::default()
        };
        let fixture = crate::tokenizer::testkit::path();
        let mut vocabs = Vec::new();
        for kind in KINDS {
            let configs = match (kind.default)() {
                DataConfig::Text(_) => ["bytes", fixture.to_str().unwrap()]
                    .map(|tokenizer| DataConfig::Text(text(tokenizer)))
                    .to_vec(),
                other => vec![other],
            };
            for config in configs {
                let opened = open(&config, 1).unwrap();
                assert_eq!(config.vocab().unwrap(), opened.vocab(), "{}", kind.name);
                vocabs.push(opened.vocab());
            }
        }
        assert!(vocabs.contains(&256) && vocabs.contains(&512), "{vocabs:?}");
        let missing = DataConfig::Text(text("nowhere.json"));
        assert_eq!(missing.vocab().unwrap_err().field(), Some("tokenizer"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(toml::from_str::<BuiltinConfig>("seq_length = 3").is_err());
        assert!(toml::from_str::<TextConfig>("paths = 'x'").is_err());
        assert!(toml::from_str::<MqarConfig>("pair = 3").is_err());
    }

    #[test]
    fn every_kind_survives_a_round_trip() {
        let text = toml::to_string(&MqarConfig::default()).unwrap();
        assert_eq!(
            toml::from_str::<MqarConfig>(&text).unwrap(),
            MqarConfig::default()
        );
        let config = TextConfig {
            path: ["a.txt", "b/*.gz"].into(),
            ..TextConfig::default()
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<TextConfig>(&text).unwrap(), config);
        let text = toml::to_string(&DataConfig::default()).unwrap();
        assert_eq!(
            toml::from_str::<BuiltinConfig>(&text).unwrap(),
            BuiltinConfig::default()
        );
    }

    /// Data of every kind, with rows of 16 tokens where a kind allows it.
    fn every_kind(folder: &std::path::Path) -> Vec<(Box<dyn Dataset>, usize)> {
        let file = folder.join("a.txt");
        let numbers: Vec<String> = (1..3000_u64).map(|n| (n * n * 7919).to_string()).collect();
        std::fs::write(&file, numbers.join(" ")).unwrap();
        let bpe = crate::tokenizer::testkit::path();
        let mut found = Vec::new();
        for kind in KINDS {
            let configs = match (kind.default)() {
                DataConfig::Text(_) => ["bytes", bpe.to_str().unwrap()]
                    .map(|tokenizer| {
                        DataConfig::Text(TextConfig {
                            path: [file.to_str().unwrap()].into(),
                            tokenizer: tokenizer.to_owned(),
                            seq_len: 16,
                            ..TextConfig::default()
                        })
                    })
                    .to_vec(),
                other => vec![other],
            };
            for config in configs {
                found.push((open(&config, 1).unwrap(), config.seq_len()));
            }
        }
        found
    }

    #[test]
    fn an_evaluation_reads_the_same_rows_for_every_size_of_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        for (data, len) in every_kind(folder.path()) {
            let amount = Amount::Tokens(35 * len as u64);
            let selection = Selection::new(amount, None, len, data.eval_tokens()).unwrap();
            let starts: Vec<u64> = selection.starts().collect();
            let read = |rows: usize| -> Vec<(Vec<i32>, Vec<i32>, Vec<u32>)> {
                let batches = starts
                    .chunks(rows)
                    .map(|starts| data.eval_rows(starts).unwrap());
                batches
                    .flat_map(|batch| {
                        let rows = (0..batch.rows).map(|row| {
                            let row = row * len..(row + 1) * len;
                            let weights = &batch.weights[row.clone()];
                            (
                                batch.inputs[row.clone()].to_vec(),
                                batch.targets[row].to_vec(),
                                weights.iter().map(|weight| weight.to_bits()).collect(),
                            )
                        });
                        rows.collect::<Vec<_>>()
                    })
                    .collect()
            };
            let kind = data.describe().kind;
            let one = read(1);
            assert_eq!(one.len(), 35, "{kind}");
            for rows in [3, 8, 32] {
                assert_eq!(read(rows), one, "{kind}, {rows} rows at once");
            }
            // All of them are different rows.
            let different: std::collections::BTreeSet<_> = one.iter().collect();
            assert_eq!(different.len(), one.len(), "{kind}");
        }
    }
}
