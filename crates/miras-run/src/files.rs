//! Files that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, RunError};

/// Ends the name of whatever is not finished.
pub(crate) const UNFINISHED: &str = ".tmp";

/// Writes a file so that a reader, or a kill or power cut at any instant, finds the old
/// content or the new one and never a mixture.
///
/// The bytes go to another name in the same folder, are flushed to the disk, and take the
/// place of `path` by a rename. The folder must exist.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = unfinished_name(path);
    let written = write_flushed(&unfinished, bytes)
        .map_err(RunError::io("write", &unfinished))
        .and_then(|()| fs::rename(&unfinished, path).map_err(RunError::io("replace", path)));
    if written.is_err() {
        // The first failure is the one to report.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    sync_folder(parent(path))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomic(path, &to_json(path, value)?)
}

/// Indented JSON with a newline at the end; `path` is for the error.
pub(crate) fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| RunError::Io {
        action: "put into JSON",
        path: path.to_owned(),
        cause: error.into(),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::Malformed {
        path: path.to_owned(),
        cause: error.to_string(),
    })
}

/// Flushes the list of names in a folder: a rename survives a power cut only after this.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Some network file systems cannot flush a folder; nothing better is to be had there.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result.map_err(RunError::io("flush", path)),
    }
}

/// Whether anything, even a dangling link, has this name.
pub(crate) fn is_taken(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(RunError::io("look at", path)(error)),
    }
}

/// Removes what writers that were killed left of `path`. Only for a file that no other
/// process can be writing now.
pub(crate) fn remove_unfinished(path: &Path) -> Result<()> {
    let folder = parent(path);
    let Some(stem) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(());
    };
    let prefix = format!("{stem}.");
    for entry in fs::read_dir(folder).map_err(RunError::io("list", folder))? {
        let entry = entry.map_err(RunError::io("list", folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(&prefix) && name.ends_with(UNFINISHED) {
            fs::remove_file(entry.path()).map_err(RunError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// `config.toml` becomes `config.toml.<process>-<count>.tmp`, so that no two writers meet.
fn unfinished_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path
        .file_name()
        .map_or_else(OsString::new, ToOwned::to_owned);
    name.push(format!(".{}-{count}{UNFINISHED}", std::process::id()));
    path.with_file_name(name)
}

fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn write_atomic_replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        write_atomic(&path, b"first, longer").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["summary.json"]);
    }

    #[test]
    fn write_atomic_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inner")).unwrap();
        let error = write_atomic(&path, b"x").unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot replace {}: ", path.display())),
            "{error}"
        );
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn remove_unfinished_touches_only_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "run.json",
            "run.json.7-0.tmp",
            "eval.json.7-0.tmp",
            "notes.tmp",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_unfinished(&folder.path().join("run.json")).unwrap();
        assert_eq!(
            names(folder.path()),
            ["eval.json.7-0.tmp", "notes.tmp", "run.json"]
        );
    }
}
