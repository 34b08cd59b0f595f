//! From protobuf messages to [`Event`]s.

use protobuf::{Message, ProtobufError};
use tensorboard_proto::api;
use tensorboard_proto::event as proto;
use tensorboard_proto::event::Event_oneof_what;
use tensorboard_proto::event::SessionLog_SessionStatus::START;
use tensorboard_proto::plugin_hparams::{HParamsPluginData, HParamsPluginData_oneof_data};
use tensorboard_proto::summary::{Summary_Value, Summary_Value_oneof_value};

use super::event::{Event, What};
use crate::message::{HPARAMS_PLUGIN, TEXT_PLUGIN};
use crate::{HParam, Histogram, Status};

/// All events in the payload of one record.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<Event>, ProtobufError> {
    let message = proto::Event::parse_from_bytes(payload)?;
    let wall_time = message.wall_time;
    let step = u64::try_from(message.step).unwrap_or(0);
    let all = match message.what {
        Some(Event_oneof_what::file_version(version)) => vec![What::FileVersion(version)],
        Some(Event_oneof_what::session_log(log)) if log.status == START => {
            vec![What::SessionStart]
        }
        Some(Event_oneof_what::summary(summary)) => {
            let values = summary.value.into_iter();
            values.map(what).collect::<Result<_, _>>()?
        }
        _ => vec![What::Other],
    };
    let events = all.into_iter().map(|what| Event {
        wall_time,
        step,
        what,
    });
    Ok(events.collect())
}

/// The payload of one record with only those values for which `wanted` is true.
pub(super) fn only(payload: &[u8], wanted: &[bool]) -> Result<Vec<u8>, ProtobufError> {
    let mut message = proto::Event::parse_from_bytes(payload)?;
    if let Some(Event_oneof_what::summary(summary)) = &mut message.what {
        let values = summary.take_value().into_iter().zip(wanted);
        let values = values
            .filter(|(_, wanted)| **wanted)
            .map(|(value, _)| value);
        summary.set_value(values.collect());
    }
    message.write_to_bytes()
}

fn what(value: Summary_Value) -> Result<What, ProtobufError> {
    let plugin = value.get_metadata().get_plugin_data();
    if plugin.plugin_name == HPARAMS_PLUGIN {
        return hparams(&plugin.content);
    }
    let is_text = plugin.plugin_name == TEXT_PLUGIN;
    let tag = value.tag;
    Ok(match value.value {
        Some(Summary_Value_oneof_value::simple_value(value)) => What::Scalar { tag, value },
        Some(Summary_Value_oneof_value::histo(histogram)) => What::Histogram {
            tag,
            histogram: Histogram::from_proto(&histogram),
        },
        Some(Summary_Value_oneof_value::tensor(tensor)) if is_text => {
            let lines = tensor.string_val.iter();
            let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line)).collect();
            let text = lines.join("\n");
            What::Text { tag, text }
        }
        _ => What::Other,
    })
}

fn hparams(content: &[u8]) -> Result<What, ProtobufError> {
    let data = HParamsPluginData::parse_from_bytes(content)?.data;
    Ok(match data {
        Some(HParamsPluginData_oneof_data::experiment(experiment)) => {
            let hparams = experiment.hparam_infos.into_iter().map(|info| info.name);
            let metrics = experiment.metric_infos.into_iter();
            What::Experiment {
                hparams: hparams.collect(),
                metric_tags: metrics.map(|mut info| info.take_name().tag).collect(),
            }
        }
        Some(HParamsPluginData_oneof_data::session_start_info(info)) => {
            let values = info.hparams.iter();
            let values = values.filter_map(|(name, value)| {
                let value = HParam::from_proto(value)?;
                Some((name.clone(), value))
            });
            What::HParams {
                values: values.collect(),
                group: info.group_name,
            }
        }
        Some(HParamsPluginData_oneof_data::session_end_info(info)) => {
            What::SessionEnd(match info.status {
                api::Status::STATUS_SUCCESS => Some(Status::Success),
                api::Status::STATUS_FAILURE => Some(Status::Failure),
                api::Status::STATUS_UNKNOWN | api::Status::STATUS_RUNNING => None,
            })
        }
        None => What::Other,
    })
}
