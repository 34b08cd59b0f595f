//! Axis 3: how the past is kept or forgotten.

use std::fmt::Debug;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{GateSpec, Gates};

/// Whether the decay of a token comes before or after its gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// `W_t = a_t W_{t−1} − θ_t ∇ℓ(W_{t−1})`: the surprise is measured with the
    /// memory before it forgets (Titans Eq. 13–14).
    After,
    /// `W̃ = a_t W_{t−1}; W_t = W̃ − θ_t ∇ℓ(W̃)`: measured with the decayed
    /// memory (Gated `DeltaNet`).
    Before,
}

/// A retention gate: the decay of the dual state, and the link from that state to weights.
///
/// The state of a map is `A`, always a linear recurrence `A_t = a_t A_{t−1} + S_t`;
/// the weights are `W = Λ(A)` (`maths.md` 1.2).
pub trait RetentionGate: Debug + Send + Sync {
    /// The data-dependent gates it reads.
    fn gates(&self) -> Vec<GateSpec> {
        Vec::new()
    }

    /// `log a_t`, `[n, g, t, 1]`; `like` gives shape and device where no gate does.
    fn log_decay(&self, gates: &Gates, like: &Tensor<4>) -> Tensor<4>;

    /// Whether anything is ever forgotten.
    fn forgets(&self) -> bool {
        true
    }

    /// When the decay acts.
    fn order(&self) -> Order {
        Order::After
    }

    /// Whether `A` is the distance from the initial weights, `W = W_init + A`,
    /// rather than the weights, `W = A`.
    fn is_anchored(&self) -> bool {
        false
    }

    /// The state of the initial weights, `Λ(A_0) = W_init`.
    fn initial(&self, weights: Tensor<4>) -> Tensor<4> {
        if self.is_anchored() {
            weights.zeros_like()
        } else {
            weights
        }
    }

    /// The weights of a state, `W = Λ(A)`.
    fn link(&self, state: Tensor<4>, initial: &Tensor<4>) -> Tensor<4> {
        if self.is_anchored() {
            state + initial.clone()
        } else {
            state
        }
    }

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}
