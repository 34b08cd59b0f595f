//! A tokenizer as a run and an export store it: its files, and one that describes them.
//!
//! ```text
//! tokenizer/
//!   miras_tokenizer.json        schema, version, kind, and the fingerprint of the others
//!   tokenizer.json              an exact copy, or
//!   vocab.json, merges.txt      an exact copy of both; no file for bytes and nucleotides
//! ```

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::bases::BASES;
use super::files::{self, BYTES, FIELD, error};
use crate::{DataError, paths};

const FACTS: &str = "miras_tokenizer.json";
const SCHEMA: &str = "miras_tokenizer";
const VERSION: u32 = 1;

/// The files of a tokenizer, read but not parsed.
pub struct TokenizerFiles {
    /// Name and content of each; a folder with them is a setting of
    /// [`Tokenizer::open`](crate::Tokenizer::open).
    pub files: Vec<(String, Vec<u8>)>,
    /// As [`Tokenizer::fingerprint`](crate::Tokenizer::fingerprint).
    pub fingerprint: Option<String>,
}

/// What `miras_tokenizer.json` says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    schema: String,
    version: u32,
    kind: Kind,
    fingerprint: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bytes,
    Bases,
    Bpe,
}

impl TokenizerFiles {
    /// The name of the one that says what the others are.
    pub const FACTS: &str = FACTS;

    /// Reads the files that a setting names.
    ///
    /// # Errors
    /// As [`Tokenizer::open`](crate::Tokenizer::open), for files that cannot be found or read.
    pub fn read(setting: &str) -> Result<Self, DataError> {
        let facts = facts_in(setting)?;
        match built_in(setting, facts.as_ref()) {
            Some(BYTES) => return Self::new(setting, Kind::Bytes, None, Vec::new()),
            Some(_) => return Self::new(setting, Kind::Bases, None, Vec::new()),
            None => {}
        }
        let source = files::find(setting)?;
        let fingerprint = source.fingerprint();
        if let Some(facts) = facts {
            facts.check(setting, &fingerprint)?;
        }
        let files = source.into_named();
        Self::new(setting, Kind::Bpe, Some(fingerprint), files)
    }

    fn new(
        setting: &str,
        kind: Kind,
        fingerprint: Option<String>,
        mut files: Vec<(String, Vec<u8>)>,
    ) -> Result<Self, DataError> {
        let facts = Facts {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            kind,
            fingerprint: fingerprint.clone(),
        };
        let mut json = serde_json::to_vec_pretty(&facts)
            .map_err(|cause| error(setting, format!("cannot be described: {cause}")))?;
        json.push(b'\n');
        files.push((FACTS.to_owned(), json));
        Ok(Self { files, fingerprint })
    }
}

/// The description in a stored folder; `None` for any other setting.
pub(super) fn facts_in(setting: &str) -> Result<Option<Facts>, DataError> {
    if built_in(setting, None).is_some() {
        return Ok(None);
    }
    let path = paths::with_home(setting).join(FACTS);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(cause) if is_absent(&cause) => return Ok(None),
        Err(source) => return Err(DataError::Read { path, source }),
    };
    let damaged = |why: String| error(&path.to_string_lossy(), why);
    let facts: Facts =
        serde_json::from_slice(&bytes).map_err(|cause| damaged(format!("is damaged: {cause}")))?;
    if (facts.schema.as_str(), facts.version) != (SCHEMA, VERSION) {
        return Err(damaged(format!(
            "is {} in version {}, and this program reads {SCHEMA} in version {VERSION}",
            facts.schema, facts.version
        )));
    }
    if (facts.kind == Kind::Bpe) != facts.fingerprint.is_some() {
        let why = "is damaged: files have a fingerprint, and bytes and bases have none";
        return Err(damaged(why.to_owned()));
    }
    Ok(Some(facts))
}

/// The one of the tokenizers without files, if it is one, that a setting names or that a stored folder
/// says it is.
pub(super) fn built_in(setting: &str, facts: Option<&Facts>) -> Option<&'static str> {
    let saved = || match facts?.kind {
        Kind::Bytes => Some(BYTES),
        Kind::Bases => Some(BASES),
        Kind::Bpe => None,
    };
    let mut names = [BYTES, BASES].into_iter();
    names.find(|name| *name == setting).or_else(saved)
}

/// There is no such file, or the setting is not a folder.
fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl Facts {
    /// Refuses files that changed since they were stored.
    pub(super) fn check(&self, setting: &str, found: &str) -> Result<(), DataError> {
        match &self.fingerprint {
            Some(saved) if saved != found => {
                let path = Path::new(setting).to_owned();
                let why = format!(
                    "changed since it was saved: its files are {found}, and {FACTS} says {saved}"
                );
                let field = FIELD;
                Err(DataError::Tokenizer { field, path, why })
            }
            _ => Ok(()),
        }
    }
}
