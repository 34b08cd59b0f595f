//! The Omega rule: every step is that of a window of tokens.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, Coefficients, GateSpec, Gates, LinearAlgorithm, LogDecay, MOMENTUM, MapState,
    MemoryAlgorithm, Part, STEP, rows, table_of,
};
use serde::{Deserialize, Serialize};

use crate::{
    momentum_gate,
    step_size::{STEP_KEYS, StepSize, WINDOW, check, check_window},
};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "omega",
    summary: "The Omega rule: each step descends the loss of the last tokens, not of one.",
    formula: "S_t = eta_t S_{t-1} - (1/w) sum_{t-w < i <= t} theta_i G_i,   A_t = a_t A_{t-1} + S_t",
    reference: "ATLAS, arXiv 2505.23735, section 3",
    keys: &[
        STEP_KEYS[0],
        STEP_KEYS[1],
        (
            WINDOW,
            "tokens w of which each step is the mean, from 1 to 1024; 1: gd, or momentum; default 8",
        ),
        (
            "momentum",
            "where the momentum gate eta = sigma(z) starts, in [0, 1); 0: no momentum, and no gate; default 0",
        ),
    ],
    variants: &[
        "window = 3",
        "window = 2\nmomentum = 0.5",
        "step = 'fixed'\nstep_max = 0.3\nwindow = 5",
        "window = 1",
    ],
    build: |section| {
        let omega = section.part::<Omega>()?;
        check(section, omega.step_max)?;
        check_window(section, omega.window)?;
        momentum_gate::check_optional(section, omega.momentum)?;
        Ok(Arc::new(omega))
    },
};

/// Gradient descent over a sliding window of tokens, with or without momentum.
///
/// # Formula
/// `S_t = η_t S_{t−1} − (1/w) Σ_{i=t−w+1..t} θ_i G_i`, `A_t = a_t A_{t−1} + S_t`, with every `G_i`
/// taken where the token `t` takes its own: at the anchor of its chunk. Without momentum `S` is the
/// sum alone. In a chunk it is the recurrence of `gd`, or of `momentum`, whose coefficients are
/// multiplied with a band: `c = A P Γ`, `Γ_ti = 1/w` for `t − w < i ≤ t`.
///
/// # Shapes
/// `S`: a slot of the shape of the map, `[1, g, d_in, d_out]`; none without momentum.
///
/// # Reference
/// ATLAS (arXiv 2505.23735), §3; with momentum its `OmegaNet`.
///
/// # Notes
/// - The paper weighs the tokens of a window by gates `γ_i ∈ [0, 1]`, which are these step sizes:
///   `γ_i = θ_i / step_max`. The division by `w` is ours: a token moves the memory as far as with `gd`,
///   in `w` steps.
/// - At the beginning of a sequence, tokens that are not there count as tokens with step 0.
/// - Gradients of tokens before a chunk are taken again at its start, so that a chunk of `c` tokens
///   costs `c + w − 1` gradients. With one token a chunk this is the rule as the paper has it, for
///   any memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Omega {
    /// Largest inner step size, ≥ 0; the memory's depth decides where it is left out.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Tokens of which each step is the mean.
    pub window: usize,
    /// Where the momentum gate starts, in [0, 1); 0 for none.
    pub momentum: f64,
}

impl Default for Omega {
    fn default() -> Self {
        Self {
            step_max: 1.0,
            step: StepSize::Input,
            window: 8,
            momentum: 0.0,
        }
    }
}

impl Omega {
    fn has_momentum(&self) -> bool {
        self.momentum > 0.0
    }
}

impl MemoryAlgorithm for Omega {
    fn gates(&self) -> Vec<GateSpec> {
        let mut gates = vec![self.step.gate(self.step_max, false)];
        if self.has_momentum() {
            gates.push(momentum_gate::gate(self.momentum));
        }
        gates
    }

    fn slots(&self) -> usize {
        usize::from(self.has_momentum())
    }

    fn window(&self) -> usize {
        self.window
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::Linear(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl LinearAlgorithm for Omega {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, gates: &Gates) -> MapState {
        let surprise = match map.slots.into_iter().next() {
            Some(past) => past * gates.get(MOMENTUM).exp() - write,
            None => write.neg(),
        };
        MapState {
            weights: map.weights * decay + surprise.clone(),
            slots: vec![surprise; self.slots()],
        }
    }

    fn coefficients(&self, decay: LogDecay, gates: &Gates) -> Coefficients {
        if self.has_momentum() {
            Coefficients::momentum(decay, gates.get(MOMENTUM))
        } else {
            Coefficients::decayed_sum(decay)
        }
    }

    fn damping(&self, gates: &Gates) -> Tensor<4> {
        if self.has_momentum() {
            momentum_gate::damping(gates)
        } else {
            rows::largest_channel(gates.get(STEP)).ones_like()
        }
    }
}
