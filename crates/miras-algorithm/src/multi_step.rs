//! Several steps of gradient descent at each chunk's end.

use std::sync::Arc;

use miras_core::{
    AlgorithmKind, ChunkEndAlgorithm, ChunkWrite, GateSpec, MapState, MemoryAlgorithm, Part,
    table_of,
};
use serde::{Deserialize, Serialize};

use crate::step_size::{STEP_KEYS, StepSize, check};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "multi_step",
    summary: "Several steps of gradient descent over each chunk, at its end.",
    formula: "A_1 = a A - sum theta_i G_i(A),   A_{n+1} = A_n - sum theta_i G_i(A_n)",
    reference: "this project",
    keys: &[
        (
            "step_max",
            "largest size of one step (its scale with step = \"rate\"), 0 (never writes) or above; default 0.5, less for memories of depth 3 and more",
        ),
        STEP_KEYS[1],
        (
            "steps",
            "steps at each chunk's end, from 1 to 64; default 2; each one more takes all gradients of the chunk anew, at the cost of the first",
        ),
    ],
    variants: &["", "step = 'fixed'\nstep_max = 0.2\nsteps = 3", "steps = 1"],
    build: |section| {
        let part = section.part::<MultiStep>()?;
        check(section, part.step_max)?;
        if !(1..=MOST).contains(&part.steps) {
            let message = format!("steps must be from 1 to {MOST}");
            let help = "0 steps would never write: algorithm.step_max = 0 does that".to_owned();
            return Err(section.error("steps", message, Some(help)));
        }
        Ok(Arc::new(part))
    },
};

/// More are nobody's intention.
const MOST: usize = 64;

/// Several steps of gradient descent over each chunk.
///
/// # Formula
/// At the end of a chunk that began with `A`, whose tokens have steps `θ_i` and decays `a_i`, with
/// `w_i = ∏_{s>i} a_s`: `A₁ = (∏ a_i) A − Σ_i w_i θ_i G_i(A)`, and for each further step
/// `A_{n+1} = A_n − Σ_i w_i θ_i G_i(A_n)`. The state is decayed once.
///
/// # Reference
/// This project. One step a chunk, but for the reads, is the mini-batch of TTT (arXiv 2407.04620),
/// §2.4.
///
/// # Notes
/// The tokens of a chunk read the weights that it began with. With one step it is `gd` with
/// `form = "chunk_start"` and `read = "stale"`. Step sizes and their caps are those of a step, so
/// that a token moves the memory up to `steps` times as far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiStep {
    /// Largest size of one step, ≥ 0; where it is left out, less for deep memories.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Steps at each chunk's end.
    pub steps: usize,
}

impl Default for MultiStep {
    fn default() -> Self {
        Self {
            step_max: 0.5,
            step: StepSize::Input,
            steps: 2,
        }
    }
}

impl MemoryAlgorithm for MultiStep {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.step.gate(self.step_max, false)]
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::ChunkEnd(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl ChunkEndAlgorithm for MultiStep {
    fn steps(&self) -> usize {
        self.steps
    }

    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        MapState {
            weights: map.weights * chunk.carry.clone() - chunk.write.clone(),
            slots: map.slots,
        }
    }
}
