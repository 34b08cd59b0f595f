//! `RMSProp` at chunk ends.

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
    kind: "rmsprop",
    summary: "RMSProp: at each chunk's end, gradients over the root of their mean square.",
    formula: "v = b v + (1 - b) G^2,   A = a A - theta G/sqrt(v' + eps^2)",
    reference: "Adam, arXiv 1412.6980, section 5",
    keys: &[
        ENTRY_STEP,
        STEP_KEYS[1],
        (
            "beta",
            "share of the past in the mean of squared gradients, in [0, 1); default 0.99",
        ),
        EPSILON_KEY,
    ],
    variants: &[
        "",
        "step = 'fixed'\nstep_max = 0.2\nbeta = 0.7\nepsilon = 0.05",
    ],
    build: |section| {
        let rmsprop = section.part::<Rmsprop>()?;
        check(section, rmsprop.step_max)?;
        check_share(section, "beta", rmsprop.beta)?;
        check_epsilon(section, rmsprop.epsilon)?;
        Ok(Arc::new(rmsprop))
    },
};

/// `RMSProp`, once a chunk.
///
/// # Formula
/// At the end of a chunk with steps `θ_i` and decays `a_i`, `θ` the mean of the former, `a` the
/// product of the latter: `Ĝ = Σ_i (∏_{s>i} a_s) (θ_i/θ) G_i`, `v ← βv + (1 − β)Ĝ²`,
/// `A ← aA − θ·Ĝ/√(v̂ + ε²)` with `v̂ = v/(1 − βⁿ)` in the `n`-th chunk.
///
/// # Shapes
/// `v` and the count `n`: two slots of the shape of the map, `[1, g, d_in, d_out]`; all numbers of
/// `n` are the same.
///
/// # Reference
/// Tieleman and Hinton (2012), lecture 6.5, which is no paper; as described in Adam
/// (arXiv 1412.6980), §5.
///
/// # Notes
/// The gradients of a chunk are those at its start, where its tokens read, too. With one token a
/// chunk `Ĝ` is its gradient. The average is corrected for its start at 0, as in Adam, which the
/// lecture does not do: without it the first chunks of every sequence step `1/√(1 − β)` times too
/// far. It is `adam` with `beta1 = 0` and one slot less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rmsprop {
    /// Largest step of a weight in one chunk, ≥ 0, for gradients that keep their size; where it is
    /// left out, less for deep memories.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Share of the past in the mean of squared gradients.
    pub beta: f64,
    /// What a gradient has to be larger than to count in full.
    pub epsilon: f64,
}

impl Default for Rmsprop {
    fn default() -> Self {
        Self {
            step_max: 0.1,
            step: StepSize::Input,
            beta: 0.99,
            epsilon: 1e-3,
        }
    }
}

impl MemoryAlgorithm for Rmsprop {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.step.gate(self.step_max, false)]
    }

    fn slots(&self) -> usize {
        2
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::ChunkEnd(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl ChunkEndAlgorithm for Rmsprop {
    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        let [square, count] = <[_; 2]>::try_from(map.slots).expect("rmsprop keeps two slots");
        let (size, gradient) = apart(chunk);
        let count = counted(count);
        let square = running(square, gradient.clone().powi_scalar(2), self.beta);
        let root = over_root(corrected(square.clone(), self.beta, &count), self.epsilon);
        MapState {
            weights: map.weights * chunk.carry.clone() - gradient * root * size,
            slots: vec![square, count],
        }
    }
}
