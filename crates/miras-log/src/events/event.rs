//! What an event file says.

use std::collections::BTreeMap;

use crate::{HParam, Histogram};

/// One thing that an event file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was written, in seconds since 1970.
    pub wall_time: f64,
    /// The training step.
    pub step: u64,
    /// What it says.
    pub what: What,
}

/// What an [`Event`] says. A record that holds several values gives as many
/// events.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The format, as the first record of a file.
    FileVersion(String),
    /// A resumed run: points at this step and later, read before, are void.
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
    /// Something this crate never writes.
    Other,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All steps are done.
    Success,
    /// The run stopped with an error.
    Failure,
    /// The run was stopped with its state saved and can go on.
    ///
    /// TensorBoard has no word for this: the session stays open and its status
    /// is shown as unknown.
    Interrupted,
}
