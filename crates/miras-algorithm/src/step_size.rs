//! The inner step size θ, shared by the algorithms.

use burn::tensor::Tensor;
use miras_config::{ConfigError, Section};
use miras_core::{ChunkWrite, GateMap, GateSpec, RETENTION, STEP, rows};
use serde::{Deserialize, Serialize};

/// The start of an input-dependent step size as a share of its largest value:
/// σ(−2), the value that trained best (`docs/architecture.md`, Measured defaults).
const START: f64 = -2.0;

/// Documentation of the keys, for the parts' lists.
pub(crate) const STEP_KEYS: [(&str, &str); 3] = [
    (
        "step_max",
        "largest inner step size (its scale with step = \"rate\"), 0 (never writes) or above; default 1, less for memories of depth 3 and more",
    ),
    (
        "step",
        "\"input\": theta = step_max sigma(z); \"fixed\": theta = step_max; \"rate\": theta = step_max softplus(z), with the projection z of retention.gate = \"rate\" (Mamba-2, whose step and decay share one)",
    ),
    (
        "ascent",
        "true: steps go up the inner loss, theta is -theta everywhere; a control experiment, which has to do worse than descent (not under bias \"dot\", where the outer loop turns values round); chunk_start only, or bias \"dot\"; default false",
    ),
];

/// The step size of algorithms that give every weight a step of its own.
pub(crate) const ENTRY_STEP: (&str, &str) = (
    "step_max",
    "largest step of a weight in one chunk (its scale with step = \"rate\"), 0 (never writes) or above; default 0.1, less for memories of depth 4 and more",
);

/// Whether the step size is a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// `θ_t = step_max · σ(z_t)`.
    #[default]
    Input,
    /// `θ_t = step_max`.
    Fixed,
    /// `θ_t = step_max · softplus(z_t)` with the projection `z` of the retention gate.
    Rate,
}

impl StepSize {
    /// The gate of sizes up to `max`, below 0 for an ascent.
    pub(crate) fn gate(self, max: f64, ascent: bool) -> GateSpec {
        let max = if ascent { -max } else { max };
        match self {
            StepSize::Input => GateSpec::new(STEP, GateMap::Sigmoid { max }, START),
            StepSize::Fixed => GateSpec::new(STEP, GateMap::Constant(max), 0.0),
            StepSize::Rate => GateSpec::new(STEP, GateMap::Softplus { scale: max }, 0.0)
                .from_projection_of(RETENTION),
        }
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

/// The key of the tokens that a step is the mean of.
pub(crate) const WINDOW: &str = "window";

/// Longer windows would keep more tokens than memories have weights.
const LONGEST: usize = 1024;

pub(crate) fn check_window(section: &Section<'_>, window: usize) -> Result<(), ConfigError> {
    if (1..=LONGEST).contains(&window) {
        return Ok(());
    }
    let message = format!("window must be from 1 to {LONGEST} tokens");
    let help = "window = 1 is the rule of single tokens".to_owned();
    Err(section.error(WINDOW, message, Some(help)))
}

/// Of an algorithm that acts at chunk ends and does not look at the size of a write: the size of
/// the chunk's step, the mean of its tokens' θ, `[1, g, 1, 1]`, and what it steps along, their
/// writes with weights that are 1 in the mean, `[1, g, d_in, d_out]`. With one token a chunk that
/// is its θ and its gradient.
pub(crate) fn apart(chunk: &ChunkWrite<'_>) -> (Tensor<4>, Tensor<4>) {
    let size = chunk.gates.get(STEP).mean_dim(2);
    // A chunk of which all steps are 0 writes nothing.
    let along = chunk.write.clone() / size.clone().add_scalar(rows::TINY);
    (size, along)
}
