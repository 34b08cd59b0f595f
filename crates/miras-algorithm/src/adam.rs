//! Adam at chunk ends.

use std::sync::Arc;

use miras_core::{
    AlgorithmKind, ChunkEndAlgorithm, ChunkWrite, GateSpec, MapState, MemoryAlgorithm, Part,
    table_of,
};
use serde::{Deserialize, Serialize};

use crate::{
    average::{EPSILON_KEY, check_epsilon, check_share, corrected, counted, over_root, running},
    step_size::{ENTRY_STEP, STEP_KEYS, StepSize, apart, check},
};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "adam",
    summary: "Adam: at each chunk's end, every weight by its own step.",
    formula: "m = b1 m + (1 - b1) G,   v = b2 v + (1 - b2) G^2,   A = a A - theta m'/sqrt(v' + eps^2)",
    reference: "Adam, arXiv 1412.6980, Algorithm 1",
    keys: &[
        ENTRY_STEP,
        STEP_KEYS[1],
        (
            "beta1",
            "share of the past in the mean of gradients, in [0, 1); default 0.9",
        ),
        (
            "beta2",
            "share of the past in the mean of their squares, in [0, 1); default 0.999",
        ),
        EPSILON_KEY,
    ],
    variants: &[
        "",
        "step = 'fixed'\nstep_max = 0.2\nbeta1 = 0.5\nbeta2 = 0.7\nepsilon = 0.05",
    ],
    build: |section| {
        let adam = section.part::<Adam>()?;
        check(section, adam.step_max)?;
        check_share(section, "beta1", adam.beta1)?;
        check_share(section, "beta2", adam.beta2)?;
        check_epsilon(section, adam.epsilon)?;
        Ok(Arc::new(adam))
    },
};

/// Adam, once a chunk.
///
/// # Formula
/// At the end of a chunk with steps `θ_i` and decays `a_i`, `θ` the mean of the former, `a` the
/// product of the latter:
/// `Ĝ = Σ_i (∏_{s>i} a_s) (θ_i/θ) G_i`, `m ← β₁m + (1 − β₁)Ĝ`, `v ← β₂v + (1 − β₂)Ĝ²`,
/// `A ← aA − θ·m̂/√(v̂ + ε²)` with `m̂ = m/(1 − β₁ⁿ)`, `v̂ = v/(1 − β₂ⁿ)` in the `n`-th chunk.
///
/// # Shapes
/// `m`, `v` and the count `n`: three slots of the shape of the map, `[1, g, d_in, d_out]`; all
/// numbers of `n` are the same.
///
/// # Reference
/// Adam (arXiv 1412.6980), Algorithm 1.
///
/// # Notes
/// The gradients of a chunk are those at its start, where its tokens read, too. With one token a
/// chunk `Ĝ` is its gradient and this is Adam, step by step; with more, the step sizes of tokens
/// say how much each counts, and their mean how far the chunk goes. The paper adds ε to the root;
/// inside of it, the outer loop has a derivative where a gradient is 0. The decay is that of the
/// retention gate and no part of the averages, as in `AdamW`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Largest step of a weight in one chunk, ≥ 0; where it is left out, less for deep memories.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Share of the past in the mean of gradients.
    pub beta1: f64,
    /// Share of the past in the mean of their squares.
    pub beta2: f64,
    /// What a gradient has to be larger than to count in full.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            step_max: 0.1,
            step: StepSize::Input,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-3,
        }
    }
}

impl MemoryAlgorithm for Adam {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.step.gate(self.step_max, false)]
    }

    fn slots(&self) -> usize {
        3
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::ChunkEnd(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl ChunkEndAlgorithm for Adam {
    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        let [mean, square, count] = <[_; 3]>::try_from(map.slots).expect("adam keeps three slots");
        let (size, gradient) = apart(chunk);
        let count = counted(count);
        let mean = running(mean, gradient.clone(), self.beta1);
        let square = running(square, gradient.powi_scalar(2), self.beta2);
        let along = corrected(mean.clone(), self.beta1, &count)
            * over_root(corrected(square.clone(), self.beta2, &count), self.epsilon);
        MapState {
            weights: map.weights * chunk.carry.clone() - along * size,
            slots: vec![mean, square, count],
        }
    }
}
