//! The inner step size θ, shared by the algorithms.

use miras_config::{ConfigError, Section};
use miras_core::{GateMap, GateSpec, STEP};
use serde::{Deserialize, Serialize};

/// The start of an input-dependent step size as a share of its largest value:
/// σ(−2), the value that trained best (`docs/architecture.md`, Measured defaults).
const START: f64 = -2.0;

/// Documentation of the keys, for the parts' lists.
pub(crate) const STEP_KEYS: [(&str, &str); 2] = [
    (
        "step_max",
        "largest inner step size, 0 (never writes) or above; default 1, less for memories of depth 3 and more",
    ),
    (
        "step",
        "\"input\": theta = step_max sigma(z); \"fixed\": theta = step_max",
    ),
];

/// Whether the step size is a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// `θ_t = step_max · σ(z_t)`.
    #[default]
    Input,
    /// `θ_t = step_max`.
    Fixed,
}

impl StepSize {
    pub(crate) fn gate(self, max: f64) -> GateSpec {
        let (map, bias) = match self {
            StepSize::Input => (GateMap::Sigmoid { max }, START),
            StepSize::Fixed => (GateMap::Constant(max), 0.0),
        };
        let name = STEP;
        GateSpec { name, map, bias }
    }
}

/// Steps beyond this are nobody's intention.
const LARGEST: f64 = 1e6;

pub(crate) fn check(section: &Section<'_>, step_max: f64) -> Result<(), ConfigError> {
    if (0.0..=LARGEST).contains(&step_max) {
        return Ok(());
    }
    let message = format!("step_max must be from 0 to {LARGEST}");
    Err(section.error("step_max", message, None))
}
