//! Folders that are created atomically.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;

use crate::error::{Result, RunError};
use crate::files::{
    UNFINISHED, is_left, is_number, is_taken, parent, sync_folder, unfinished_stem, write_atomic,
};
use crate::names::{CONFIG, EXPORT, RECORD, TOKENIZER, WEIGHTS};

const PREFIX: &str = ".new-";
/// The files of the folders that this crate makes.
const FILES: [&str; 4] = [CONFIG, RECORD, EXPORT, WEIGHTS];

/// Makes a folder with these files in it; their names may include one folder.
///
/// It gets its name when every file is in it and on the disk: a kill at any instant leaves either
/// no folder or a complete one, and a failure leaves nothing. The name must be free, or that of an
/// empty folder. A kill may also leave a folder `.new-….tmp`; one that is an hour old is removed by
/// the next call.
pub fn new_folder(path: &Path, files: &[(String, &[u8])]) -> Result<()> {
    let above = parent(path);
    fs::create_dir_all(above).map_err(RunError::io("make", above))?;
    remove_left(above);
    let unfinished = make(above)?;
    let made = fill(&unfinished, files).and_then(|()| {
        if path.is_dir() {
            // Some systems do not rename a folder onto an empty one.
            fs::remove_dir(path).map_err(RunError::io("replace", path))?;
        }
        fs::rename(&unfinished, path).map_err(RunError::io("make", path))
    });
    if made.is_err() {
        // The first failure is reported.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made?;
    sync_folder(above)
}

fn fill(folder: &Path, files: &[(String, &[u8])]) -> Result<()> {
    for (name, bytes) in files {
        let path = folder.join(name);
        let above = parent(&path);
        if !is_taken(above)? {
            fs::create_dir(above).map_err(RunError::io("make", above))?;
        }
        write_atomic(&path, bytes)?;
    }
    sync_folder(folder)
}

/// Process numbers are reused, so a killed process may have left folders with the first names.
fn make(above: &Path) -> Result<PathBuf> {
    let mut count = 0_u64;
    loop {
        let name = format!("{PREFIX}{}-{count}{UNFINISHED}", process::id());
        let path = above.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => count += 1,
            result => {
                result.map_err(RunError::io("make", &path))?;
                return Ok(path);
            }
        }
    }
}

/// Removes folders of [`make`] that a kill left, unless they hold other files. Errors are ignored:
/// such a folder does no harm.
pub(crate) fn remove_left(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let path = entry.path();
        let is_left_over = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && name.to_str().is_some_and(is_ours)
            && is_left(&path);
        if is_left_over && all_in(&path, is_known) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// `.new-<process>-<count>.tmp`.
fn is_ours(name: &str) -> bool {
    let numbers = (name.strip_prefix(PREFIX))
        .and_then(|rest| rest.strip_suffix(UNFINISHED))
        .and_then(|rest| rest.split_once('-'));
    numbers.is_some_and(|(process, count)| is_number(process) && is_number(count))
}

/// Whether it is one of our files, finished or not, or the folder of a tokenizer.
fn is_known(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let stem = unfinished_stem(name).unwrap_or(name);
        (path.is_file() && FILES.contains(&stem))
            || (name == TOKENIZER && all_in(path, Path::is_file))
    })
}

fn all_in(folder: &Path, fits: impl Fn(&Path) -> bool) -> bool {
    let entries = fs::read_dir(folder);
    entries
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| fits(&entry.path()))))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = (entries)
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_made_whole_or_not_at_all() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("deep/out");
        let files = |last: &'static str| {
            let names = ["a", "in/b", last];
            names.map(|name| (name.to_owned(), name.as_bytes()))
        };
        // A file where a folder would have to be.
        new_folder(&path, &files("a/c")).unwrap_err();
        assert_eq!(names(&top.path().join("deep")), [""; 0]);
        fs::create_dir(&path).unwrap();
        new_folder(&path, &files("in/c")).unwrap();
        assert_eq!(names(&top.path().join("deep")), ["out"]);
        assert_eq!(names(&path), ["a", "in"]);
        assert_eq!(fs::read(path.join("in/c")).unwrap(), b"in/c");
        // What is there is not written over.
        new_folder(&path, &files("in/d")).unwrap_err();
        assert_eq!(names(&path.join("in")), ["b", "c"]);
        assert_eq!(names(&top.path().join("deep")), ["out"]);
    }
}
