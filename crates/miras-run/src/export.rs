//! Weights outside of a run: a folder with `export.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checksum::sha256_hex;
use crate::error::{Result, RunError};
use crate::files::is_taken;
use crate::names::{CONFIG, EXPORT, TOKENIZER, WEIGHTS};
use crate::new_folder::new_folder;
use crate::seal::{read_sealed, to_sealed_json};

const SCHEMA: &str = "miras_export";
const VERSION: u32 = 1;

/// What `export.json` says about the files beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// `miras_export`.
    pub schema: String,
    /// 1.
    pub version: u32,
    /// The run that the weights are from.
    pub run: String,
    /// Its optimiser steps.
    pub step: u64,
    /// Tokens it was trained on.
    pub tokens: u64,
    /// Name, size and fingerprint of the training data; `None` if the run has no record.
    pub data: Option<String>,
    /// Fingerprint of the tokenizer; `None` for bytes and data that are not text.
    pub tokenizer: Option<String>,
    /// SHA-256 of `model.safetensors`.
    pub weights: String,
    /// SHA-256 of `config.toml`; `None` in the export of an earlier version.
    #[serde(default)]
    pub config: Option<String>,
}

/// The fields that every version has.
#[derive(Deserialize)]
struct Version {
    schema: String,
    version: u32,
}

/// The files of an export beside `export.json`.
#[derive(Debug, Clone, Copy)]
pub struct Exported<'a> {
    /// `model.safetensors`.
    pub weights: &'a [u8],
    /// `config.toml`.
    pub config: &'a str,
    /// What goes into `tokenizer/`.
    pub tokenizer: &'a [(String, Vec<u8>)],
}

impl Export {
    /// A description of weights of a run; the checksums are added when it is written.
    pub fn new(run: &str, step: u64, tokens: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            run: run.to_owned(),
            step,
            tokens,
            data: None,
            tokenizer: None,
            weights: String::new(),
            config: None,
        }
    }

    /// Reads the description in a folder; `None` if the folder is not an export.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(EXPORT);
        if !is_taken(&path)? {
            return Ok(None);
        }
        let Version { schema, version } = read_sealed(&path)?;
        if (schema.as_str(), version) != (SCHEMA, VERSION) {
            let cause = format!(
                "it is {schema} in version {version}, and this program reads {SCHEMA} in version {VERSION}"
            );
            return Err(RunError::Malformed { path, cause });
        }
        read_sealed(&path).map(Some)
    }

    /// Writes an export atomically, as a folder that must not exist yet or must be empty. Returns
    /// the content of its `export.json`.
    pub fn write(mut self, out: &Path, files: Exported<'_>) -> Result<Self> {
        self.weights = sha256_hex(files.weights);
        self.config = Some(sha256_hex(files.config.as_bytes()));
        let json = to_sealed_json(&out.join(EXPORT), &self)?;
        let mut all = vec![
            (WEIGHTS.to_owned(), files.weights),
            (CONFIG.to_owned(), files.config.as_bytes()),
            (EXPORT.to_owned(), &*json),
        ];
        let tokenizer = files.tokenizer.iter();
        all.extend(tokenizer.map(|(name, bytes)| (format!("{TOKENIZER}/{name}"), &**bytes)));
        new_folder(out, &all)?;
        Ok(self)
    }
}
