//! The gradient cap.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Bound, ChunkTokens, Program, RuleCost, StepRule, StepRulePart, TokenWrite};

pub(super) const PART: StepRulePart = StepRulePart {
    key: "grad_cap",
    meaning: "largest norm of one token's inner gradient; 0 (default, but for biases whose gradient grows faster than the error and retention \"private\": 3) turns it off; not with exact solves, that is form = \"exact\" with bias \"dot\" or \"l2\"",
    // 3: docs/architecture.md, Measured defaults.
    default: |_, bias, retention| {
        if bias.is_superlinear() || retention.noise().is_some() {
            3.0
        } else {
            0.0
        }
    },
    settings: &[],
    build: |cap, _| Arc::new(GradCap(cap)),
};

/// The largest Frobenius norm of one token's inner gradient, over all maps.
///
/// # Formula
/// `θ_t ← θ_t · min(1, cap/‖∇ℓ_t‖_F)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradCap(pub f64);

impl GradCap {
    fn capped(self, step: Tensor<4>, norm: Tensor<4>) -> Tensor<4> {
        step * norm.recip().mul_scalar(self.0).clamp_max(1.0)
    }
}

impl StepRule for GradCap {
    fn of_token(
        &self,
        step: Tensor<4>,
        written: &[TokenWrite],
        _program: &Program,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let own = written.last().expect("the token itself");
        self.capped(step, own.gradient_norm())
    }

    fn of_chunk(
        &self,
        step: Tensor<4>,
        chunk: &ChunkTokens<'_>,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        self.capped(step, chunk.gradient_norms())
    }

    fn is_local(&self) -> bool {
        true
    }

    fn bound(&self) -> Option<Bound> {
        Some(Bound::Gradient(self.0))
    }

    fn computes(&self) -> RuleCost {
        RuleCost::GradientNorms
    }

    fn config(&self) -> (&'static str, f64) {
        (PART.key, self.0)
    }
}
