//! Reads TensorBoard event files back, and removes points from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miras_run::{RunError, write_atomic};
use protobuf::{Message, ProtobufResult};
use tensorboard_proto::api;
use tensorboard_proto::event::{Event_oneof_what as What, SessionLog_SessionStatus::START};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, HParamsPluginData_oneof_data as Data};
use tensorboard_proto::summary::Summary_Value_oneof_value as Content;
use tensorboard_proto::summary::{HistogramProto, Summary_Value};
use tensorboard_rs::masked_crc32c::masked_crc32c;
use tensorboard_rs::record_writer::RecordWriter;

use crate::message::{HPARAMS_PLUGIN, HParam, TEXT_PLUGIN};
use crate::{LogError, Status};

pub use tensorboard_proto::event::Event;

/// Eight bytes of length and four of its checksum, before the payload of a record.
const HEADER: usize = 12;
/// The checksum of the payload.
const FOOTER: usize = 4;

/// Everything in the event files of one run, as TensorBoard shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The points `(step, value)` of each series of numbers.
    pub scalars: BTreeMap<String, Vec<(u64, f32)>>,
    /// The texts `(step, Markdown)` of each tag.
    pub texts: BTreeMap<String, Vec<(u64, String)>>,
    /// The distributions `(step, counts)` of each tag.
    pub histograms: BTreeMap<String, Vec<(u64, HistogramProto)>>,
    /// Value of each hyperparameter.
    pub hparams: BTreeMap<String, HParam>,
    /// The group of runs that this one is averaged with.
    pub group: Option<String>,
    /// The metrics declared as columns of the HParams page.
    pub metric_tags: Vec<String>,
    /// How the run ended; `None` while it runs, or if it was interrupted.
    pub status: Option<Status>,
    /// Files that stop inside their last record, as after a kill.
    pub truncated: Vec<PathBuf>,
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

/// Reads an event file, verifies both checksums of every record, and says whether the last record
/// is torn, as after a kill; that one is skipped.
///
/// # Errors
/// [`LogError::Corrupt`] for a wrong checksum and a message that cannot be decoded.
pub fn read(path: impl AsRef<Path>) -> Result<(Vec<Event>, bool), LogError> {
    let mut events = Vec::new();
    let is_torn = read_each(path.as_ref(), |event| {
        events.push(event);
        Ok(())
    })?;
    Ok((events, is_torn))
}

/// Reads all event files of `folder` in TensorBoard's order and applies its
/// rules: a resume drops the points that it repeats, and only the first
/// hyperparameters and the first end of a session count.
///
/// # Errors
/// As [`read`].
pub fn summary(folder: impl AsRef<Path>) -> Result<Summary, LogError> {
    let mut summary = Summary::default();
    for path in event_files(folder)? {
        if read_each(&path, |event| summary.add(event))? {
            summary.truncated.push(path);
        }
    }
    Ok(summary)
}

/// Gives each event of a file to `take`; whether the last record is torn.
fn read_each(
    path: &Path,
    mut take: impl FnMut(Event) -> ProtobufResult<()>,
) -> Result<bool, LogError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let corrupt = |offset: usize, reason: String| LogError::Corrupt {
        path: path.to_path_buf(),
        offset: offset as u64,
        reason,
    };
    let (records, fault) = records(&bytes);
    for record in records {
        let event = Event::parse_from_bytes(record.payload).and_then(&mut take);
        event.map_err(|cause| corrupt(record.offset, cause.to_string()))?;
    }
    match fault {
        Some(Fault::Corrupt(offset, reason)) => Err(corrupt(offset, reason.to_owned())),
        fault => Ok(fault.is_some()),
    }
}

