//! Reads event files back and verifies every checksum: for tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miras_run::RunError;

use crate::message::{HPARAMS_PLUGIN, TEXT_PLUGIN};
use crate::record::{Fault, records};
use crate::schema::{
    event, experiment, histogram, hparams, json, metadata, plugin_data, session_end, session_log,
    session_start, summary, tensor, value,
};
use crate::wire::{Field, Value, fields};
use crate::{HParam, Histogram, LogError, Status, tensorboard};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was written, in seconds since 1970.
    pub wall_time: f64,
    /// The training step.
    pub step: u64,
    /// Its content.
    pub what: What,
}

/// The content of an [`Event`]. A record with several values gives several events.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The format, as the first record of a file.
    FileVersion(String),
    /// A resumed run: points at this step and later that were read before are invalid.
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
    /// Anything else.
    Other,
}

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

/// Why an event file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] LogError),
    /// A checksum or a message does not fit.
    #[error("{path} is damaged at byte {offset}: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// The file stops inside its last record, as after a killed run.
    #[error("{path} stops inside the record at byte {offset}")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the torn record begins.
        offset: u64,
        /// Everything before the torn record.
        events: Vec<Event>,
    },
}

/// The event files of a folder in the order in which TensorBoard reads them.
pub fn event_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, LogError> {
    tensorboard::event_files(folder.as_ref())
}

/// Reads an event file and verifies both checksums of every record.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Event>, ReadError> {
    let path = path.as_ref();
    let bytes =
        fs::read(path).map_err(|cause| LogError::from(RunError::io("read", path)(cause)))?;
    let mut events = Vec::new();
    for record in records(&bytes) {
        let corrupt = |offset, reason| ReadError::Corrupt {
            path: path.to_path_buf(),
            offset,
            reason,
        };
        match record {
            Ok(record) => {
                let decoded = decode(record.payload);
                events.extend(decoded.ok_or(corrupt(record.offset, "a message is malformed"))?);
            }
            Err(Fault::Corrupt { offset, reason }) => return Err(corrupt(offset, reason)),
            Err(Fault::Truncated { offset }) => {
                return Err(ReadError::Truncated {
                    path: path.to_path_buf(),
                    offset,
                    events,
                });
            }
        }
    }
    Ok(events)
}

