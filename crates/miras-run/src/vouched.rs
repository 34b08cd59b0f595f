//! Checksums that vouch for files: those of `config.toml` and of the tokenizer in `run.json` or
//! `export.json`, and that of weights in the description of their export or checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checksum::sha256_hex;
use crate::error::{Damaged, Result, RunError};
use crate::export::Export;
use crate::files::is_taken;
use crate::manifest;
use crate::names::{CONFIG, EXPORT, RECORD, WEIGHTS};
use crate::provenance::RunRecord;
use crate::seal::{read_sealed, to_sealed_json};

/// How often the two files are read again when they do not match: a trainer may be replacing them.
const MAX_READS: usize = 5;

/// Whether a checksum vouches for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// It has the recorded checksum.
    Yes,
    /// No checksum was recorded.
    Unknown,
}

/// `run.json` as it is in the file.
#[derive(Serialize)]
struct RecordFile<'a> {
    /// SHA-256 of `config.toml`; of the old and the new one while it is being replaced.
    config: Vec<String>,
    #[serde(flatten)]
    record: &'a RunRecord,
}

/// The part of `run.json` about `config.toml`; empty in the file of an earlier version.
#[derive(Deserialize)]
struct Sums {
    #[serde(default)]
    config: Vec<String>,
}

/// `run.json`, with the checksums of these configurations; `path` is for the error.
pub(crate) fn record_json(path: &Path, record: &RunRecord, configs: &[&str]) -> Result<Vec<u8>> {
    let sums = configs.iter().map(|config| sha256_hex(config.as_bytes()));
    let config = sums.collect();
    to_sealed_json(path, &RecordFile { config, record })
}

/// Compares the configuration in the folder of a run or an export with its checksum.
pub fn config(folder: &Path) -> Result<Vouched> {
    let path = folder.join(CONFIG);
    for _ in 0..MAX_READS {
        let export = Export::read(folder)?;
        let is_export = export.is_some();
        let sums: Vec<String> = match export {
            Some(export) => export.config.into_iter().collect(),
            None if is_taken(&folder.join(RECORD))? => {
                read_sealed::<Sums>(&folder.join(RECORD))?.config
            }
            None if is_taken(&folder.join(WEIGHTS))? => {
                let path = folder.join(EXPORT);
                return Err(RunError::NotDescribed { path });
            }
            None => Vec::new(),
        };
        if sums.is_empty() {
            return Ok(Vouched::Unknown);
        }
        let found = fs::read(&path).map_err(RunError::io("read", &path))?;
        if sums.contains(&sha256_hex(&found)) {
            return Ok(Vouched::Yes);
        }
        if is_export {
            return Err(RunError::ExportChanged { path });
        }
    }
    Err(RunError::ConfigChanged { path })
}

/// The fingerprint of the tokenizer in the folder of a run or an export, and the file that says
/// so; none where nothing does.
pub fn tokenizer(folder: &Path) -> Result<Option<(String, &'static str)>> {
    let (fingerprint, by) = match Export::read(folder)? {
        Some(export) => (export.tokenizer, EXPORT),
        None if is_taken(&folder.join(RECORD))? => {
            let record: RunRecord = read_sealed(&folder.join(RECORD))?;
            (record.inputs().tokenizer, RECORD)
        }
        None => (None, RECORD),
    };
    Ok(fingerprint.map(|fingerprint| (fingerprint, by)))
}

/// Compares the checksum of a file of weights with that in its export or checkpoint.
pub fn weights(path: &Path, sha256: &str) -> Result<Vouched> {
    let folder = crate::files::parent(path);
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(export) = Export::read(folder)?
        && name == Some(WEIGHTS)
    {
        return if export.weights == sha256 {
            Ok(Vouched::Yes)
        } else {
            Err(other(path, EXPORT, sha256, &export.weights))
        };
    }
    if !is_taken(&folder.join(manifest::NAME))? {
        return Ok(Vouched::Unknown);
    }
    let found = manifest::read_any(folder).map_err(|fault| {
        RunError::Damaged(Box::new(Damaged {
            step: 0,
            path: folder.to_owned(),
            fault,
        }))
    })?;
    let entry = found.files.iter().find(|file| Some(&*file.name) == name);
    match entry {
        Some(entry) if entry.sha256 == sha256 => Ok(Vouched::Yes),
        Some(entry) => Err(other(path, manifest::NAME, sha256, &entry.sha256)),
        None => Ok(Vouched::Unknown),
    }
}

fn other(path: &Path, by: &'static str, found: &str, expected: &str) -> RunError {
    RunError::OtherWeights {
        path: PathBuf::from(path),
        by,
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Start, provenance};

    #[test]
    fn a_kill_while_the_configuration_is_replaced_leaves_one_that_the_record_knows() {
        let folder = tempfile::tempdir().unwrap();
        let start = Start {
            step: 0,
            device: "cpu".into(),
            provenance: provenance(&[], None),
        };
        let record = RunRecord::new(1, "a text", None, start);
        let path = folder.path().join(RECORD);
        let write = |configs: &[&str], now: &str| {
            fs::write(&path, record_json(&path, &record, configs).unwrap()).unwrap();
            fs::write(folder.path().join(CONFIG), now).unwrap();
            config(folder.path())
        };
        for (configs, now, is_known) in [
            (&["old"][..], "old", true),
            (&["old", "new"], "old", true),
            (&["old", "new"], "new", true),
            (&["new"], "new", true),
            (&["new"], "old", false),
            (&["old", "new"], "", false),
        ] {
            match write(configs, now) {
                Ok(Vouched::Yes) => assert!(is_known, "{configs:?} {now}"),
                Err(RunError::ConfigChanged { .. }) => assert!(!is_known, "{configs:?} {now}"),
                other => panic!("{configs:?} {now}: {other:?}"),
            }
        }
        // As an earlier version wrote it, and without a record at all.
        fs::write(&path, serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(config(folder.path()).unwrap(), Vouched::Unknown);
        fs::remove_file(&path).unwrap();
        assert_eq!(config(folder.path()).unwrap(), Vouched::Unknown);
    }
}
