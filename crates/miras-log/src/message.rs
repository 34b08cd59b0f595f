//! The messages that TensorBoard expects.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::schema::{
    event, experiment, hparams, layout, metadata, plugin_data, session_end, session_log,
    session_start, summary, tensor, value,
};
use crate::wire::Message;
use crate::{HParam, Histogram};

/// The step at which hyperparameters and the end of a session are written, so
/// that no resume purges them.
pub(crate) const SESSION_STEP: u64 = 0;
pub(crate) const TEXT_PLUGIN: &str = "text";
pub(crate) const HPARAMS_PLUGIN: &str = "hparams";
const LAYOUT_PLUGIN: &str = "custom_scalars";
/// The tag that TensorBoard looks for.
const LAYOUT_TAG: &str = "custom_scalars__config__";

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn message() -> Message {
    Message::default()
}

fn event_at(step: u64) -> Message {
    let step = step.min(i64::MAX.unsigned_abs());
    message()
        .double(event::WALL_TIME, now())
        .int(event::STEP, step)
}

/// First record of every event file.
pub(crate) fn file_version() -> Message {
    event_at(0).bytes(event::FILE_VERSION, "brain.Event:2")
}

/// Makes TensorBoard drop all points at `step` and later that it read before.
pub(crate) fn session_restart(step: u64) -> Message {
    let log = message().int(session_log::STATUS, session_log::START);
    event_at(step).bytes(event::SESSION_LOG, log)
}

pub(crate) fn values(step: u64, values: impl IntoIterator<Item = Message>) -> Message {
    event_at(step).bytes(event::SUMMARY, message().all(summary::VALUE, values))
}

pub(crate) fn scalar(tag: &str, number: f64) -> Message {
    tagged(tag).float(value::SIMPLE_VALUE, number as f32)
}

pub(crate) fn histogram(tag: &str, histogram: &Histogram) -> Message {
    tagged(tag).bytes(value::HISTOGRAM, histogram.to_message())
}

/// A string of rank 0, which the text page renders as Markdown; rank 1 would be
/// shown as a table.
pub(crate) fn text(tag: &str, markdown: &str) -> Message {
    string(tag, TEXT_PLUGIN, markdown)
}

/// Declares the columns of the HParams page.
pub(crate) fn experiment(hparams: &[(String, HParam)], metric_tags: &[&str]) -> Message {
    let columns = hparams.iter().map(|(name, value)| {
        message()
            .bytes(experiment::HPARAM_NAME, name)
            .int(experiment::HPARAM_TYPE, value.data_type())
    });
    let metrics = metric_tags.iter().map(|tag| {
        let name = message().bytes(experiment::METRIC_TAG, tag);
        message().bytes(experiment::METRIC_NAME, name)
    });
    let experiment = message()
        .double(experiment::TIME_CREATED, now())
        .all(experiment::HPARAM_INFO, columns)
        .all(experiment::METRIC_INFO, metrics);
    hparams_value("_hparams_/experiment", hparams::EXPERIMENT, experiment)
}

/// The values of this run; runs with the same `group` are averaged.
pub(crate) fn session_start(group: &str, hparams: &[(String, HParam)]) -> Message {
    let values = hparams.iter().filter_map(|(name, value)| {
        let entry = message().bytes(session_start::KEY, name);
        Some(entry.bytes(session_start::VALUE, value.to_message()?))
    });
    let start = message()
        .all(session_start::HPARAM, values)
        .bytes(session_start::GROUP_NAME, group)
        .double(session_start::START_TIME, now());
    hparams_value(
        "_hparams_/session_start_info",
        hparams::SESSION_START,
        start,
    )
}

pub(crate) fn session_end(status: u64) -> Message {
    let end = message()
        .int(session_end::STATUS, status)
        .double(session_end::END_TIME, now());
    hparams_value("_hparams_/session_end_info", hparams::SESSION_END, end)
}

/// Data of the HParams page: all of it is in the metadata, but TensorBoard's
/// data server skips a value without a tensor, hence the empty one.
fn hparams_value(tag: &str, field: u64, content: Message) -> Message {
    let shape = message().bytes(tensor::DIM, message());
    let tensor = message()
        .int(tensor::DTYPE, tensor::FLOAT_TYPE)
        .bytes(tensor::SHAPE, shape);
    tagged(tag).bytes(value::TENSOR, tensor).bytes(
        value::METADATA,
        plugin(HPARAMS_PLUGIN, message().bytes(field, content)),
    )
}

fn tagged(tag: &str) -> Message {
    message().bytes(value::TAG, tag)
}

fn plugin(name: &str, content: Message) -> Message {
    let data = message()
        .bytes(plugin_data::PLUGIN_NAME, name)
        .bytes(plugin_data::CONTENT, content);
    message().bytes(metadata::PLUGIN_DATA, data)
}

/// A string of rank 0 that belongs to a plugin.
fn string(tag: &str, of: &str, text: impl AsRef<[u8]>) -> Message {
    let tensor = message()
        .int(tensor::DTYPE, tensor::STRING_TYPE)
        .bytes(tensor::SHAPE, message())
        .bytes(tensor::STRING, text);
    tagged(tag)
        .bytes(value::TENSOR, tensor)
        .bytes(value::METADATA, plugin(of, message()))
}

/// The layout of the page of custom scalars: categories of charts, each a title and the regular
/// expressions of its tags.
pub(crate) fn layout(categories: &[(&str, &[(&str, &str)])]) -> Message {
    let chart = |(title, tag): &(&str, &str)| {
        message()
            .bytes(layout::CHART_TITLE, title)
            .bytes(layout::MULTILINE, message().bytes(layout::TAG, tag))
    };
    let categories = categories.iter().map(|(title, charts)| {
        let category = message().bytes(layout::CATEGORY_TITLE, title);
        category.all(layout::CHART, charts.iter().map(chart))
    });
    let layout = message().all(layout::CATEGORY, categories);
    string(LAYOUT_TAG, LAYOUT_PLUGIN, layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_a_string_of_its_plugin() {
        let layout = layout(&[("Learning", &[("Loss", "^eval/loss$")]), ("Memory", &[])]);
        let expected = b"\x12\x21\x0a\x08Learning\x12\x15\x0a\x04Loss\
            \x12\x0d\x0a\x0b^eval/loss$\x12\x08\x0a\x06Memory";
        assert_eq!(
            layout.as_ref(),
            string(LAYOUT_TAG, LAYOUT_PLUGIN, expected).as_ref()
        );
    }
}
