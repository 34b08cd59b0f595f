//! Folders of runs that were killed before they had a name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use crate::error::{Result, RunError};
use crate::files::UNFINISHED;

const PREFIX: &str = ".new-";
/// Making a run takes moments, so what is older was left by a process that is gone.
const LEFT: Duration = Duration::from_hours(1);

/// Makes an empty folder for what is going to be a run. Process numbers come again, so the
/// remains of a killed process may have the first names.
pub(crate) fn make(runs_dir: &Path) -> Result<PathBuf> {
    let mut count = 0_u64;
    loop {
        let name = format!("{PREFIX}{}-{count}{UNFINISHED}", process::id());
        let path = runs_dir.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => count += 1,
            result => {
                result.map_err(RunError::io("make", &path))?;
                return Ok(path);
            }
        }
    }
}

/// Removes what [`make`] made and a kill left behind, unless something of others is in it.
/// `files` are the files of a new run. What cannot be removed stays: it is in nobody's way.
pub(crate) fn remove_left(runs_dir: &Path, files: &[&str]) {
    for entry in fs::read_dir(runs_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_left = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && name.to_str().is_some_and(is_ours)
            && is_old(&entry.path());
        if is_left {
            remove(&entry.path(), files);
        }
    }
}

/// `.new-<process>-<count>.tmp`.
fn is_ours(name: &str) -> bool {
    let numbers = (name.strip_prefix(PREFIX))
        .and_then(|rest| rest.strip_suffix(UNFINISHED))
        .and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.is_some_and(|(process, count)| is_number(process) && is_number(count))
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|data| data.modified());
    // A time in the future is nobody's age.
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= LEFT))
}

/// Removes a folder that holds `files`, finished or not, and nothing else.
fn remove(folder: &Path, files: &[&str]) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let is_of_run = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let is_known = |name: &str| {
            files.iter().any(|file| {
                let rest = name.strip_prefix(file);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(UNFINISHED))
            })
        };
        path.is_file() && name.is_some_and(is_known)
    };
    if inside.iter().all(is_of_run) {
        for path in inside {
            let _ = fs::remove_file(path);
        }
        // Refused if something came in meanwhile.
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_two_numbers_make_a_name_of_ours() {
        assert!(is_ours(".new-71-0.tmp"));
        for name in [
            ".new-.tmp",
            ".new-71.tmp",
            ".new-71-.tmp",
            ".new-a-0.tmp",
            ".new-71-0-1.tmp",
            ".new-71-0",
            "new-71-0.tmp",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
