//! Reads TensorBoard event files back.

mod decode;
mod record;
mod summary;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use self::record::{Fault, records};
pub(crate) use self::summary::trim;
pub use self::summary::{Summary, summary};
use crate::{HParam, Histogram, LogError, Status};

/// One thing that an event file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was written, in seconds since 1970.
    pub wall_time: f64,
    /// The training step.
    pub step: u64,
    /// What it says.
    pub what: What,
}

/// What an [`Event`] says. A record that holds several values gives as many
/// events.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The format, as the first record of a file.
    FileVersion(String),
    /// A resumed run: points at this step and later, read before, are void.
    SessionStart,
    /// A number.
    Scalar {
        /// Name of the series.
        tag: String,
        /// Its value; event files hold single precision.
        value: f32,
    },
    /// A distribution.
    Histogram {
        /// Name of the series.
        tag: String,
        /// The counts.
        histogram: Histogram,
    },
    /// A text, in Markdown.
    Text {
        /// Name of the series.
        tag: String,
        /// The text.
        text: String,
    },
    /// The columns of the HParams page.
    Experiment {
        /// Declared hyperparameters.
        hparams: Vec<String>,
        /// Declared metrics.
        metric_tags: Vec<String>,
    },
    /// The hyperparameters of this run.
    HParams {
        /// Runs of the same group are averaged.
        group: String,
        /// Value by name.
        values: BTreeMap<String, HParam>,
    },
    /// The end of the run; `None` for a status that is neither success nor
    /// failure.
    SessionEnd(Option<Status>),
    /// Something this crate never writes.
    Other,
}

/// Reads an event file and verifies both checksums of every record.
///
/// A file that stops inside its last record gives [`LogError::Truncated`], which
/// carries all events before it.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Event>, LogError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|cause| LogError::io("read", path, cause))?;
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
    let failed = |cause| LogError::io("read", folder, cause);
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
