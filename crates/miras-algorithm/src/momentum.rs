//! Gradient descent with momentum, the surprise of Titans.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, Coefficients, GateSpec, Gates, LinearAlgorithm, LogDecay, MOMENTUM, MapState,
    MemoryAlgorithm, Part, Recurrence, table_of,
};
use serde::{Deserialize, Serialize};

use crate::{
    momentum_gate,
    step_size::{STEP_KEYS, StepSize, check},
};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "momentum",
    summary: "Gradient descent with momentum: Titans' past and momentary surprise.",
    formula: "S_t = eta_t S_{t-1} - theta_t G_t,   A_t = a_t A_{t-1} + S_t",
    reference: "Titans, arXiv 2501.00663, Eq. 13-14",
    keys: &[
        STEP_KEYS[0],
        STEP_KEYS[1],
        STEP_KEYS[2],
        (
            "momentum",
            "where the momentum gate eta = sigma(z) starts, in (0, 1)",
        ),
    ],
    variants: &[
        "",
        "step = 'fixed'\nstep_max = 0.2\nmomentum = 0.8",
        "ascent = true\nstep_max = 0.1",
    ],
    build: |section| {
        let momentum = section.part::<Momentum>()?;
        check(section, momentum.step_max)?;
        if !(momentum.momentum > 0.0 && momentum.momentum < 1.0) {
            let help = "algorithm.kind = \"gd\" is the rule without momentum".to_string();
            let message = "momentum must be above 0 and below 1";
            return Err(section.error("momentum", message, Some(help)));
        }
        Ok(Arc::new(momentum))
    },
};

/// Gradient descent with momentum.
///
/// # Formula
/// `S_t = η_t S_{t−1} − θ_t G_t`, `A_t = a_t A_{t−1} + S_t`. The gradient is not
/// multiplied by `1 − η`, and the decay does not touch `S`.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eq. 13–14.
///
/// # Notes
/// The paper gives no activation for η; σ starting at ½ is our choice.
///
/// `ascent = true`, a control, turns the sign of every write: [`Gd`](crate::Gd) says more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Momentum {
    /// Largest inner step size, ≥ 0; the memory's depth decides where it is left out.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Whether steps go up the inner loss, as a control.
    pub ascent: bool,
    /// Where the momentum gate starts, in (0, 1).
    pub momentum: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self {
            step_max: 1.0,
            step: StepSize::Input,
            ascent: false,
            momentum: 0.5,
        }
    }
}

impl MemoryAlgorithm for Momentum {
    fn gates(&self) -> Vec<GateSpec> {
        let momentum = momentum_gate::gate(self.momentum);
        vec![self.step.gate(self.step_max, self.ascent), momentum]
    }

    fn slots(&self) -> usize {
        1
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::Linear(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl LinearAlgorithm for Momentum {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, gates: &Gates) -> MapState {
        let [past] = <[_; 1]>::try_from(map.slots).expect("momentum keeps one slot");
        let surprise = past * gates.get(MOMENTUM).exp() - write;
        MapState {
            weights: map.weights * decay + surprise.clone(),
            slots: vec![surprise],
        }
    }

    fn coefficients(&self, decay: LogDecay, gates: &Gates) -> Coefficients {
        Coefficients::momentum(decay, gates.get(MOMENTUM))
    }

    fn recurrence(&self) -> Option<Recurrence> {
        Some(Recurrence::Momentum)
    }

    fn damping(&self, gates: &Gates) -> Tensor<4> {
        momentum_gate::damping(gates)
    }
}
