//! TensorBoard event files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use miras_run::RunError;
use protobuf::Message;
use tensorboard_proto::api;
use tensorboard_proto::event::Event;
use tensorboard_proto::plugin_hparams::HParamsPluginData;
use tensorboard_rs::record_writer::RecordWriter;

use crate::append::{AppendFile, folder_of};
use crate::events::{event_files, trim};
use crate::message::{self, EXPERIMENT, HParam, SESSION_END, SESSION_START, SESSION_STEP};
use crate::{LogError, Status, Tracker};

/// Writes one event file into the folder of a run.
///
/// Every call reaches the file before it returns, so a running TensorBoard sees
/// it at its next reload.
pub struct TensorBoard {
    file: AppendFile,
}

impl TensorBoard {
    /// Begins a new event file in `folder`, which is made if missing.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, LogError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(RunError::io("create", folder))?;
        let file = new_file(folder)?;
        let mut tracker = Self { file };
        tracker.write(&message::file_version())?;
        Ok(tracker)
    }

    /// Begins a new event file in `folder` for a run that continues after `step`, with those points
    /// of before for which `keeps` is true, given their step and tag.
    ///
    /// All others, a torn last record and the end of the session are removed
    /// from the earlier files; of several ends TensorBoard would always show the first.
    /// The new file begins with session starts, which make a running TensorBoard drop
    /// the later points that it has read.
    pub fn resume(
        folder: impl AsRef<Path>,
        step: u64,
        keeps: &dyn Fn(u64, &str) -> bool,
    ) -> Result<Self, LogError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(RunError::io("create", folder))?;
        for path in event_files(folder)? {
            trim(&path, step, &|step, value| {
                let tag = value.get_tag();
                tag != SESSION_END && (message::is_of_page(tag) || keeps(step, tag))
            })?;
        }
        let mut tracker = Self::create(folder)?;
        // TensorBoard takes the first session start of a run as its beginning and purges
        // points only at later ones. A new run writes none, because it would purge the
        // points of another writer in the folder.
        for _ in 0..2 {
            tracker.write(&message::session_start(step.saturating_add(1)))?;
        }
        Ok(tracker)
    }

    /// Puts this run on the HParams page; call it before the first step.
    ///
    /// Runs with the same `group`, such as the seeds of one configuration, are
    /// averaged. `metric_tags` are the scalars shown as columns. TensorBoard
    /// takes the columns of all runs of a log folder from one of them, so runs
    /// to be compared should give the same names. After a resume a second call
    /// replaces the first: TensorBoard would always show the first values, which
    /// differ if the run was extended.
    pub fn hparams(
        &mut self,
        group: &str,
        hparams: &[(String, HParam)],
        metric_tags: &[&str],
    ) -> Result<(), LogError> {
        let folder = folder_of(self.path());
        for path in event_files(folder)? {
            if path != self.path() {
                let of_run = [EXPERIMENT, SESSION_START];
                trim(&path, u64::MAX, &|_, value| {
                    !of_run.contains(&value.get_tag())
                })?;
            }
        }
        let experiment = message::experiment(hparams, metric_tags);
        self.write_hparams(EXPERIMENT, &experiment)?;
        let start = message::session_start_info(group, hparams);
        self.write_hparams(SESSION_START, &start)
    }

    /// Lays out the page of custom scalars: categories of charts, each a title and a regular
    /// expression for its tags. A chart shows every run that has such a tag, so that variants
    /// can be compared; equal charts of several runs are shown once.
    pub fn layout(&mut self, categories: &[(&str, &[(&str, &str)])]) -> Result<(), LogError> {
        let content = self.encode(&message::layout(categories))?;
        let value = message::layout_value(content);
        self.write(&message::values(SESSION_STEP, vec![value]))
    }

    /// The file written to.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn write_hparams(&mut self, tag: &str, data: &HParamsPluginData) -> Result<(), LogError> {
        let content = self.encode(data)?;
        let value = message::hparams_value(tag, content);
        self.write(&message::values(SESSION_STEP, vec![value]))
    }

    fn write(&mut self, event: &Event) -> Result<(), LogError> {
        let bytes = self.encode(event)?;
        let mut record = Vec::with_capacity(bytes.len() + 16);
        RecordWriter::new(&mut record)
            .write(&bytes)
            .map_err(RunError::io("write", self.path()))?;
        self.file.append(&record)
    }

    fn encode(&self, message: &impl Message) -> Result<Vec<u8>, LogError> {
        let encoded = message.write_to_bytes();
        let encoded = encoded.map_err(io::Error::other);
        Ok(encoded.map_err(RunError::io("write", self.path()))?)
    }
}

impl Tracker for TensorBoard {
    fn scalars(
        &mut self,
        step: u64,
        _tokens: u64,
        values: &[(String, f64)],
    ) -> Result<(), LogError> {
        let values = values
            .iter()
            .map(|(tag, value)| message::scalar(tag, *value));
        self.write(&message::values(step, values.collect()))
    }

    fn histogram(&mut self, step: u64, tag: &str, values: &[f32]) -> Result<(), LogError> {
        let value = message::histogram(tag, values);
        self.write(&message::values(step, vec![value]))
    }

    fn text(&mut self, step: u64, tag: &str, markdown: &str) -> Result<(), LogError> {
        let value = message::text(tag, markdown);
        self.write(&message::values(step, vec![value]))
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.sync()
    }

    fn finish(&mut self, status: Status) -> Result<(), LogError> {
        let status = match status {
            Status::Success => Some(api::Status::STATUS_SUCCESS),
            Status::Failure => Some(api::Status::STATUS_FAILURE),
            Status::Interrupted => None,
        };
        if let Some(status) = status {
            let end = message::session_end_info(status);
            self.write_hparams(SESSION_END, &end)?;
        }
        self.flush()
    }
}

/// Creates an event file with a new name that sorts after all others, because
/// TensorBoard reads the files of a folder in the order of their names.
fn new_file(folder: &Path) -> Result<AppendFile, LogError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let earlier = event_files(folder)?;
    let latest = earlier.iter().filter_map(|path| seconds_of(path)).max();
    let seconds = (message::now() as u64).max(latest.map_or(0, |latest| latest + 1));
    let pid = std::process::id();
    loop {
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("events.out.tfevents.{seconds}.miras.{pid}.{counter}");
        let path: PathBuf = folder.join(name);
        match AppendFile::create_new(&path) {
            Ok(file) => return Ok(file),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(RunError::io("create", &path)(cause).into()),
        }
    }
}

fn seconds_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.split('.').nth(3)?.parse().ok()
}