impl Summary {
    fn add(&mut self, event: Event) -> ProtobufResult<()> {
        let step = step_of(&event);
        match event.what {
            Some(What::session_log(log)) if log.status == START => {
                purge(&mut self.scalars, step);
                purge(&mut self.texts, step);
                purge(&mut self.histograms, step);
            }
            Some(What::summary(summary)) => {
                for value in summary.value {
                    self.add_value(step, value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_value(&mut self, step: u64, value: Summary_Value) -> ProtobufResult<()> {
        let plugin = value.get_metadata().get_plugin_data();
        if plugin.plugin_name == HPARAMS_PLUGIN {
            return self.add_hparams(&plugin.content);
        }
        let is_text = plugin.plugin_name == TEXT_PLUGIN;
        let tag = value.tag;
        match value.value {
            Some(Content::simple_value(value)) => {
                self.scalars.entry(tag).or_default().push((step, value));
            }
            Some(Content::histo(counts)) => {
                self.histograms.entry(tag).or_default().push((step, counts));
            }
            Some(Content::tensor(tensor)) if is_text => {
                let text = String::from_utf8_lossy(&tensor.string_val.join(&b'\n')).into_owned();
                self.texts.entry(tag).or_default().push((step, text));
            }
            _ => {}
        }
        Ok(())
    }

    fn add_hparams(&mut self, content: &[u8]) -> ProtobufResult<()> {
        match HParamsPluginData::parse_from_bytes(content)?.data {
            Some(Data::experiment(experiment)) if self.metric_tags.is_empty() => {
                let metrics = experiment.metric_infos.into_iter();
                self.metric_tags = metrics.map(|mut info| info.take_name().tag).collect();
            }
            Some(Data::session_start_info(info)) if self.group.is_none() => {
                let values = info.hparams.into_iter();
                self.hparams = values
                    .filter_map(|(name, value)| Some((name, HParam::from_proto(value)?)))
                    .collect();
                self.group = Some(info.group_name);
            }
            Some(Data::session_end_info(info)) => {
                self.status = self.status.or(match info.status {
                    api::Status::STATUS_SUCCESS => Some(Status::Success),
                    api::Status::STATUS_FAILURE => Some(Status::Failure),
                    api::Status::STATUS_UNKNOWN | api::Status::STATUS_RUNNING => None,
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn step_of(event: &Event) -> u64 {
    u64::try_from(event.step).unwrap_or(0)
}

fn purge<T>(all: &mut BTreeMap<String, Vec<(u64, T)>>, from: u64) {
    for series in all.values_mut() {
        series.retain(|(step, _)| *step < from);
    }
    all.retain(|_, series| !series.is_empty());
}

/// Removes from an event file everything after the step `last`, the values for which `keeps` is
/// false, given their step, and a torn last record.
///
/// All other records stay unchanged. A damaged file is not changed, so that nothing
/// of it that can still be read is lost.
pub(crate) fn trim(
    path: &Path,
    last: u64,
    keeps: &dyn Fn(u64, &Summary_Value) -> bool,
) -> Result<(), LogError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let (records, fault) = records(&bytes);
    if let Some(Fault::Corrupt(..)) = fault {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for record in records {
        let Ok(mut event) = Event::parse_from_bytes(record.payload) else {
            return Ok(());
        };
        let step = step_of(&event);
        if step > last {
            continue;
        }
        let (mut before, mut after) = (0, 0);
        if let Some(What::summary(summary)) = &mut event.what {
            before = summary.value.len();
            summary.value.retain(|value| keeps(step, value));
            after = summary.value.len();
        }
        if after == before {
            kept.extend_from_slice(record.framed);
        } else if after > 0
            && let Ok(payload) = event.write_to_bytes()
        {
            let written = RecordWriter::new(&mut kept).write(&payload);
            written.map_err(RunError::io("write", path))?;
        }
    }
    if kept == bytes {
        return Ok(());
    }
    Ok(write_atomic(path, &kept)?)
}

struct Record<'a> {
    /// Where the record begins.
    offset: usize,
    /// The record with its framing.
    framed: &'a [u8],
    /// The message in it.
    payload: &'a [u8],
}

enum Fault {
    /// Where a record is damaged, and how.
    Corrupt(usize, &'static str),
    /// The file ends inside of a record.
    Torn,
}

/// All records of `bytes` up to the first fault, and the fault.
fn records(bytes: &[u8]) -> (Vec<Record<'_>>, Option<Fault>) {
    let (mut records, mut offset) = (Vec::new(), 0);
    while offset < bytes.len() {
        match record_at(bytes, offset) {
            Ok(record) => {
                offset += record.framed.len();
                records.push(record);
            }
            Err(fault) => return (records, Some(fault)),
        }
    }
    (records, None)
}

fn record_at(bytes: &[u8], offset: usize) -> Result<Record<'_>, Fault> {
    let rest = &bytes[offset..];
    let part = |from: usize, length: usize| {
        let end = from.checked_add(length).ok_or(Fault::Torn)?;
        rest.get(from..end).ok_or(Fault::Torn)
    };
    let fits = |data: &[u8], sum: &[u8]| masked_crc32c(data).to_le_bytes() == sum;
    let (length, length_sum) = (part(0, 8)?, part(8, HEADER - 8)?);
    if !fits(length, length_sum) {
        let reason = "the checksum of the length does not fit";
        return Err(Fault::Corrupt(offset, reason));
    }
    let bytes = length.iter().rev();
    let length = bytes.fold(0, |all, byte| (all << 8) | u64::from(*byte));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let payload = part(HEADER, length)?;
    if !fits(payload, part(HEADER + length, FOOTER)?) {
        let reason = "the checksum of the data does not fit";
        return Err(Fault::Corrupt(offset, reason));
    }
    Ok(Record {
        offset,
        framed: &rest[..HEADER + length + FOOTER],
        payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // Check value of CRC-32C, from its definition in RFC 3720.
        let crc = tensorboard_rs::masked_crc32c::crc32c(b"123456789");
        assert_eq!(crc, 0xE306_9283);
        let masked = crc.rotate_right(15).wrapping_add(0xA282_EAD8);
        assert_eq!(masked_crc32c(b"123456789"), masked);
    }
}