/// Reads all event files of `folder` in TensorBoard's order and applies its
/// rules: a resume drops the points that it repeats, and only the first
/// hyperparameters and the first end of a session count.
///
/// A torn last record is listed in [`Summary::truncated`]; a damaged record is
/// an error.
pub fn summary(folder: impl AsRef<Path>) -> Result<Summary, ReadError> {
    let mut summary = Summary::default();
    for path in event_files(folder)? {
        let events = match read(&path) {
            Ok(events) => events,
            Err(ReadError::Truncated { path, events, .. }) => {
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

/// The fields of a message, by number.
struct Fields<'a>(Vec<Field<'a>>);

impl<'a> Fields<'a> {
    fn of(message: &'a [u8]) -> Option<Self> {
        fields(message).map(Self)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = Value<'a>> {
        let fields = self.0.iter().filter(move |field| field.number == number);
        fields.map(|field| field.value)
    }

    fn get(&self, number: u64) -> Option<Value<'a>> {
        self.all(number).last()
    }

    fn int(&self, number: u64) -> u64 {
        match self.get(number) {
            Some(Value::Int(value)) => value,
            _ => 0,
        }
    }

    fn double(&self, number: u64) -> f64 {
        match self.get(number) {
            Some(Value::Double(value)) => value,
            _ => 0.0,
        }
    }

    fn messages(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.all(number).filter_map(|value| match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn bytes(&self, number: u64) -> &'a [u8] {
        self.messages(number).last().unwrap_or_default()
    }

    fn string(&self, number: u64) -> String {
        String::from_utf8_lossy(self.bytes(number)).into_owned()
    }

    fn doubles(&self, number: u64) -> Vec<f64> {
        let (numbers, _) = self.bytes(number).as_chunks();
        numbers
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect()
    }

    fn message(&self, number: u64) -> Option<Self> {
        Self::of(self.bytes(number))
    }
}

/// All events in the payload of one record.
fn decode(payload: &[u8]) -> Option<Vec<Event>> {
    let message = Fields::of(payload)?;
    let all = if message.get(event::FILE_VERSION).is_some() {
        vec![What::FileVersion(message.string(event::FILE_VERSION))]
    } else if message.get(event::SUMMARY).is_some() {
        let summary = message.message(event::SUMMARY)?;
        let values = summary.messages(summary::VALUE);
        values.map(value_of).collect::<Option<_>>()?
    } else {
        let log = message.message(event::SESSION_LOG)?;
        match log.int(session_log::STATUS) {
            session_log::START => vec![What::SessionStart],
            _ => vec![What::Other],
        }
    };
    let events = all.into_iter().map(|what| Event {
        wall_time: message.double(event::WALL_TIME),
        step: message.int(event::STEP),
        what,
    });
    Some(events.collect())
}

fn value_of(bytes: &[u8]) -> Option<What> {
    let message = Fields::of(bytes)?;
    let metadata = message.message(value::METADATA)?;
    let plugin = metadata.message(metadata::PLUGIN_DATA)?;
    let name = plugin.string(plugin_data::PLUGIN_NAME);
    if name == HPARAMS_PLUGIN {
        return hparams_of(&plugin.message(plugin_data::CONTENT)?);
    }
    let tag = message.string(value::TAG);
    Some(match message.get(value::SIMPLE_VALUE) {
        Some(Value::Float(value)) => What::Scalar { tag, value },
        _ if message.get(value::HISTOGRAM).is_some() => {
            let proto = message.message(value::HISTOGRAM)?;
            let histogram = Histogram {
                min: proto.double(histogram::MIN),
                max: proto.double(histogram::MAX),
                count: proto.double(histogram::NUM),
                sum: proto.double(histogram::SUM),
                sum_squares: proto.double(histogram::SUM_SQUARES),
                limits: proto.doubles(histogram::BUCKET_LIMIT),
                counts: proto.doubles(histogram::BUCKET),
            };
            What::Histogram { tag, histogram }
        }
        _ if name == TEXT_PLUGIN => {
            let text = message.message(value::TENSOR)?.string(tensor::STRING);
            What::Text { tag, text }
        }
        _ => What::Other,
    })
}

fn hparams_of(content: &Fields<'_>) -> Option<What> {
    if content.get(hparams::EXPERIMENT).is_some() {
        let message = content.message(hparams::EXPERIMENT)?;
        let columns = message
            .messages(experiment::HPARAM_INFO)
            .map(|info| Some(Fields::of(info)?.string(experiment::HPARAM_NAME)));
        let metrics = message.messages(experiment::METRIC_INFO).map(|info| {
            let name = Fields::of(info)?.message(experiment::METRIC_NAME)?;
            Some(name.string(experiment::METRIC_TAG))
        });
        return Some(What::Experiment {
            hparams: columns.collect::<Option<_>>()?,
            metric_tags: metrics.collect::<Option<_>>()?,
        });
    }
    if content.get(hparams::SESSION_START).is_some() {
        let message = content.message(hparams::SESSION_START)?;
        let values = message.messages(session_start::HPARAM).map(|entry| {
            let entry = Fields::of(entry)?;
            let value = entry.message(session_start::VALUE)?;
            let value = match value.0.last()?.value {
                Value::Double(number) => HParam::Number(number),
                Value::Int(switch) => HParam::Bool(switch != 0),
                _ => HParam::String(value.string(json::STRING)),
            };
            Some((entry.string(session_start::KEY), value))
        });
        return Some(What::HParams {
            group: message.string(session_start::GROUP_NAME),
            values: values.collect::<Option<_>>()?,
        });
    }
    let end = content.message(hparams::SESSION_END)?;
    Some(What::SessionEnd(match end.int(session_end::STATUS) {
        session_end::SUCCESS => Some(Status::Success),
        session_end::FAILURE => Some(Status::Failure),
        _ => None,
    }))
}
