//! The surprise gate.

use std::sync::Arc;

use burn::tensor::{Tensor, activation::sigmoid, s};
use miras_core::{
    Carry, ChunkTokens, Program, RuleCost, RuleSetting, RuleValues, StepRule, StepRulePart,
    TokenWrite, decay_matrix,
};
use toml::Value;

pub(super) const PART: StepRulePart = StepRulePart {
    key: "surprise_threshold",
    meaning: "tau of the surprise gate, by which a token is written as far as the moving average of the norms of inner gradients is above it; 0 (default) turns it off; not with exact solves, that is form = \"exact\" with bias \"dot\" or \"l2\"",
    default: |_, _, _| 0.0,
    settings: &[
        RuleSetting {
            key: "surprise_softness",
            meaning: "alpha of the surprise gate: how far above the threshold a token is written by 73 %; above 0; default half of surprise_threshold",
            values: RuleValues::Number {
                holds: |alpha| alpha > 0.0 && alpha.is_finite(),
                range: "a finite number above 0",
            },
            default: |threshold| threshold / 2.0,
        },
        RuleSetting {
            key: "surprise_average",
            meaning: "beta of the moving average of the surprise gate, from 0 to below 1: with 0 each token is gated by its own norm alone; default 0.5",
            values: RuleValues::Number {
                holds: |beta| (0.0..1.0).contains(&beta),
                range: "from 0 to below 1",
            },
            default: |_| 0.5,
        },
        RuleSetting {
            key: "surprise_hard",
            meaning: "whether the surprise gate writes a token whole or not at all, with the gradient of the soft gate; default false",
            values: RuleValues::Switch,
            default: |_| 0.0,
        },
    ],
    build: |threshold, settings| {
        let &[softness, average, hard] = settings else {
            panic!("a value for each setting");
        };
        Arc::new(SurpriseGate {
            threshold,
            softness,
            average,
            hard: hard != 0.0,
        })
    },
};

/// Tokens are written as far as the memory is surprised.
///
/// # Formula
/// `s̄_t = β s̄_{t−1} + (1 − β) ‖∇ℓ_t‖_F` over all maps, with `s̄_0 = 0`; `w_t = σ((s̄_t − τ)/α)`;
/// `θ_t ← w_t θ_t`. A hard gate has `w_t = 1` where `s̄_t > τ` and 0 elsewhere, with the derivatives
/// of the soft one (straight through).
///
/// The decay does not follow `w`: coefficients are made of gates before any gradient is known.
///
/// # Reference
/// The norm is the momentary surprise of Titans (arXiv 2501.00663), Eq. 8; a gate by it is this
/// project's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurpriseGate {
    /// τ.
    pub threshold: f64,
    /// α > 0.
    pub softness: f64,
    /// β, in `[0, 1)`; with 0 nothing is carried.
    pub average: f64,
    /// Whether `w` is 0 or 1.
    pub hard: bool,
}

impl SurpriseGate {
    fn gated(self, step: Tensor<4>, surprise: Tensor<4>) -> Tensor<4> {
        let above = surprise.sub_scalar(self.threshold);
        let soft = sigmoid(above.clone().div_scalar(self.softness));
        if !self.hard {
            return step * soft;
        }
        let hard = soft.zeros_like().mask_fill(above.greater_elem(0.0), 1.0);
        // The difference is 0 to the last bit, and has the derivative of the soft gate.
        step * (hard + (soft.clone() - soft.detach()))
    }
}

impl StepRule for SurpriseGate {
    fn of_token(
        &self,
        step: Tensor<4>,
        written: &[TokenWrite],
        _program: &Program,
        carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let surprise = carried.cloned().unwrap_or_else(|| {
            let own = written.last().expect("the token itself");
            own.gradient_norm()
        });
        self.gated(step, surprise)
    }

    fn of_chunk(
        &self,
        step: Tensor<4>,
        chunk: &ChunkTokens<'_>,
        carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let surprise = carried.cloned().unwrap_or_else(|| chunk.gradient_norms());
        self.gated(step, surprise)
    }

    fn carry(&self) -> Option<&dyn Carry> {
        (self.average > 0.0).then_some(self)
    }

    fn is_local(&self) -> bool {
        true
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn computes(&self) -> RuleCost {
        if self.average > 0.0 {
            RuleCost::AveragedNorms
        } else {
            RuleCost::GradientNorms
        }
    }

    fn config(&self) -> (&'static str, f64) {
        (PART.key, self.threshold)
    }

    fn settings(&self) -> Vec<Value> {
        vec![self.softness.into(), self.average.into(), self.hard.into()]
    }
}

impl Carry for SurpriseGate {
    fn numbers(&self) -> usize {
        1
    }

    fn after_token(&self, before: Tensor<4>, written: &[TokenWrite]) -> Tensor<4> {
        let own = written.last().expect("the token itself").gradient_norm();
        before.mul_scalar(self.average) + own.mul_scalar(1.0 - self.average)
    }

    /// `s̄_t = β^t s̄_0 + (1 − β) Σ_{i≤t} β^(t−i) ‖∇ℓ_i‖`, `t` from 1 on.
    fn after_each(&self, before: Tensor<4>, chunk: &ChunkTokens<'_>) -> Tensor<4> {
        let norms = chunk.gradient_norms();
        let c = norms.dims()[2];
        let log = Tensor::zeros([1, 1, c, 1], (&norms.device(), norms.dtype()));
        let powers = decay_matrix(log.add_scalar(self.average.ln()));
        let carried = powers.clone().slice(s![.., .., .., 0..1]);
        // Memories side by side: the powers are those of all.
        let own = powers.matmul(norms.swap_dims(1, 3)).swap_dims(1, 3);
        before * carried.mul_scalar(self.average) + own.mul_scalar(1.0 - self.average)
    }
}
