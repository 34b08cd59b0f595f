//! Means over scored tokens, and the metric beside the loss.

use miras_data::Metric;
use miras_spec::{Sum, metrics};

/// Means over scored tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    /// In nats.
    pub(crate) loss: f64,
    /// Share of targets ranked first, if it was asked for.
    pub(crate) accuracy: Option<f64>,
    /// Bytes of text that a token stands for.
    pub(crate) bytes: f64,
}

impl Scored {
    /// The means of an evaluation.
    pub(crate) fn of(all: &Sum) -> Self {
        Self {
            loss: all.mean_loss(),
            accuracy: Some(all.accuracy()),
            bytes: all.bytes / all.weight,
        }
    }

    /// The tag that goes beside `<prefix>/loss`, and its value; none for an accuracy that was not
    /// asked for.
    pub(crate) fn secondary_metric(self, metric: Metric, prefix: &str) -> Option<(String, f64)> {
        let value = match metric {
            // Both are means over the same tokens, so this is all bits over all bytes.
            Metric::BitsPerByte => self.loss / std::f64::consts::LN_2 / self.bytes,
            Metric::Accuracy => self.accuracy?,
        };
        Some((format!("{prefix}/{}", metrics::secondary(metric)), value))
    }
}
