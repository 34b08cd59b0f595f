//! Files to which complete records are appended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miras_run::RunError;

use crate::LogError;

/// A file to which complete records are appended.
pub(crate) struct AppendFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl AppendFile {
    /// An empty file at `path`; earlier content is dropped.
    pub(crate) fn create(path: &Path) -> Result<Self, LogError> {
        let opened = Self::open(path)?;
        opened
            .file
            .set_len(0)
            .map_err(RunError::io("create", path))?;
        Ok(Self { len: 0, ..opened })
    }

    /// A new file at `path`, or an error if there is one already.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        let path = path.to_path_buf();
        Ok(Self { file, path, len: 0 })
    }

    /// The file at `path`, to be continued at its end; it is created if missing.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let failed = |cause| RunError::io("open", path)(cause);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let path = path.to_path_buf();
        Ok(Self { file, path, len })
    }

    /// Appends one record in a single write, so that a killed run tears at most
    /// the last one.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<(), LogError> {
        if let Err(cause) = self.file.write_all(record) {
            // A full disk may hold a part of the record. If that cannot be removed
            // either, the first error is reported.
            let _ = self.file.set_len(self.len);
            return Err(RunError::io("write", &self.path)(cause).into());
        }
        self.len += record.len() as u64;
        Ok(())
    }

    /// Waits until everything is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), LogError> {
        let synced = self.file.sync_data();
        Ok(synced.map_err(RunError::io("flush", &self.path))?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder that `path` lies in.
pub(crate) fn make_folder_of(path: &Path) -> Result<(), LogError> {
    let folder = folder_of(path);
    Ok(fs::create_dir_all(folder).map_err(RunError::io("create", folder))?)
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let mut file = AppendFile::open(Path::new("/dev/full")).unwrap();
        let error = file.append(b"record").unwrap_err().to_string();
        assert!(error.starts_with("cannot write /dev/full: "), "{error}");
        assert_eq!(file.len, 0);
    }

    #[test]
    fn create_drops_and_open_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        AppendFile::create(&path).unwrap().append(b"old").unwrap();
        let mut file = AppendFile::create(&path).unwrap();
        file.append(b"one").unwrap();
        AppendFile::open(&path).unwrap().append(b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        assert!(AppendFile::create_new(&path).is_err());
    }
}
