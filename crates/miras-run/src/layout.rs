//! The names inside `checkpoints/`, and the renames that keep a complete checkpoint at every
//! instant.
//!
//! | name                | meaning                                                         |
//! |---------------------|-----------------------------------------------------------------|
//! | `step-00000020`     | finished                                                        |
//! | `step-00000020.tmp` | being written or being removed; never read                      |
//! | `step-00000020.old` | finished, just before its replacement is renamed                |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Result, RunError};
use crate::files::{UNFINISHED, is_taken, sync_folder};

const PREFIX: &str = "step-";
const REPLACED: &str = ".old";

/// The path of the finished checkpoint of a step.
pub(crate) fn finished(root: &Path, step: u64) -> PathBuf {
    root.join(format!("{PREFIX}{step:08}"))
}

/// The path where the checkpoint of a step is written.
pub(crate) fn unfinished(root: &Path, step: u64) -> PathBuf {
    root.join(format!("{PREFIX}{step:08}{UNFINISHED}"))
}

/// The finished checkpoints and their paths, ascending by step.
pub(crate) fn scan(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for name in names(root)? {
        if let Some(step) = step_of(&name) {
            found.push((step, root.join(name)));
        } else if let Some(step) = name.strip_suffix(REPLACED).and_then(step_of)
            && !is_taken(&finished(root, step))?
        {
            found.push((step, root.join(name)));
        }
    }
    found.sort();
    Ok(found)
}

/// Renames the written checkpoint of a step to its final name, after an earlier one of the same
/// step was renamed. [`tidy`] removes that one.
pub(crate) fn install(root: &Path, step: u64) -> Result<PathBuf> {
    let (from, to) = (unfinished(root, step), finished(root, step));
    if is_taken(&to)? {
        let aside = replaced(root, step);
        fs::rename(&to, &aside).map_err(RunError::io("set aside", &to))?;
    }
    fs::rename(&from, &to).map_err(RunError::io("give its final name to", &from))?;
    sync_folder(root)?;
    Ok(to)
}

/// Removes the remains of a kill, and restores a checkpoint whose replacement was not renamed.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    for name in names(root)? {
        let path = root.join(&name);
        if let Some(step) = name.strip_suffix(REPLACED).and_then(step_of) {
            let home = finished(root, step);
            if is_taken(&home)? {
                remove(&path)?;
            } else {
                fs::rename(&path, &home).map_err(RunError::io("bring back", &path))?;
            }
        } else if name.starts_with(PREFIX) && name.ends_with(UNFINISHED) {
            fs::remove_dir_all(&path).map_err(RunError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes a finished checkpoint. It is renamed first, so that a kill does not leave a part of it
/// under a name that is read.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let mut doomed = path.as_os_str().to_owned();
    doomed.push(UNFINISHED);
    let doomed = PathBuf::from(doomed);
    if is_taken(&doomed)? {
        fs::remove_dir_all(&doomed).map_err(RunError::io("remove", &doomed))?;
    }
    fs::rename(path, &doomed).map_err(RunError::io("remove", path))?;
    fs::remove_dir_all(&doomed).map_err(RunError::io("remove", &doomed))
}

fn replaced(root: &Path, step: u64) -> PathBuf {
    root.join(format!("{PREFIX}{step:08}{REPLACED}"))
}

/// The step in the name of a finished checkpoint; only the form that this module writes.
fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix(PREFIX)?.parse().ok()?;
    (name == format!("{PREFIX}{step:08}")).then_some(step)
}

fn names(root: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(RunError::io("list", root))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunError::io("list", root))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// What is in `checkpoints/` after a kill -> steps that are found -> what `tidy` leaves.
    #[test]
    fn every_state_that_a_kill_can_leave_is_read_and_tidied() {
        let table: [(&[&str], &[u64], &[&str]); 8] = [
            (&[], &[], &[]),
            (&["step-00000020.tmp"], &[], &[]),
            (
                &["step-00000010", "step-00000020.tmp"],
                &[10],
                &["step-00000010"],
            ),
            (
                &["step-00000020", "step-00000020.tmp"],
                &[20],
                &["step-00000020"],
            ),
            (
                &["step-00000020.old", "step-00000020.tmp"],
                &[20],
                &["step-00000020"],
            ),
            (
                &["step-00000020", "step-00000020.old"],
                &[20],
                &["step-00000020"],
            ),
            (
                &["step-00000020", "step-00000020.old.tmp"],
                &[20],
                &["step-00000020"],
            ),
            (
                &[
                    "step-00000003",
                    "step-123456789",
                    "step-20",
                    "notes.tmp",
                    "step-x",
                ],
                &[3, 123_456_789],
                &[
                    "notes.tmp",
                    "step-00000003",
                    "step-123456789",
                    "step-20",
                    "step-x",
                ],
            ),
        ];
        for (before, steps, after) in table {
            let root = tempfile::tempdir().unwrap();
            for name in before {
                fs::create_dir(root.path().join(name)).unwrap();
                fs::write(root.path().join(name).join("file"), name).unwrap();
            }
            let found: Vec<_> = scan(root.path())
                .unwrap()
                .into_iter()
                .map(|f| f.0)
                .collect();
            assert_eq!(found, steps, "{before:?}");
            tidy(root.path()).unwrap();
            let mut left = names(root.path()).unwrap();
            left.sort();
            assert_eq!(left, after, "{before:?}");
        }
    }

    /// What a kill during a removal would leave is what another thread sees during it.
    #[test]
    fn a_half_removed_checkpoint_never_has_a_finished_name() {
        const FILES: usize = 300;
        let root = tempfile::tempdir().unwrap();
        for step in 0..10 {
            let written = unfinished(root.path(), step);
            fs::create_dir(&written).unwrap();
            for file in 0..FILES {
                fs::write(written.join(file.to_string()), "").unwrap();
            }
            let path = install(root.path(), step).unwrap();
            thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    while let Ok(files) = fs::read_dir(&path) {
                        let count = files.count();
                        assert!(count == FILES || !path.exists(), "{count} files");
                    }
                });
                remove(&path).unwrap();
                watcher.join().unwrap();
            });
        }
        assert!(names(root.path()).unwrap().is_empty());
    }

    #[test]
    fn a_missing_folder_has_no_checkpoints() {
        let root = tempfile::tempdir().unwrap();
        assert!(scan(&root.path().join("none")).unwrap().is_empty());
    }
}
