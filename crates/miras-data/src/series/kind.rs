//! Time series as a kind of data.

use std::io;

use super::{config::SeriesConfig, open::open_series, rows::Rows};
use crate::{
    DataError, DataKind, Dataset, FORECAST, Kind, Problem, Targets, shared_keys::check_seq_len,
};

pub(crate) const KIND: Kind<SeriesConfig> = Kind {
    name: "csv",
    task: FORECAST,
    summary: "time series of a CSV file, with .gz or .zst or without, a row a moment, a column a channel, each channel forecast by itself",
    keys: &[
        (
            "path",
            "a CSV file whose first line names the columns, with .gz or .zst or without; relative to the working directory, `~/` to the home directory",
        ),
        (
            "seq_len",
            "values that are read before a forecast, from 1 to 16777216: a multiple of `task.patch`",
        ),
        (
            "columns",
            "names of the columns that are read, a list; if it is empty, all but a date in front",
        ),
        (
            "split",
            "rows for training, validation and test, in this order: three counts, `[8640, 2880, 2880]` of ETTh1, or three shares that add up to 1",
        ),
        (
            "part",
            "what evaluations read: \"valid\" or \"test\"; `eval --part test` sets it",
        ),
    ],
    default: SeriesConfig::default,
    take: |section| section.part(),
};

impl DataKind for SeriesConfig {
    /// Tokens of a row, `seq_len / patch`.
    fn seq_len(&self) -> usize {
        self.seq_len / self.patch.max(1)
    }

    fn targets(&self) -> Targets {
        Targets::Values
    }

    /// There are no tokens but numbers.
    fn vocab(&self) -> Result<usize, DataError> {
        Ok(0)
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        let (series, description) = open_series(self)?;
        Ok(Box::new(Rows {
            series,
            part: self.part.into(),
            len: self.seq_len(),
            seed,
            description,
        }))
    }

    fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.absolute()?,
            ..self.clone()
        })
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.path.is_blank() {
            problems.push(("path", "must name a CSV file".to_owned()));
        }
        problems.extend(check_seq_len(self.seq_len));
        let columns = &self.columns;
        if let Some(at) = (1..columns.len()).find(|&at| columns[..at].contains(&columns[at])) {
            problems.push(("columns", format!("names `{}` twice", columns[at])));
        }
        problems.extend(self.split.problem().map(|problem| ("split", problem)));
        problems
    }
}
