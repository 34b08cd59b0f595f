//! The content of all event files of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miras_run::{RunError, write_atomic};
use tensorboard_rs::record_writer::RecordWriter;

use super::decode::{decode, only};
use super::event::{Event, What};
use super::read::{event_files, read};
use super::record::{Fault, records};
use crate::{HParam, Histogram, LogError, Status};

/// Everything in the event files of one run, as TensorBoard shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The points `(step, value)` of each series of numbers.
    pub scalars: BTreeMap<String, Vec<(u64, f32)>>,
    /// The texts `(step, Markdown)` of each tag.
    pub texts: BTreeMap<String, Vec<(u64, String)>>,
    /// The distributions `(step, counts)` of each tag.
    pub histograms: BTreeMap<String, Vec<(u64, Histogram)>>,
    /// Value of each hyperparameter.
    pub hparams: BTreeMap<String, HParam>,
    /// The group of runs that this one is averaged with.
    pub group: Option<String>,
    /// The metrics declared as columns of the HParams page.
    pub metric_tags: Vec<String>,
    /// How the run ended; `None` while it runs, or if it was interrupted.
    pub status: Option<Status>,
    /// Files that stop inside their last record.
    pub truncated: Vec<PathBuf>,
}

/// Reads all event files of `folder` in TensorBoard's order and applies its
/// rules: a resume drops the points that it repeats, and only the first
/// hyperparameters and the first end of a session count.
///
/// A torn last record is listed in [`Summary::truncated`]; a damaged record is
/// an error.
pub fn summary(folder: impl AsRef<Path>) -> Result<Summary, LogError> {
    let mut summary = Summary::default();
    for path in event_files(folder)? {
        let events = match read(&path) {
            Ok(events) => events,
            Err(LogError::Truncated { path, events, .. }) => {
                summary.truncated.push(path);
                events
            }
            Err(error) => return Err(error),
        };
        for event in events {
            summary.add(event);
        }
    }
    Ok(summary)
}

impl Summary {
    fn add(&mut self, event: Event) {
        let step = event.step;
        match event.what {
            What::SessionStart => {
                purge(&mut self.scalars, step);
                purge(&mut self.texts, step);
                purge(&mut self.histograms, step);
            }
            What::Scalar { tag, value } => {
                self.scalars.entry(tag).or_default().push((step, value));
            }
            What::Text { tag, text } => {
                self.texts.entry(tag).or_default().push((step, text));
            }
            What::Histogram { tag, histogram } => {
                let series = self.histograms.entry(tag).or_default();
                series.push((step, histogram));
            }
            What::Experiment { metric_tags, .. } => {
                if self.metric_tags.is_empty() {
                    self.metric_tags = metric_tags;
                }
            }
            What::HParams { group, values } => {
                if self.group.is_none() {
                    self.group = Some(group);
                    self.hparams = values;
                }
            }
            What::SessionEnd(status) => self.status = self.status.or(status),
            What::FileVersion(_) | What::Other => {}
        }
    }
}

fn purge<T>(all: &mut BTreeMap<String, Vec<(u64, T)>>, from: u64) {
    for series in all.values_mut() {
        series.retain(|(step, _)| *step < from);
    }
    all.retain(|_, series| !series.is_empty());
}

/// Removes from an event file the values for which `survives` is false, and a torn last record.
///
/// All other records stay unchanged. A damaged file is not changed, so that nothing
/// of it that can still be read is lost.
pub(crate) fn trim(path: &Path, survives: &dyn Fn(&Event) -> bool) -> Result<(), LogError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let mut kept = Vec::with_capacity(bytes.len());
    for record in records(&bytes) {
        let record = match record {
            Ok(record) => record,
            Err(Fault::Truncated { .. }) => break,
            Err(Fault::Corrupt { .. }) => return Ok(()),
        };
        let Ok(events) = decode(record.payload) else {
            return Ok(());
        };
        let wanted: Vec<bool> = events.iter().map(survives).collect();
        if wanted.iter().all(|wanted| *wanted) {
            kept.extend_from_slice(record.framed);
        } else if wanted.contains(&true) {
            let Ok(payload) = only(record.payload, &wanted) else {
                return Ok(());
            };
            RecordWriter::new(&mut kept)
                .write(&payload)
                .map_err(RunError::io("write", path))?;
        }
    }
    if kept == bytes {
        return Ok(());
    }
    Ok(write_atomic(path, &kept)?)
}
