//! The protobuf messages that TensorBoard expects.

use std::time::{SystemTime, UNIX_EPOCH};

use protobuf::RepeatedField;
use protobuf::well_known_types::{Value, Value_oneof_kind};
use tensorboard_proto::api::{self, Experiment, HParamInfo, MetricInfo, MetricName};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::layout::{Category, Chart, Layout, MultilineChartContent};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::summary::{HistogramProto, Summary, Summary_Value};
use tensorboard_proto::summary::{SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;

/// The step at which hyperparameters and the end of a session are written, so
/// that no resume purges them.
pub(crate) const SESSION_STEP: u64 = 0;
pub(crate) const TEXT_PLUGIN: &str = "text";
pub(crate) const HPARAMS_PLUGIN: &str = "hparams";
const LAYOUT_PLUGIN: &str = "custom_scalars";
/// The tag that TensorBoard looks for.
const LAYOUT_TAG: &str = "custom_scalars__config__";

/// Tags of the HParams page.
pub(crate) const EXPERIMENT: &str = "_hparams_/experiment";
pub(crate) const SESSION_START: &str = "_hparams_/session_start_info";
pub(crate) const SESSION_END: &str = "_hparams_/session_end_info";
/// The number of buckets of TensorBoard's own histograms.
const BUCKETS: usize = 30;

/// The value of one hyperparameter on TensorBoard's HParams page.
#[derive(Debug, Clone, PartialEq)]
pub enum HParam {
    /// A name, such as the kind of a part.
    String(String),
    /// A number. Non-finite ones are written as strings, since TensorBoard
    /// leaves out a column value that JSON cannot hold.
    Number(f64),
    /// A switch.
    Bool(bool),
    /// A column without a value in this run. It is declared too, because TensorBoard takes the
    /// columns of all runs from one of them.
    Absent,
}

impl HParam {
    fn data_type(&self) -> api::DataType {
        match self {
            Self::Number(number) if number.is_finite() => api::DataType::DATA_TYPE_FLOAT64,
            Self::String(_) | Self::Number(_) | Self::Absent => api::DataType::DATA_TYPE_STRING,
            Self::Bool(_) => api::DataType::DATA_TYPE_BOOL,
        }
    }

    /// `None` if there is no value.
    fn to_proto(&self) -> Option<Value> {
        let mut value = Value::new();
        match self {
            Self::Absent => return None,
            Self::String(text) => value.set_string_value(text.clone()),
            Self::Number(number) if number.is_finite() => value.set_number_value(*number),
            Self::Number(number) => value.set_string_value(number.to_string()),
            Self::Bool(switch) => value.set_bool_value(*switch),
        }
        Some(value)
    }

    pub(crate) fn from_proto(value: Value) -> Option<Self> {
        match value.kind? {
            Value_oneof_kind::string_value(text) => Some(Self::String(text)),
            Value_oneof_kind::number_value(number) => Some(Self::Number(number)),
            Value_oneof_kind::bool_value(switch) => Some(Self::Bool(switch)),
            _ => None,
        }
    }
}

/// Whether a tag is not one of points, but of the HParams page or the layout of charts.
pub(crate) fn is_of_page(tag: &str) -> bool {
    [EXPERIMENT, SESSION_START, SESSION_END, LAYOUT_TAG].contains(&tag)
}

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

pub(crate) fn histogram(tag: &str, values: &[f32]) -> Summary_Value {
    let mut value = tagged(tag);
    value.set_histo(counts(values));
    value
}

/// The finite ones of `values` in buckets of equal width. Without finite values there is no bucket;
/// equal values give one bucket of width 0.
fn counts(values: &[f32]) -> HistogramProto {
    let finite = values.iter().filter(|value| value.is_finite());
    let finite: Vec<f64> = finite.map(|value| f64::from(*value)).collect();
    let mut histogram = HistogramProto::new();
    let Some(min) = finite.iter().copied().reduce(f64::min) else {
        return histogram;
    };
    let max = finite.iter().copied().fold(min, f64::max);
    let buckets = if min < max { BUCKETS } else { 1 };
    let width = (max - min) / buckets as f64;
    let mut counts = vec![0.0; buckets];
    for value in &finite {
        // Equal values make this 0/0, which casts to 0.
        let bucket = ((value - min) / width) as usize;
        counts[bucket.min(buckets - 1)] += 1.0;
    }
    let inner = (1..buckets).map(|bucket| min + width * bucket as f64);
    histogram.set_min(min);
    histogram.set_max(max);
    histogram.set_num(finite.len() as f64);
    histogram.set_sum(finite.iter().sum());
    histogram.set_sum_squares(finite.iter().map(|value| value * value).sum());
    histogram.set_bucket_limit(inner.chain([max]).collect());
    histogram.set_bucket(counts);
    histogram
}

/// The text page renders it as Markdown.
pub(crate) fn text(tag: &str, markdown: &str) -> Summary_Value {
    text_of(TEXT_PLUGIN, tag, markdown.as_bytes().to_vec())
}

/// A string of rank 0 that a plugin shows; the text page would show rank 1 as a table.
fn text_of(plugin_name: &str, tag: &str, content: Vec<u8>) -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(TensorShapeProto::new());
    tensor.mut_string_val().push(content);
    let mut value = tagged(tag);
    value.set_metadata(plugin(plugin_name, Vec::new()));
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

pub(crate) fn session_end_info(status: api::Status) -> HParamsPluginData {
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
    text_of(LAYOUT_PLUGIN, LAYOUT_TAG, content)
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

    #[test]
    fn buckets_have_equal_width_and_hold_every_value() {
        let values: Vec<f32> = (0..=60).map(|value| value as f32).collect();
        let histogram = counts(&values);
        let HistogramProto { min, max, .. } = histogram;
        assert_eq!((min, max), (0.0, 60.0));
        assert_eq!((histogram.num, histogram.sum), (61.0, 1830.0));
        let edges = (histogram.bucket_limit[0], histogram.bucket_limit[29]);
        assert_eq!(edges, (2.0, 60.0));
        let mut expected = vec![2.0; 30];
        expected[29] = 3.0;
        assert_eq!(histogram.bucket, expected);
    }

    #[test]
    fn constant_values_share_one_bucket() {
        let histogram = counts(&[0.5; 7]);
        assert_eq!(histogram.bucket_limit, [0.5]);
        assert_eq!(histogram.bucket, [7.0]);
    }

    #[test]
    fn only_finite_values_count() {
        let some = counts(&[f32::NAN, 1.0, f32::INFINITY, 2.0, f32::NEG_INFINITY]);
        assert_eq!((some.min, some.max, some.num), (1.0, 2.0, 2.0));
        assert_eq!(counts(&[f32::NAN]), HistogramProto::new());
        assert_eq!(counts(&[]), HistogramProto::new());
    }

    #[test]
    fn the_widest_range_fits() {
        let histogram = counts(&[f32::MIN, f32::MAX, f32::MIN_POSITIVE]);
        assert!(histogram.bucket_limit.iter().all(|limit| limit.is_finite()));
        assert_eq!((histogram.bucket[0], histogram.bucket[29]), (1.0, 1.0));
    }
}
