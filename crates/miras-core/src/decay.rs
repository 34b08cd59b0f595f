//! What is kept of a state from token to token.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Side, rows};

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

/// The decays of the tokens of chunks.
#[derive(Debug, Clone)]
pub struct LogDecay {
    /// `log a_t`, `[n, g, c, 1]` or, per channel, `[n, g, c, d]`.
    pub log: Tensor<4>,
    /// Which channels; none for one decay of the whole state.
    pub channels: Option<Side>,
}

impl LogDecay {
    /// One decay of the whole state, `log: [n, g, c, 1]`.
    pub fn of_heads(log: Tensor<4>) -> Self {
        let channels = None;
        Self { log, channels }
    }

    /// The largest of the channels' decays, which bounds what is left of a write:
    /// `[n, g, c, 1]`.
    pub fn largest(&self) -> Tensor<4> {
        rows::largest_channel(self.log.clone())
    }
}
