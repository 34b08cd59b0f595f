//! Time series: the numbers of a CSV file, windows of them, and forecasts without a model.

mod baselines;
mod cholesky;
mod config;
mod kind;
mod linear;
mod moments;
mod open;
mod read;
mod rows;
mod split;
mod windows;

pub use baselines::{Baseline, ForecastErrors};
pub use config::{EvalPart, SeriesConfig};
pub(crate) use kind::KIND;
pub use linear::Linear;
pub use open::open_series;
pub use split::{Part, Split};
pub use windows::{Channel, Series};
