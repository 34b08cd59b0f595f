//! The state cap.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Bound, RuleCost, StepRule, StepRulePart, rows};

pub(super) const PART: StepRulePart = StepRulePart {
    key: "state_cap",
    meaning: "largest norm of a map's state at the end of each full chunk; 0 (default) turns it off; chunk_start only",
    default: |_, _, _| 0.0,
    settings: &[],
    build: |cap, _| Arc::new(StateCap(cap)),
};

/// The largest Frobenius norm of a map's state at the end of a full chunk.
///
/// # Formula
/// `A ← A · min(1, cap/‖A‖_F)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateCap(pub f64);

impl StepRule for StateCap {
    fn of_state(&self, state: Tensor<4>) -> Tensor<4> {
        let norm = rows::frobenius_norm(state.clone());
        state * norm.recip().mul_scalar(self.0).clamp_max(1.0)
    }

    fn bound(&self) -> Option<Bound> {
        Some(Bound::State(self.0))
    }

    fn computes(&self) -> RuleCost {
        RuleCost::StateNorms
    }

    fn config(&self) -> (&'static str, f64) {
        (PART.key, self.0)
    }
}
