//! The numbers that a model carries along a sequence.

use miras_engine::cost;

use super::Sizes;
use crate::ModelSpec;

/// Numbers in the state of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateNumbers {
    /// However long the sequence is: memories, slots, open chunks at their largest, and the last
    /// inputs of the convolutions.
    pub fixed: usize,
    /// More for every token of the past: keys and values of attention.
    pub per_token: usize,
}

/// The state of one sequence.
pub fn state(spec: &ModelSpec) -> StateNumbers {
    let sizes = Sizes::of(spec);
    let layers = spec.config.layers;
    let tails = 3 * sizes.taps.saturating_sub(1) * sizes.inner;
    let (memory, per_token) = match sizes.memory {
        Some(choice) => {
            let one = cost::state(&choice.rule, sizes.head).total();
            (sizes.heads * one, 0)
        }
        None => (0, 2 * sizes.inner),
    };
    StateNumbers {
        fixed: layers * (tails + memory),
        per_token: layers * per_token,
    }
}
