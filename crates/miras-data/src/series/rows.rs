//! Windows of a series as training and evaluation read them.

use std::ops::Range;

use miras_random::Stream;

use super::{baselines::Baseline, split::Part, windows::Series};
use crate::{Batch, DataError, Dataset, Description, SeriesRows};

/// Purpose of the streams that draw windows of training.
const TRAIN: &str = "series train";

/// A row is a window of one channel. Windows of training are drawn; in an evaluation, row
/// `window · channels + channel` is that window of that channel.
pub(super) struct Rows {
    pub(super) series: Series,
    /// What evaluations read.
    pub(super) part: Part,
    /// Tokens of a row.
    pub(super) len: usize,
    pub(super) seed: u64,
    pub(super) description: Description,
}

impl Rows {
    fn batch(
        &self,
        part: Part,
        windows: impl ExactSizeIterator<Item = (usize, usize)>,
    ) -> Result<Batch, DataError> {
        let rows = windows.len();
        let mut series = SeriesRows {
            read: Vec::new(),
            next: Vec::new(),
        };
        for (channel, window) in windows {
            let (read, next) = self.series.window(part, channel, window);
            series.read.extend(read.iter().map(|&value| value as f32));
            series.next.extend(next.iter().map(|&value| value as f32));
        }
        Batch::of_series(rows, self.len, series)
    }

    /// Channel and window of each evaluation row.
    fn windows(&self, starts: &[u64]) -> Result<Vec<(usize, usize)>, DataError> {
        let channels = self.series.channels().len() as u64;
        let tokens = self.scored();
        let each = starts.iter().map(|&start| {
            let row = start / self.len as u64;
            let (channel, window) = (row % channels, row / channels);
            if start >= tokens {
                return Err(DataError::EvalStart { start, tokens });
            }
            Ok((channel as usize, window as usize))
        });
        each.collect()
    }

    fn scored(&self) -> u64 {
        let rows = self.series.windows(self.part) * self.series.channels().len();
        (rows * self.len) as u64
    }
}

impl Dataset for Rows {
    /// There are no tokens but numbers.
    fn vocab(&self) -> usize {
        0
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        let windows = self.series.windows(Part::Train);
        let drawn = rows.map(|row| {
            let mut stream = Stream::new(self.seed, TRAIN, &[step, row as u64]);
            let channel = stream.index(self.series.channels().len());
            (channel, stream.index(windows))
        });
        self.batch(Part::Train, drawn)
    }

    fn eval_tokens(&self) -> Option<u64> {
        Some(self.scored())
    }

    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let windows = self.windows(starts)?;
        self.batch(self.part, windows.into_iter())
    }

    fn baselines(&self, starts: &[u64]) -> Vec<Baseline> {
        // Rows that do not exist are refused where they are read.
        let windows = self.windows(starts).unwrap_or_default();
        self.series.baselines(self.part, &windows)
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }
}
