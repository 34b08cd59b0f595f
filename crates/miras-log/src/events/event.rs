//! Events of an event file.

use std::collections::BTreeMap;

use crate::{HParam, Histogram};

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
    /// An event that this crate does not write.
    Other,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All steps are done.
    Success,
    /// The run stopped with an error.
    Failure,
    /// The run was stopped with its state saved and can be continued.
    ///
    /// TensorBoard has no such status: the session stays open and its status is
    /// shown as unknown.
    Interrupted,
}
