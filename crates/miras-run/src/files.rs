//! Files that are written atomically.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Result, RunError};

/// The extension of files and folders that are not complete.
pub(crate) const UNFINISHED: &str = ".tmp";

/// Writes a file atomically, as [`AtomicFile`] does. The folder must exist.
///
/// Links are followed. A device or a pipe is written to directly, because a rename would remove
/// it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let followed = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = &*followed;
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return fs::write(path, bytes).map_err(RunError::io("write", path));
    }
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)
        .map_err(RunError::io("write", &file.unfinished))?;
    file.finish()
}

/// A file that gets its name when it is complete: readers, and a kill or power loss at any
/// instant, see either the old or the new content.
///
/// The bytes are written to another name in the same folder; [`finish`](Self::finish) flushes
/// them to the disk, renames the file and flushes the folder. A file that is dropped before is
/// removed; what a killed process leaves is for [`remove_left`].
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    has_name: bool,
}

impl AtomicFile {
    /// An empty file that will replace `path`. The folder must exist.
    pub fn create(path: &Path) -> Result<Self> {
        Self::open(path, OpenOptions::new().write(true).create_new(true))
    }

    /// As [`create`](Self::create), readable by its owner alone where the system has such a right.
    pub fn create_private(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::open(path, &options)
    }

    fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        loop {
            let unfinished = unfinished_name(path);
            match options.open(&unfinished) {
                // Process numbers are reused: a killed process left a file with this name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => {
                    return Ok(Self {
                        file: opened.map_err(RunError::io("write", &unfinished))?,
                        unfinished,
                        path: path.to_owned(),
                        has_name: false,
                    });
                }
            }
        }
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(RunError::io("write", &self.unfinished))?;
        fs::rename(&self.unfinished, &self.path).map_err(RunError::io("replace", &self.path))?;
        self.has_name = true;
        sync_folder(parent(&self.path))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.has_name {
            // The failure that came before is reported.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
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

/// Flushes the entries of a folder: only after this a rename survives a power loss.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    // Other systems cannot open a folder as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Some network file systems cannot flush a folder.
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

/// Whether anything has this name, also a dangling link.
pub(crate) fn is_taken(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(RunError::io("look at", path)(error)),
    }
}

/// Unfinished files that are older than this were left by a process that has ended, because a
/// write takes much less.
const MAX_WRITE_TIME: Duration = Duration::from_hours(1);

/// Removes files of [`AtomicFile`] that killed processes left in a folder, if they are an hour
/// old. Errors are ignored: such a file does no harm.
pub fn remove_left(folder: &Path) {
    remove_unfinished(folder, |_| false);
}

/// As [`remove_left`], and also younger files for which `is_ours` says that no other process can
/// be writing them.
pub(crate) fn remove_unfinished(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(unfinished_stem) else {
            continue;
        };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && (is_ours(stem) || is_left(&entry.path())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file or folder is so old that a process that has ended must have left it.
pub(crate) fn is_left(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|data| data.modified());
    // A time in the future does not count as old.
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= MAX_WRITE_TIME))
}

/// `config.toml` becomes `config.toml.<process>-<count>.tmp`, which no other writer uses.
fn unfinished_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default();
    // TensorBoard reads every file that has this word in its name.
    let mut name = match name.to_str() {
        Some(name) => OsString::from(name.replace("tfevents", "events")),
        None => name.to_owned(),
    };
    name.push(format!(".{}-{count}{UNFINISHED}", std::process::id()));
    path.with_file_name(name)
}

/// The final name of an unfinished file; `None` for other files.
pub(crate) fn unfinished_stem(name: &str) -> Option<&str> {
    let rest = name.strip_suffix(UNFINISHED)?;
    // The name that earlier versions used while they replaced a log.
    if rest.strip_prefix(".rewrite-").is_some_and(is_number) {
        return Some("metrics.jsonl");
    }
    let (stem, writer) = rest.rsplit_once('.')?;
    let (process, count) = writer.split_once('-')?;
    (!stem.is_empty() && is_number(process) && is_number(count)).then_some(stem)
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rename in their place would take them away.
    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_what_is_no_file_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomic(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let device = Path::new("/dev/null");
        write_atomic(device, b"gone").unwrap();
        assert!(!fs::metadata(device).unwrap().is_file());
    }

    #[test]
    fn a_file_has_its_name_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let mut dropped = AtomicFile::create(&path).unwrap();
        dropped.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(dropped);
        assert_eq!(names(folder.path()), [""; 0]);
        let mut file = AtomicFile::create_private(&path).unwrap();
        file.write_all(b"_ll").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(b"a").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"all");
        assert_eq!(names(folder.path()), ["tokens"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    /// In a container a process has the number of the one that was killed before it.
    #[test]
    fn a_name_that_a_killed_process_left_is_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let taken = AtomicFile::create(&path).unwrap();
        let name = |file: &AtomicFile| file.unfinished.to_string_lossy().into_owned();
        let (stem, count) = name(&taken)
            .trim_end_matches(UNFINISHED)
            .rsplit_once('-')
            .map(|(stem, count)| (stem.to_owned(), count.parse::<u64>().unwrap()))
            .unwrap();
        for later in count + 1..count + 50 {
            fs::write(format!("{stem}-{later}{UNFINISHED}"), "left").unwrap();
        }
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::read(format!("{stem}-{}{UNFINISHED}", count + 1)).unwrap(),
            b"left"
        );
    }

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
    fn leftovers_are_removed_when_they_are_ours_or_old_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files = [
            ".rewrite-7.tmp",
            "eval-64.json.7-0.tmp",
            "eval.json.8-0.tmp",
            "events.out.events.1.miras.7.0.9-1.tmp",
            "mine.tmp",
            "notes.7.tmp",
            "run.json",
            "run.json.7-0.tmp",
        ];
        for name in files {
            fs::write(at(name), "x").unwrap();
        }
        for name in ["eval.json.8-0.tmp", "mine.tmp"] {
            let then = std::time::SystemTime::now() - 2 * MAX_WRITE_TIME;
            let file = File::options().write(true).open(at(name)).unwrap();
            file.set_modified(then).unwrap();
        }
        remove_left(folder.path());
        let but = |gone: &[&str]| -> Vec<&str> {
            let mut left = files.to_vec();
            left.retain(|name| !gone.contains(name));
            left
        };
        assert_eq!(names(folder.path()), but(&["eval.json.8-0.tmp"]));
        remove_unfinished(folder.path(), |stem| !stem.starts_with("eval"));
        assert_eq!(
            names(folder.path()),
            [
                "eval-64.json.7-0.tmp",
                "mine.tmp",
                "notes.7.tmp",
                "run.json"
            ]
        );
    }

    #[test]
    fn tensorboard_does_not_read_an_unfinished_event_file() {
        let path = Path::new("runs/a/events.out.tfevents.1.miras.7.0");
        let unfinished = unfinished_name(path);
        let name = unfinished.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains("tfevents"), "{name}");
        assert_eq!(unfinished_stem(name), Some("events.out.events.1.miras.7.0"));
    }
}
