//! Gradient descent.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, Coefficients, GateSpec, Gates, LinearAlgorithm, MapState, MemoryAlgorithm, Part,
    table_of,
};
use serde::{Deserialize, Serialize};

use crate::step_size::{STEP_KEYS, StepSize, check};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "gd",
    summary: "Gradient descent, one step a token.",
    formula: "A_t = a_t A_{t-1} - theta_t G_t",
    reference: "MIRAS, arXiv 2504.13173, section 3",
    keys: &STEP_KEYS,
    variants: &["", "step = 'fixed'\nstep_max = 0.4"],
    build: |section| {
        let gd = section.part::<Gd>()?;
        check(section, gd.step_max)?;
        Ok(Arc::new(gd))
    },
};

/// Gradient descent.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t G_t`. In a chunk, `A_t = β_t A_0 − Σ_i (β_t/β_i) θ_i G_i`
/// (Titans Eq. 16, MIRAS Eq. 28).
///
/// # Reference
/// MIRAS (arXiv 2504.13173), §3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gd {
    /// Largest inner step size, ≥ 0; the memory's depth decides where it is left out.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
}

impl Default for Gd {
    fn default() -> Self {
        Self {
            step_max: 1.0,
            step: StepSize::Input,
        }
    }
}

impl MemoryAlgorithm for Gd {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.step.gate(self.step_max)]
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::Linear(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl LinearAlgorithm for Gd {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, _gates: &Gates) -> MapState {
        MapState {
            weights: map.weights * decay - write,
            slots: map.slots,
        }
    }

    fn coefficients(&self, log_decay: Tensor<4>, _gates: &Gates) -> Coefficients {
        Coefficients::decayed_sum(log_decay)
    }
}
