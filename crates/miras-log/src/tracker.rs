//! The interface of loggers to the training loop.

use crate::LogError;

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

/// A destination of metrics.
///
/// A tracker implements the methods that it needs; the others do nothing by default.
pub trait Tracker {
    /// Metrics of one step, in the order in which they are to be shown.
    ///
    /// `tokens` counts all tokens trained on up to and including this step.
    fn scalars(
        &mut self,
        step: u64,
        tokens: u64,
        values: &[(String, f64)],
    ) -> Result<(), LogError> {
        let _ = (step, tokens, values);
        Ok(())
    }

    /// The distribution of `values` at one step.
    fn histogram(&mut self, step: u64, tag: &str, values: &[f32]) -> Result<(), LogError> {
        let _ = (step, tag, values);
        Ok(())
    }

    /// A text, in Markdown, at one step.
    fn text(&mut self, step: u64, tag: &str, markdown: &str) -> Result<(), LogError> {
        let _ = (step, tag, markdown);
        Ok(())
    }

    /// Flushes everything to the disk.
    fn flush(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    /// Ends the run: writes final entries and flushes.
    fn finish(&mut self, status: Status) -> Result<(), LogError> {
        let _ = status;
        self.flush()
    }
}

/// Several trackers that act as one.
///
/// Every tracker gets every call, even if another one failed; the first error is
/// returned.
#[derive(Default)]
pub struct Trackers(pub Vec<Box<dyn Tracker>>);

impl Trackers {
    fn each(
        &mut self,
        mut call: impl FnMut(&mut dyn Tracker) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut result = Ok(());
        for tracker in &mut self.0 {
            result = result.and(call(tracker.as_mut()));
        }
        result
    }
}

impl Tracker for Trackers {
    fn scalars(
        &mut self,
        step: u64,
        tokens: u64,
        values: &[(String, f64)],
    ) -> Result<(), LogError> {
        self.each(|tracker| tracker.scalars(step, tokens, values))
    }

    fn histogram(&mut self, step: u64, tag: &str, values: &[f32]) -> Result<(), LogError> {
        self.each(|tracker| tracker.histogram(step, tag, values))
    }

    fn text(&mut self, step: u64, tag: &str, markdown: &str) -> Result<(), LogError> {
        self.each(|tracker| tracker.text(step, tag, markdown))
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.each(|tracker| tracker.flush())
    }

    fn finish(&mut self, status: Status) -> Result<(), LogError> {
        self.each(|tracker| tracker.finish(status))
    }
}
