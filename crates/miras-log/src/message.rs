//! The protobuf messages that TensorBoard expects.

use std::time::{SystemTime, UNIX_EPOCH};

use protobuf::RepeatedField;
use tensorboard_proto::api::{Experiment, HParamInfo, MetricInfo, MetricName};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::layout::{Category, Chart, Layout, MultilineChartContent};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::summary::{
    Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData,
};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;

use crate::{HParam, Histogram};

/// The step at which hyperparameters and the end of a session are written, so
/// that no resume purges them.
pub(crate) const SESSION_STEP: u64 = 0;
pub(crate) const TEXT_PLUGIN: &str = "text";
pub(crate) const HPARAMS_PLUGIN: &str = "hparams";
pub(crate) const LAYOUT_PLUGIN: &str = "custom_scalars";
/// The tag that TensorBoard looks for.
const LAYOUT_TAG: &str = "custom_scalars__config__";

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// First record of every event file.
pub(crate) fn file_version() -> Event {
    let mut event = event_at(0);
    event.set_file_version("brain.Event:2".to_owned());
    event
}

/// Makes TensorBoard drop all points at `step` and later that it read before.
pub(crate) fn session_start(step: u64) -> Event {
    let mut log = SessionLog::new();
    log.set_status(SessionLog_SessionStatus::START);
    let mut event = event_at(step);
    event.set_session_log(log);
    event
}

pub(crate) fn values(step: u64, values: Vec<Summary_Value>) -> Event {
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(values));
    let mut event = event_at(step);
    event.set_summary(summary);
    event
}

pub(crate) fn scalar(tag: &str, number: f64) -> Summary_Value {
    let mut value = tagged(tag);
    value.set_simple_value(number as f32);
    value
}

pub(crate) fn histogram(tag: &str, histogram: &Histogram) -> Summary_Value {
    let mut value = tagged(tag);
    value.set_histo(histogram.to_proto());
    value
}

/// A string of rank 0, which the text page renders as Markdown; rank 1 would be
/// shown as a table.
pub(crate) fn text(tag: &str, markdown: &str) -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(TensorShapeProto::new());
    tensor.mut_string_val().push(markdown.as_bytes().to_vec());
    let mut value = tagged(tag);
    value.set_metadata(plugin(TEXT_PLUGIN, Vec::new()));
    value.set_tensor(tensor);
    value
}

/// Declares the columns of the HParams page.
pub(crate) fn experiment(hparams: &[(String, HParam)], metric_tags: &[&str]) -> HParamsPluginData {
    let columns = hparams.iter().map(|(name, value)| {
        let mut info = HParamInfo::new();
        info.set_name(name.clone());
        info.set_field_type(value.data_type());
        info
    });
    let metrics = metric_tags.iter().map(|tag| {
        let mut name = MetricName::new();
        name.set_tag((*tag).to_owned());
        let mut info = MetricInfo::new();
        info.set_name(name);
        info
    });
    let mut experiment = Experiment::new();
    experiment.set_time_created_secs(now());
    experiment.set_hparam_infos(columns.collect());
    experiment.set_metric_infos(metrics.collect());
    let mut data = HParamsPluginData::new();
    data.set_experiment(experiment);
    data
}

/// The values of this run; runs with the same `group` are averaged.
pub(crate) fn session_start_info(group: &str, hparams: &[(String, HParam)]) -> HParamsPluginData {
    let values = hparams
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.to_proto()?)));
    let mut info = SessionStartInfo::new();
    info.set_hparams(values.collect());
    info.set_group_name(group.to_owned());
    info.set_start_time_secs(now());
    let mut data = HParamsPluginData::new();
    data.set_session_start_info(info);
    data
}

pub(crate) fn session_end_info(status: tensorboard_proto::api::Status) -> HParamsPluginData {
    let mut info = SessionEndInfo::new();
    info.set_status(status);
    info.set_end_time_secs(now());
    let mut data = HParamsPluginData::new();
    data.set_session_end_info(info);
    data
}

/// Data of the HParams page: all of it is in the metadata, but TensorBoard's
/// data server skips a value without a tensor, hence the empty one.
pub(crate) fn hparams_value(tag: &str, content: Vec<u8>) -> Summary_Value {
    let mut shape = TensorShapeProto::new();
    shape.mut_dim().push(TensorShapeProto_Dim::new());
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.set_tensor_shape(shape);
    let mut value = tagged(tag);
    value.set_metadata(plugin(HPARAMS_PLUGIN, content));
    value.set_tensor(tensor);
    value
}

fn event_at(step: u64) -> Event {
    let mut event = Event::new();
    event.set_wall_time(now());
    event.set_step(i64::try_from(step).unwrap_or(i64::MAX));
    event
}

fn tagged(tag: &str) -> Summary_Value {
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value
}

fn plugin(name: &str, content: Vec<u8>) -> SummaryMetadata {
    let mut data = SummaryMetadata_PluginData::new();
    data.set_plugin_name(name.to_owned());
    data.set_content(content);
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(data);
    metadata
}

/// The layout of the page of custom scalars: categories of charts, each a title and the regular
/// expressions of its tags.
pub(crate) fn layout(categories: &[(&str, &[(&str, &str)])]) -> Layout {
    let categories = categories.iter().map(|(title, of)| {
        let mut category = Category::new();
        category.set_title((*title).to_owned());
        category.set_chart(of.iter().map(|(title, tag)| chart(title, tag)).collect());
        category
    });
    let mut layout = Layout::new();
    layout.set_category(categories.collect());
    layout
}

fn chart(title: &str, tag: &str) -> Chart {
    let mut lines = MultilineChartContent::new();
    lines.mut_tag().push(tag.to_owned());
    let mut chart = Chart::new();
    chart.set_title(title.to_owned());
    chart.set_multiline(lines);
    chart
}

/// A layout is the one text of a tensor that belongs to the plugin.
pub(crate) fn layout_value(content: Vec<u8>) -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(TensorShapeProto::new());
    tensor.mut_string_val().push(content);
    let mut value = tagged(LAYOUT_TAG);
    value.set_metadata(plugin(LAYOUT_PLUGIN, Vec::new()));
    value.set_tensor(tensor);
    value
}

#[cfg(test)]
mod tests {
    use protobuf::Message as _;

    use super::*;

    #[test]
    fn a_layout_is_the_text_of_a_tensor_of_its_plugin() {
        let layout = layout(&[("Learning", &[("Loss", "^eval/loss$")]), ("Memory", &[])]);
        let value = layout_value(layout.write_to_bytes().unwrap());
        let plugin = value.get_metadata().get_plugin_data();
        assert_eq!(
            (value.get_tag(), &*plugin.plugin_name),
            (LAYOUT_TAG, LAYOUT_PLUGIN)
        );
        let mut read = Layout::new();
        read.merge_from_bytes(&value.get_tensor().string_val[0])
            .unwrap();
        let titles: Vec<&str> = read.category.iter().map(|one| &*one.title).collect();
        assert_eq!(titles, ["Learning", "Memory"]);
        assert_eq!(
            read.category[0].chart[0].get_multiline().tag[0],
            "^eval/loss$"
        );
    }
}
