//! The least squared error over all tokens so far: a Newton step, or recursive least squares.

use std::sync::Arc;

use miras_core::{AlgorithmKind, GateSpec, LeastSquares, MemoryAlgorithm, Part, table_of};
use serde::{Deserialize, Serialize};

use crate::step_size::{STEP_KEYS, StepSize, check};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "newton",
    summary: "The exact minimum of the squared error over all tokens so far, decayed: Mesa.",
    formula: "A_t = a_t A_{t-1} - theta_t G_t(W_0),  H_t = a_t H_{t-1} + theta_t k_t^T k_t,  W_t = W_0 + (H_t + ridge)^-1 A_t",
    reference: "MesaNet, arXiv 2506.05233",
    keys: &[
        (
            "step_max",
            "largest weight theta of a token in the sum of errors (its scale with step = \"rate\"), 0 (never writes) or above; default 1",
        ),
        STEP_KEYS[1],
        (
            "ridge",
            "weight of the distance from the initial weights, from 1e-3 to 1e6; default 1",
        ),
        (
            "iterations",
            "steps of conjugate gradients for each query, and for each gradient of one, from 1 to 1024; default 30; near ridge = 1, exact up to rounding from the number of a key's features on; with fewer, or a small ridge, outputs and their gradients are approximate",
        ),
    ],
    variants: &[
        "iterations = 200",
        "step = 'fixed'\nstep_max = 0.7\nridge = 2.0\niterations = 300",
    ],
    build: |section| {
        let newton = section.part::<Newton>()?;
        check(section, newton.step_max)?;
        if !(1e-3..=1e6).contains(&newton.ridge) {
            let message = "ridge must be from 1e-3 to 1e6";
            let help =
                "1 suits keys of length 1; less trusts the tokens more, more stays nearer to the initial weights".to_owned();
            return Err(section.error("ridge", message, Some(help)));
        }
        if !(1..=MOST).contains(&newton.iterations) {
            let message = format!("iterations must be from 1 to {MOST}");
            let help = "the default is 30; as many as a key has features are exact up to rounding"
                .to_owned();
            return Err(section.error("iterations", message, Some(help)));
        }
        Ok(Arc::new(newton))
    },
};

/// More are nobody's intention.
const MOST: usize = 1024;

/// The minimum of the squared error over all tokens.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t G_t`, `H_t = a_t H_{t−1} + θ_t k_tᵀ k_t`, `W_t = W_0 + (H_t + λ)⁻¹ A_t`, with
/// the gradient `G_t = k_tᵀ (k_t W_0 − v_t)` at the initial weights: the minimum of
/// `Σ_i (∏_{i<s≤t} a_s) θ_i |k_i W − v_i|² + λ |W − W_0|²`, that is one Newton step, to which recursive
/// least squares come token by token.
///
/// # Shapes
/// `H`: a slot of `[1, g, d_k, d_k]`.
///
/// # Reference
/// `MesaNet` (arXiv 2506.05233).
///
/// # Notes
/// - Exact at any chunk size: the state is two decayed sums, and nothing in a chunk waits for anything
///   else. Queries of all chunks go through the inverse together, by conjugate gradients with a fixed
///   number of iterations; so do the gradients of outputs.
/// - With too few iterations, or a ridge far below 1, outputs are approximate, and so are their
///   gradients, which are of another solve of as many iterations.
/// - The paper has `W_0 = 0` (`memory.start = "zero"`), `θ` and `a` as sigmoids, and learns λ for each
///   feature, at least 0.25 and 1 at first; here it is a number.
/// - It is for a matrix under `l2`, or for the last map of a deep memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Newton {
    /// Largest weight of a token, ≥ 0.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// λ.
    pub ridge: f64,
    /// Steps of conjugate gradients.
    pub iterations: usize,
}

impl Default for Newton {
    fn default() -> Self {
        Self {
            step_max: 1.0,
            step: StepSize::Input,
            ridge: 1.0,
            iterations: 30,
        }
    }
}

impl MemoryAlgorithm for Newton {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.step.gate(self.step_max, false)]
    }

    fn slots(&self) -> usize {
        1
    }

    fn slot_shape(&self, [d_in, _]: [usize; 2]) -> [usize; 2] {
        [d_in, d_in]
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::LeastSquares(LeastSquares {
            ridge: self.ridge,
            iterations: self.iterations,
        })
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
