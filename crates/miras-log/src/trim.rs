//! Removes values from event files.

use std::fs;
use std::path::Path;

use miras_run::{RunError, write_atomic};

use crate::LogError;
use crate::message::{HPARAMS_PLUGIN, TEXT_PLUGIN};
use crate::record::{Fault, framed, records};
use crate::schema::{event, hparams, metadata, plugin_data, summary, value};
use crate::wire::{Field, Message, Value, fields};

/// What a record or a value of a summary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A scalar, a histogram or a text.
    Point {
        tag: &'a str,
    },
    /// The hyperparameters of the run, or their columns.
    HParams,
    /// The end of the run.
    SessionEnd,
    Other,
}

/// Removes from an event file the values for which `keeps` is false, given their step, and a torn
/// last record.
///
/// All other records stay unchanged. A damaged file is not changed, so that nothing
/// of it that can still be read is lost.
pub(crate) fn trim(path: &Path, keeps: &dyn Fn(u64, Kind) -> bool) -> Result<(), LogError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let mut kept = Vec::with_capacity(bytes.len());
    for record in records(&bytes) {
        let record = match record {
            Ok(record) => record,
            Err(Fault::Truncated { .. }) => break,
            Err(Fault::Corrupt { .. }) => return Ok(()),
        };
        match trimmed(record.payload, keeps) {
            Some(payload) if payload == record.payload => kept.extend_from_slice(record.framed),
            Some(payload) if payload.is_empty() => {}
            Some(payload) => kept.extend(framed(&payload)),
            None => return Ok(()),
        }
    }
    if kept == bytes {
        return Ok(());
    }
    Ok(write_atomic(path, &kept)?)
}

/// An event with those values that are kept, empty without any; `None` if it is malformed.
fn trimmed(payload: &[u8], keeps: &dyn Fn(u64, Kind) -> bool) -> Option<Vec<u8>> {
    let event = fields(payload)?;
    let step = event.iter().find(|field| field.number == event::STEP);
    let step = match step.map(|field| field.value) {
        Some(Value::Int(step)) => step,
        _ => 0,
    };
    let mut kept = Message::default();
    let mut count = 0;
    for field in &event {
        match field.value {
            Value::Bytes(values) if field.number == event::SUMMARY => {
                let mut summary = Message::default();
                for value in fields(values)? {
                    if keeps(step, kind(&value)?) {
                        summary = summary.raw(&value);
                        count += 1;
                    }
                }
                kept = kept.bytes(event::SUMMARY, summary);
            }
            _ => kept = kept.raw(field),
        }
    }
    let has_values = event.iter().any(|field| field.number == event::SUMMARY);
    let is_kept = if has_values {
        count > 0
    } else {
        keeps(step, Kind::Other)
    };
    Some(if is_kept {
        kept.as_ref().to_vec()
    } else {
        Vec::new()
    })
}

/// What a value is; `None` if it is malformed.
fn kind<'a>(field: &Field<'a>) -> Option<Kind<'a>> {
    let Value::Bytes(bytes) = field.value else {
        return None;
    };
    if field.number != summary::VALUE {
        return Some(Kind::Other);
    }
    let all = fields(bytes)?;
    let metadata = bytes_of(&all, value::METADATA).unwrap_or_default();
    let metadata = fields(metadata)?;
    let plugin = fields(bytes_of(&metadata, metadata::PLUGIN_DATA).unwrap_or_default())?;
    let name = bytes_of(&plugin, plugin_data::PLUGIN_NAME).unwrap_or_default();
    if name == HPARAMS_PLUGIN.as_bytes() {
        let content = bytes_of(&plugin, plugin_data::CONTENT).unwrap_or_default();
        let content = fields(content)?;
        return Some(match content.last().map(|field| field.number) {
            Some(hparams::EXPERIMENT | hparams::SESSION_START) => Kind::HParams,
            Some(hparams::SESSION_END) => Kind::SessionEnd,
            _ => Kind::Other,
        });
    }
    let is_text = name == TEXT_PLUGIN.as_bytes();
    let is_point = all.iter().any(|field| match field.number {
        value::SIMPLE_VALUE | value::HISTOGRAM => true,
        value::TENSOR => is_text,
        _ => false,
    });
    let tag = std::str::from_utf8(bytes_of(&all, value::TAG).unwrap_or_default()).ok()?;
    Some(if is_point {
        Kind::Point { tag }
    } else {
        Kind::Other
    })
}

/// The last string or message of a field.
pub(crate) fn bytes_of<'a>(fields: &[Field<'a>], number: u64) -> Option<&'a [u8]> {
    let mut last_first = fields.iter().rev();
    match last_first.find(|field| field.number == number)?.value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
