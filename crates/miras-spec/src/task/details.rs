//! What tasks say of an evaluation beside means.

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
}

/// Which classes were taken for which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// Their names, by their numbers.
    pub labels: Vec<String>,
    /// For each class, how many rows of it were answered with each class.
    pub confusion: Vec<Vec<u64>>,
}
