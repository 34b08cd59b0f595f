//! The manifest of a checkpoint: a list of its files, and the check that they are unchanged.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checksum::hash;
use crate::error::{Fault, Result, RunError};
use crate::files::{sync_folder, write_atomic};
use crate::seal::{self, Check, to_sealed_json};

pub(crate) const NAME: &str = "manifest.json";
const FORMAT: u32 = 1;

/// The description of a saved checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout of checkpoints.
    pub format: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// The description by the trainer.
    pub info: CheckpointInfo,
    /// Every file, sorted by name.
    pub files: Vec<FileEntry>,
}

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path inside the checkpoint, with `/` between folders.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// The description of a checkpoint by the trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// Tokens seen so far.
    pub tokens: u64,
    /// The metric that decides which checkpoint is best, for example `eval/loss`.
    pub metric: Option<String>,
    /// Whether a lower or a higher value of it is better.
    pub goal: Goal,
    /// Its value at this step, if it was evaluated here.
    pub eval: Option<f64>,
    /// Its best value of the run so far.
    pub best: Option<f64>,
    /// The step where that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u64>,
    /// Whether it was saved only because its evaluation was a new best.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_best: bool,
    /// Whether all weights are finite. Others are not saved.
    pub finite: bool,
}

impl CheckpointInfo {
    /// Finite weights and no evaluation.
    pub fn new(tokens: u64) -> Self {
        Self {
            tokens,
            metric: None,
            goal: Goal::Lower,
            eval: None,
            best: None,
            best_step: None,
            only_best: false,
            finite: true,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Whether lower or higher values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Lower is better, as for a loss.
    #[default]
    Lower,
    /// Higher is better, as for an accuracy.
    Higher,
}

impl Goal {
    /// Whether `value` is strictly better than `leader`.
    pub fn is_better(self, value: f64, leader: f64) -> bool {
        match self {
            Self::Lower => value < leader,
            Self::Higher => value > leader,
        }
    }
}

/// Flushes all files of a folder to the disk and writes their manifest.
pub(crate) fn seal(folder: &Path, step: u64, info: &CheckpointInfo) -> Result<Manifest> {
    let mut files = Vec::new();
    flush_and_hash(folder, "", &mut files)?;
    if files.is_empty() {
        return Err(RunError::BadContent {
            path: folder.to_owned(),
            why: "it is empty",
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let path = folder.join(NAME);
    let manifest = Manifest {
        format: FORMAT,
        step,
        info: info.clone(),
        files,
    };
    write_atomic(&path, &to_sealed_json(&path, &manifest)?)?;
    Ok(manifest)
}

/// Reads a manifest and checks it, but not the files that it lists.
pub(crate) fn read(folder: &Path, step: u64) -> Result<Manifest, Fault> {
    let manifest = read_any(folder)?;
    if manifest.step != step {
        return Err(Fault::Step {
            found: manifest.step,
        });
    }
    Ok(manifest)
}

/// Reads the manifest of any step and checks it, but not the files that it lists.
pub(crate) fn read_any(folder: &Path) -> Result<Manifest, Fault> {
    let unreadable = |cause| Fault::Unreadable {
        file: NAME.to_owned(),
        cause,
    };
    let text = match fs::read(folder.join(NAME)) {
        Err(error) => return Err(fault_of(NAME, &error)),
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?,
    };
    let version: Version =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if version.format != FORMAT {
        return Err(Fault::Format {
            found: version.format,
            known: FORMAT,
        });
    }
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    match seal::check(&text).map_err(|error| unreadable(error.to_string()))? {
        Check::Whole => {}
        Check::Changed => {
            return Err(Fault::Content {
                file: NAME.to_owned(),
            });
        }
        // All versions write sealed manifests.
        Check::Unsealed => return Err(unreadable("missing field `seal`".to_owned())),
    }
    Ok(manifest)
}

/// Reads a manifest and compares every file with it.
pub(crate) fn verify(folder: &Path, step: u64) -> Result<Manifest, Fault> {
    let manifest = read(folder, step)?;
    for FileEntry { name, size, sha256 } in &manifest.files {
        let file = || name.clone();
        let path = folder.join(name);
        let found = fs::metadata(&path)
            .map_err(|error| fault_of(name, &error))?
            .len();
        if found != *size {
            return Err(Fault::Size {
                file: file(),
                expected: *size,
                found,
            });
        }
        let digest = File::open(&path)
            .and_then(|mut open| hash(&mut open))
            .map_err(|error| fault_of(name, &error))?;
        if digest != (*size, sha256.clone()) {
            return Err(Fault::Content { file: file() });
        }
    }
    Ok(manifest)
}

/// The field that every version of the manifest has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

fn flush_and_hash(folder: &Path, prefix: &str, files: &mut Vec<FileEntry>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(RunError::io("list", folder))? {
        let path = entry.map_err(RunError::io("list", folder))?.path();
        let refuse = |why| RunError::BadContent {
            path: path.clone(),
            why,
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(refuse("its name is not UTF-8"));
        };
        let name = format!("{prefix}{name}");
        let kind = fs::symlink_metadata(&path)
            .map_err(RunError::io("look at", &path))?
            .file_type();
        if name == NAME {
            return Err(refuse("this name is for the list of the files"));
        } else if kind.is_dir() {
            flush_and_hash(&path, &format!("{name}/"), files)?;
        } else if kind.is_file() {
            let (size, sha256) =
                flush_and_hash_file(&path).map_err(RunError::io("flush", &path))?;
            files.push(FileEntry { name, size, sha256 });
        } else {
            return Err(refuse("it is a link or a device"));
        }
    }
    sync_folder(folder)
}

fn flush_and_hash_file(path: &Path) -> io::Result<(u64, String)> {
    // Windows flushes only files that are open for writing.
    let mut file = OpenOptions::new()
        .read(true)
        .write(cfg!(windows))
        .open(path)?;
    file.sync_all()?;
    hash(&mut file)
}

fn fault_of(file: &str, error: &io::Error) -> Fault {
    let file = file.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => Fault::Missing { file },
        _ => Fault::Unreadable {
            file,
            cause: error.to_string(),
        },
    }
}
