//! Standardised channels, and the windows of each part.

use std::ops::Range;

use super::split::Part;

/// A channel of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// The name of its column.
    pub name: String,
    /// The mean of its training part, in its own unit.
    pub mean: f64,
    /// The deviation of its training part, in its own unit; more than 0.
    pub deviation: f64,
}

/// A series whose channels are standardised, and its windows.
#[derive(Debug, Clone)]
pub struct Series {
    /// What there is of each channel.
    pub(super) channels: Vec<Channel>,
    /// The standardised values of each channel.
    pub(super) values: Vec<Vec<f64>>,
    /// The rows of each part, in the order of [`Part::ALL`], without those before it that its
    /// windows may read.
    pub(super) parts: [Range<usize>; 3],
    pub(super) lookback: usize,
    pub(super) horizon: usize,
}

impl Series {
    /// Its channels, in the order of their columns.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Values that are read before a forecast.
    pub fn lookback(&self) -> usize {
        self.lookback
    }

    /// Values that are forecast.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// The rows of a part, with those before it that its windows may read.
    pub(super) fn rows(&self, part: Part) -> Range<usize> {
        let own = &self.parts[part as usize];
        match part {
            Part::Train => own.clone(),
            Part::Valid | Part::Test => own.start.saturating_sub(self.lookback)..own.end,
        }
    }

    /// Windows of a part, in each channel: `n − seq_len − horizon + 1` of its `n` rows.
    pub fn windows(&self, part: Part) -> usize {
        let window = self.lookback + self.horizon;
        (self.rows(part).len() + 1).saturating_sub(window)
    }

    /// The standardised values of a window: those that are read, and those that are forecast.
    ///
    /// # Panics
    /// If the part has no such window, or the series no such channel.
    pub fn window(&self, part: Part, channel: usize, window: usize) -> (&[f64], &[f64]) {
        let windows = self.windows(part);
        assert!(window < windows, "window {window} of {windows}");
        let start = self.rows(part).start + window;
        let values = &self.values[channel][start..start + self.lookback + self.horizon];
        values.split_at(self.lookback)
    }
}
