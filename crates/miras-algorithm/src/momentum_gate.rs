//! The momentum gate η, shared by the algorithms.

use burn::tensor::Tensor;
use miras_config::{ConfigError, Section};
use miras_core::{GateMap, GateSpec, Gates, MOMENTUM};

/// A saturated gate rounds to η = 1, whose writes would add for ever.
const LEAST_DAMPING: f64 = 1e-3;

/// The gate that starts at `start`, in (0, 1).
pub(crate) fn gate(start: f64) -> GateSpec {
    let bias = (start / (1.0 - start)).ln();
    GateSpec::new(MOMENTUM, GateMap::LogSigmoid, bias)
}

/// `1 − η`, by which a write is divided that goes on adding: `[n, g, c, 1]`.
pub(crate) fn damping(gates: &Gates) -> Tensor<4> {
    let lost = gates.get(MOMENTUM).exp().neg().add_scalar(1.0);
    lost.clamp_min(LEAST_DAMPING)
}

/// Refuses a start of the gate outside of `[0, 1)`, where 0 is no gate.
pub(crate) fn check_optional(section: &Section<'_>, start: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&start) {
        return Ok(());
    }
    let message = "momentum must be 0 or above, and below 1";
    let help = "momentum = 0 is the rule without momentum".to_owned();
    Err(section.error("momentum", message, Some(help)))
}
