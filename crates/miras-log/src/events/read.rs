//! Reads event files, and lists those of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use miras_run::RunError;

use super::decode;
use super::event::Event;
use super::record::{Fault, records};
use crate::LogError;

/// Reads an event file and verifies both checksums of every record.
///
/// A file with a torn last record gives [`LogError::Truncated`], which has all events
/// before it.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Event>, LogError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let mut events = Vec::new();
    for record in records(&bytes) {
        match record {
            Ok(record) => {
                let decoded = decode::decode(record.payload);
                events.extend(decoded.map_err(|cause| LogError::Corrupt {
                    path: path.to_path_buf(),
                    offset: record.offset,
                    reason: cause.to_string(),
                })?);
            }
            Err(Fault::Corrupt { offset, reason }) => {
                return Err(LogError::Corrupt {
                    path: path.to_path_buf(),
                    offset,
                    reason: reason.to_owned(),
                });
            }
            Err(Fault::Truncated { offset }) => {
                return Err(LogError::Truncated {
                    path: path.to_path_buf(),
                    offset,
                    events,
                });
            }
        }
    }
    Ok(events)
}

/// The event files of a folder in the order in which TensorBoard reads them.
pub fn event_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, LogError> {
    let folder = folder.as_ref();
    let failed = |cause| RunError::io("read", folder)(cause);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains("tfevents") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
