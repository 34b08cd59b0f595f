//! Which weights made a state.

use serde::{Deserialize, Serialize};

/// The weights that a state was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateOrigin {
    /// The run that they are from.
    pub run: String,
    /// Its optimiser steps.
    pub step: u64,
    /// SHA-256 of the file of the weights.
    pub weights: String,
}
