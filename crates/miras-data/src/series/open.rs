//! From settings to standardised windows.

use std::ops::Range;

use sha2::{Digest, Sha256};

use miras_run::hex;

use super::{
    config::SeriesConfig,
    read::Columns,
    split::Part,
    windows::{Channel, Series},
};
use crate::{DataError, DataFile, Description, paths::find::Finder};

/// Values farther from the mean, in deviations, are taken for mistakes: squares of much larger ones are
/// infinite in 32 bits.
const FARTHEST: f64 = 1e9;

/// Opens the series of a file.
///
/// # Errors
/// If the file cannot be read, or does not fit the settings.
pub fn open_series(config: &SeriesConfig) -> Result<(Series, Description), DataError> {
    let refused = |field, problem| {
        let problems = vec![(field, problem)];
        DataError::Config { problems }
    };
    let mut finder = Finder::default();
    let files = finder.files("path", &config.path)?;
    let [file] = &files[..] else {
        let problem = format!(
            "a series is one file, and these are {}: name one of them, such as `{}`",
            files.len(),
            files[0].path.display()
        );
        return Err(refused("path", problem));
    };
    let columns = Columns::read("path", &file.path, &config.columns)?;
    let fingerprint = fingerprint(&columns);
    let rows = columns.values[0].len();
    let Some(parts) = config.split.rows(rows) else {
        let problem = format!(
            "{} are more rows than the {rows} of `{}`: give the rows that there are, or shares, such as [0.7, 0.1, 0.2]",
            config.split,
            file.path.display()
        );
        return Err(refused("split", problem));
    };
    let (mut channels, mut values) = (Vec::new(), Vec::new());
    for (name, column) in columns.names.into_iter().zip(columns.values) {
        let channel = channel(name, &column[parts[0].clone()])
            .map_err(|problem| refused("columns", problem))?;
        let standard = |value: &f64| (value - channel.mean) / channel.deviation;
        let standardised: Vec<f64> = column.iter().map(standard).collect();
        let is_far = |value: &f64| value.is_nan() || value.abs() > FARTHEST;
        if let Some(row) = standardised.iter().position(is_far) {
            let problem = format!(
                "row {} of column `{}` of `{}`, counted without the names, is {}, more than {FARTHEST:e} deviations from the mean of the training part: correct it, or name the other columns",
                row + 1,
                channel.name,
                file.path.display(),
                column[row]
            );
            return Err(refused("columns", problem));
        }
        values.push(standardised);
        channels.push(channel);
    }
    let series = Series {
        channels,
        values,
        parts,
        lookback: config.seq_len,
        horizon: config.horizon,
    };
    fits(&series, config)?;
    let bytes = |rows: &Range<usize>| Some((rows.len() * series.channels.len() * 8) as u64);
    let mut notes = finder.left_out();
    if let Some(date) = columns.date {
        notes.push(format!(
            "the first column of `{}`, `{date}`, is a date and no channel",
            config.path
        ));
    }
    let unread = rows - series.parts[2].end;
    if unread > 0 {
        notes.push(format!(
            "the last {unread} of the {rows} rows of `{}` are in no part (data.split = {})",
            config.path, config.split
        ));
    }
    let description = Description {
        kind: "csv",
        name: config.path.to_string(),
        train_bytes: bytes(&series.parts[0]),
        valid_bytes: bytes(&series.parts[Part::from(config.part) as usize]),
        fingerprint,
        notes,
        file_count: 1,
        files: vec![DataFile {
            path: file.path.clone(),
            bytes: (rows * series.channels.len() * 8) as u64,
        }],
        ..Description::default()
    };
    Ok((series, description))
}

/// The mean and the deviation of the values of a training part.
fn channel(name: String, values: &[f64]) -> Result<Channel, String> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / count).sqrt();
    // Equal values have a mean that rounding may take off them.
    let is_constant = values
        .iter()
        .all(|value| value.to_bits() == values[0].to_bits());
    if is_constant || deviation == 0.0 {
        return Err(format!(
            "column `{name}` is {} in all {} rows of the training part, so that it has no deviation to be standardised with: name the other columns with data.columns",
            values[0],
            values.len()
        ));
    }
    if !deviation.is_finite() {
        return Err(format!(
            "column `{name}` has values too large to be squared: give it another unit"
        ));
    }
    Ok(Channel {
        name,
        mean,
        deviation,
    })
}

/// Refuses a part without a window.
fn fits(series: &Series, config: &SeriesConfig) -> Result<(), DataError> {
    let (lookback, horizon, split) = (series.lookback, series.horizon, &config.split);
    for part in Part::ALL {
        if series.windows(part) > 0 {
            continue;
        }
        let own = series.parts[part as usize].len();
        let name = part.name();
        let problem = match part {
            Part::Train => {
                // In whole tokens.
                let most = own.saturating_sub(horizon) / config.patch * config.patch;
                let remedy = match most {
                    0 => "a shorter window".to_owned(),
                    most => format!("data.seq_len = {most} or less"),
                };
                format!(
                    "the {name} part has {own} rows (data.split = {split}), and a window takes {lookback} + {horizon}: what fits is {remedy}, or a larger part"
                )
            }
            Part::Valid | Part::Test => {
                let before = series.parts[part as usize].start;
                format!(
                    "the {name} part has {own} rows and {before} before it (data.split = {split}), and a window takes {lookback} before and {horizon} of it: what fits is a horizon of {own} or less, or a larger part"
                )
            }
        };
        let field = if own < horizon + config.patch {
            "split"
        } else {
            "seq_len"
        };
        let problems = vec![(field, problem)];
        return Err(DataError::Config { problems });
    }
    Ok(())
}

/// The hash of the names and the values that are read.
fn fingerprint(columns: &Columns) -> String {
    let mut hash = Sha256::new();
    for (name, values) in columns.names.iter().zip(&columns.values) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((values.len() as u64).to_le_bytes());
        for value in values {
            hash.update(value.to_le_bytes());
        }
    }
    format!("sha256:{}", hex(&hash.finalize()))
}
