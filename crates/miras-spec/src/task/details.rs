//! What tasks say of an evaluation beside means.

use miras_data::Baseline;
use serde::{Deserialize, Serialize};

/// What a task says of an evaluation beside means: a field a thing, in reports as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The Matthews correlation; classes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcc: Option<f64>,
    /// The standard error of the accuracy, `√(a (1 − a) / n)` of `n` rows; classes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_stderr: Option<f64>,
    /// Which classes were taken for which; classes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Errors of forecasts; series only.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub forecasts: Option<Forecasts>,
}

/// Which classes were taken for which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// Their names, by their numbers.
    pub labels: Vec<String>,
    /// For each class, how many rows of it were answered with each class.
    pub confusion: Vec<Vec<u64>>,
}

/// Errors of forecasts of standardised values.
///
/// Errors of neighbouring windows are alike, for they overlap: standard errors, `√(Σ (e − ē)² / (n (n − 1)))`
/// over the windows as if they were independent, are the least that they may be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecasts {
    /// The part of the series: `valid` or `test`.
    pub part: String,
    /// Windows of channels.
    pub windows: u64,
    /// Mean squared error.
    pub mse: f64,
    /// Its standard error over windows; none of one window.
    pub mse_stderr: Option<f64>,
    /// Mean absolute error.
    pub mae: f64,
    /// Its standard error over windows; none of one window.
    pub mae_stderr: Option<f64>,
    /// What is reached without a model on the same windows.
    pub baselines: Vec<Baseline>,
}
