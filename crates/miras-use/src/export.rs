//! Weights outside of a run.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use miras_run::{RunError, RunFolder, write_atomic};
use serde::{Deserialize, Serialize};

use crate::{Trained, UseError};

const FACTS: &str = "export.json";
const SCHEMA: &str = "miras_export";
const VERSION: u32 = 1;

/// What `export.json` says about the weights beside it.
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
    /// Name, size and fingerprint of the data it was trained on; none if the run has no record.
    pub data: Option<String>,
    /// Fingerprint of the tokenizer of its training; null for bytes and data that are no text.
    pub tokenizer: Option<String>,
    /// SHA-256 of `model.safetensors`.
    pub weights: String,
}

impl Export {
    /// What a folder says; none if it is no export.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, UseError> {
        let path = folder.join(FACTS);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.map_err(UseError::io("read", &path))?,
        };
        let malformed = |cause: String| UseError::Malformed {
            path: path.clone(),
            cause,
        };
        let found: Self =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if (found.schema.as_str(), found.version) != (SCHEMA, VERSION) {
            let cause = format!(
                "it is {} in version {}, and this program reads {SCHEMA} in version {VERSION}",
                found.schema, found.version
            );
            return Err(malformed(cause));
        }
        Ok(Some(found))
    }
}

/// Writes weights, configuration and `export.json` into a folder that is new or empty.
pub fn export(trained: &Trained, out: &Path) -> Result<Export, UseError> {
    fs::create_dir_all(out).map_err(UseError::io("make", out))?;
    let mut entries = fs::read_dir(out).map_err(UseError::io("list", out))?;
    if entries.next().is_some() {
        return Err(UseError::Taken {
            path: out.to_owned(),
        });
    }
    let facts = Export {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        run: trained.origin.run.clone(),
        step: trained.origin.step,
        tokens: trained.tokens,
        data: data_of(&trained.folder)?,
        tokenizer: trained.tokenizer.clone(),
        weights: trained.origin.weights.clone(),
    };
    let copy = |from: &Path, name: &str| -> Result<(), UseError> {
        let bytes = fs::read(from).map_err(UseError::io("read", from))?;
        Ok(write_atomic(&out.join(name), &bytes)?)
    };
    copy(&trained.weights, "model.safetensors")?;
    copy(&trained.config_path(), "config.toml")?;
    let path = out.join(FACTS);
    let mut json = serde_json::to_vec_pretty(&facts).map_err(|error| UseError::Malformed {
        path: path.clone(),
        cause: error.to_string(),
    })?;
    json.push(b'\n');
    write_atomic(&path, &json)?;
    Ok(facts)
}

/// What the run, or the export, says that it was trained on.
fn data_of(folder: &Path) -> Result<Option<String>, UseError> {
    if let Some(export) = Export::read(folder)? {
        return Ok(export.data);
    }
    let runs = folder.parent().unwrap_or(Path::new(""));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    match RunFolder::open_to_read(runs, &name)?.read_record() {
        Ok(record) => Ok(Some(record.data)),
        Err(RunError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
