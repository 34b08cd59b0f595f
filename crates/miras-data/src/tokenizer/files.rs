//! Finds and reads the files of a tokenizer.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use miras_run::hex;
use sha2::{Digest, Sha256};

use crate::{
    DataError,
    packing::{Packing, Unpacked, unpacked_name},
    paths::{
        missing::{WantedAs, suggestion},
        with_home,
    },
};

/// The setting that stands for bytes.
pub(crate) const BYTES: &str = "bytes";

/// The field of the configuration that names the tokenizer.
pub(crate) const FIELD: &str = "tokenizer";

/// What a Hugging Face tokenizer is saved as.
const WHOLE: &str = "tokenizer.json";
/// Names of a vocabulary and its merges: those of Hugging Face, and those of GPT-2.
const PAIRS: [[&str; 2]; 2] = [["vocab.json", "merges.txt"], ["encoder.json", "vocab.bpe"]];

const EXPECTED: &str = "a tokenizer.json, or a vocab.json with merges.txt beside it";

/// The contents of the files.
pub(super) enum Source {
    /// A `tokenizer.json`.
    Whole(Vec<u8>),
    /// Vocabulary and merges.
    Pair { vocab: Vec<u8>, merges: Vec<u8> },
}

impl Source {
    /// A hash of the contents.
    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.parts() {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        format!("tokenizer-sha256:{}", hex(&hash.finalize()))
    }

    fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::Whole(json) => vec![json],
            Self::Pair { vocab, merges } => vec![vocab, merges],
        }
    }

    /// The files, with the names under which a folder is searched for them.
    pub(super) fn into_named(self) -> Vec<(String, Vec<u8>)> {
        let [vocab_name, merges_name] = PAIRS[0].map(str::to_owned);
        match self {
            Self::Whole(json) => vec![(WHOLE.to_owned(), json)],
            Self::Pair { vocab, merges } => vec![(vocab_name, vocab), (merges_name, merges)],
        }
    }
}

/// Finds and reads the files that a setting names.
pub(super) fn find(given: &str) -> Result<Source, DataError> {
    let path = with_home(given);
    match fs::metadata(&path) {
        Ok(data) if data.is_dir() => in_folder(given, &path),
        Ok(_) => beside(given, &path),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let hint = suggestion(&path, WantedAs::Tokenizer);
            let field = FIELD;
            Err(DataError::Missing { field, path, hint })
        }
        Err(source) => Err(DataError::Read { path, source }),
    }
}

fn in_folder(given: &str, folder: &Path) -> Result<Source, DataError> {
    if let Some(path) = there(folder, WHOLE) {
        return Ok(Source::Whole(read(&path)?));
    }
    for pair in PAIRS {
        if pair.iter().any(|name| there(folder, name).is_some()) {
            return both(given, folder, pair);
        }
    }
    let why = format!("is a folder without a tokenizer: it should hold {EXPECTED}");
    Err(error(given, why))
}

fn beside(given: &str, path: &Path) -> Result<Source, DataError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let plain = unpacked_name(path);
    let name = plain.file_name().unwrap_or_default().to_string_lossy();
    if let Some(pair) = PAIRS.into_iter().find(|pair| pair.contains(&&*name)) {
        return both(given, folder, pair);
    }
    let bytes = read(path)?;
    let json: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|cause| error(given, format!("is not JSON, expected {EXPECTED}: {cause}")))?;
    match json.as_object() {
        Some(table) if table.contains_key("model") => Ok(Source::Whole(bytes)),
        // A vocabulary with another name.
        Some(table) if !table.is_empty() && table.values().all(serde_json::Value::is_u64) => {
            let merges = merges_beside(given, folder)?;
            Ok(Source::Pair {
                vocab: bytes,
                merges,
            })
        }
        _ => {
            let why = format!("is JSON but no tokenizer, expected {EXPECTED}");
            Err(error(given, why))
        }
    }
}

fn merges_beside(given: &str, folder: &Path) -> Result<Vec<u8>, DataError> {
    let [_, merges] = PAIRS[0];
    match there(folder, merges) {
        Some(path) => read(&path),
        None => Err(error(
            given,
            format!("is a vocabulary without its merges: there is no `{merges}` beside it"),
        )),
    }
}

/// Both files of a pair, of which at least one exists.
fn both(given: &str, folder: &Path, [vocab, merges]: [&str; 2]) -> Result<Source, DataError> {
    match (there(folder, vocab), there(folder, merges)) {
        (Some(vocab), Some(merges)) => Ok(Source::Pair {
            vocab: read(&vocab)?,
            merges: read(&merges)?,
        }),
        (None, _) => Err(error(
            given,
            format!("has merges without a vocabulary: there is no `{vocab}` beside `{merges}`"),
        )),
        (_, None) => Err(error(
            given,
            format!("has a vocabulary without its merges: there is no `{merges}` beside `{vocab}`"),
        )),
    }
}

/// The path of a file with this name, compressed or not.
fn there(folder: &Path, name: &str) -> Option<PathBuf> {
    let packed = Packing::ALL.map(|packing| format!("{name}.{}", packing.ending()));
    let names = [name.to_owned()].into_iter().chain(packed);
    names
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut source = Unpacked::open(path)?;
    let mut plain = Vec::new();
    match source.read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(source.failed(error)),
    }
}

/// An error about the files that a setting names.
pub(super) fn error(given: &str, why: String) -> DataError {
    DataError::Tokenizer {
        field: FIELD,
        path: given.into(),
        why,
    }
}
