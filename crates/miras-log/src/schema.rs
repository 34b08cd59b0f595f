//! The numbers of the fields of TensorFlow's and TensorBoard's protobuf messages that event files
//! consist of, from `event.proto`, `summary.proto`, `tensor.proto`, `plugin_data.proto` of HParams
//! and `layout.proto` of custom scalars.

pub(crate) mod event {
    pub(crate) const WALL_TIME: u64 = 1;
    pub(crate) const STEP: u64 = 2;
    pub(crate) const FILE_VERSION: u64 = 3;
    pub(crate) const SUMMARY: u64 = 5;
    pub(crate) const SESSION_LOG: u64 = 7;
}

pub(crate) mod session_log {
    pub(crate) const STATUS: u64 = 1;
    /// A status.
    pub(crate) const START: u64 = 1;
}

pub(crate) mod summary {
    pub(crate) const VALUE: u64 = 1;
}

pub(crate) mod value {
    pub(crate) const TAG: u64 = 1;
    pub(crate) const SIMPLE_VALUE: u64 = 2;
    pub(crate) const HISTOGRAM: u64 = 5;
    pub(crate) const TENSOR: u64 = 8;
    pub(crate) const METADATA: u64 = 9;
}

pub(crate) mod metadata {
    pub(crate) const PLUGIN_DATA: u64 = 1;
}

pub(crate) mod plugin_data {
    pub(crate) const PLUGIN_NAME: u64 = 1;
    pub(crate) const CONTENT: u64 = 2;
}

pub(crate) mod histogram {
    pub(crate) const MIN: u64 = 1;
    pub(crate) const MAX: u64 = 2;
    pub(crate) const NUM: u64 = 3;
    pub(crate) const SUM: u64 = 4;
    pub(crate) const SUM_SQUARES: u64 = 5;
    pub(crate) const BUCKET_LIMIT: u64 = 6;
    pub(crate) const BUCKET: u64 = 7;
}

pub(crate) mod tensor {
    pub(crate) const DTYPE: u64 = 1;
    pub(crate) const SHAPE: u64 = 2;
    pub(crate) const STRING: u64 = 8;
    /// Dtypes.
    pub(crate) const FLOAT_TYPE: u64 = 1;
    pub(crate) const STRING_TYPE: u64 = 7;
    /// A field of a shape.
    pub(crate) const DIM: u64 = 2;
}

/// The content of the plugin `hparams`: one of these messages.
pub(crate) mod hparams {
    pub(crate) const EXPERIMENT: u64 = 2;
    pub(crate) const SESSION_START: u64 = 3;
    pub(crate) const SESSION_END: u64 = 4;
}

pub(crate) mod experiment {
    pub(crate) const TIME_CREATED: u64 = 3;
    pub(crate) const HPARAM_INFO: u64 = 4;
    pub(crate) const METRIC_INFO: u64 = 5;
    /// Fields of `HPARAM_INFO`.
    pub(crate) const HPARAM_NAME: u64 = 1;
    pub(crate) const HPARAM_TYPE: u64 = 4;
    /// A field of `METRIC_INFO`, and a field of that.
    pub(crate) const METRIC_NAME: u64 = 1;
    pub(crate) const METRIC_TAG: u64 = 2;
}

pub(crate) mod session_start {
    pub(crate) const HPARAM: u64 = 1;
    pub(crate) const GROUP_NAME: u64 = 4;
    pub(crate) const START_TIME: u64 = 5;
    /// Fields of `HPARAM`, an entry of a map.
    pub(crate) const KEY: u64 = 1;
    pub(crate) const VALUE: u64 = 2;
}

pub(crate) mod session_end {
    pub(crate) const STATUS: u64 = 1;
    pub(crate) const END_TIME: u64 = 2;
    /// Statuses.
    pub(crate) const SUCCESS: u64 = 1;
    pub(crate) const FAILURE: u64 = 2;
}

/// `google.protobuf.Value`.
pub(crate) mod json {
    pub(crate) const NUMBER: u64 = 2;
    pub(crate) const STRING: u64 = 3;
    pub(crate) const BOOL: u64 = 4;
}

pub(crate) mod layout {
    pub(crate) const CATEGORY: u64 = 2;
    /// Fields of a category.
    pub(crate) const CATEGORY_TITLE: u64 = 1;
    pub(crate) const CHART: u64 = 2;
    /// Fields of a chart.
    pub(crate) const CHART_TITLE: u64 = 1;
    pub(crate) const MULTILINE: u64 = 2;
    /// A field of `MULTILINE`.
    pub(crate) const TAG: u64 = 1;
}
