//! The implicit step.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{ChunkTokens, Factor, Program, RuleCost, StepRule, StepRulePart, TokenWrite};

pub(super) const PART: StepRulePart = StepRulePart {
    key: "implicit",
    meaning: "kappa of the implicit step, theta/(1 + theta |x|^2/kappa), by which no token overshoots; 1 is the proximal step of Longhorn (a matrix under bias \"l2\"); 0 (default) turns it off",
    default: |_, _, _| 0.0,
    settings: &[],
    build: |kappa, _| Arc::new(Implicit(kappa)),
};

/// The step of implicit gradient descent, κ.
///
/// # Formula
/// `θ_t ← θ_t/(1 + θ_t|x_t|²/κ)` over the features `x` that enter the output maps, all rows of a
/// token together, so that `θ_t|x_t|² < κ`.
///
/// # Reference
/// Longhorn (arXiv 2407.14207), §3: the proximal step
/// `argmin ½|kW − v|² + |W − W′|²/(2θ)` of a matrix under the bias l2 is a step of gradient descent
/// from `W′` with `θ/(1 + θ|k|²)`, that is κ = 1 with `gd`; where there is decay, with
/// `retention.order = "before"`. Longhorn takes a diagonal part of it, and this is the whole. For
/// other memories and biases it is the step of normalised least mean squares, by the features of
/// their last maps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Implicit(pub f64);

impl Implicit {
    fn shrunk(self, step: Tensor<4>, program: &Program, factors: &[Factor]) -> Tensor<4> {
        let c = step.dims()[2];
        let load = program.output_maps().into_iter().map(|l| {
            let x = factors[l].x.clone();
            let [n, g, rows, d] = x.dims();
            let x = x.reshape([n, g, c, rows / c * d]);
            x.powi_scalar(2).sum_dim(3)
        });
        let load = load
            .reduce(|a, b| a + b)
            .expect("a memory has an output map");
        let excess = step.clone() * load.div_scalar(self.0);
        step / excess.add_scalar(1.0)
    }
}

impl StepRule for Implicit {
    fn of_token(
        &self,
        step: Tensor<4>,
        written: &[TokenWrite],
        program: &Program,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let own = &written.last().expect("the token itself").factors;
        self.shrunk(step, program, own)
    }

    fn of_chunk(
        &self,
        step: Tensor<4>,
        chunk: &ChunkTokens<'_>,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        self.shrunk(step, chunk.program, chunk.factors)
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_of_features(&self) -> bool {
        true
    }

    fn largest_load(&self) -> Option<f64> {
        Some(self.0)
    }

    fn computes(&self) -> RuleCost {
        RuleCost::Nothing
    }

    fn config(&self) -> (&'static str, f64) {
        (PART.key, self.0)
    }
}
