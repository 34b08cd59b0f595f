//! The numbers that a model carries along a sequence.

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
    let mut numbers = StateNumbers {
        fixed: 0,
        per_token: 0,
    };
    for (count, mixer) in spec.mixers() {
        let own = mixer.state();
        numbers.fixed += count * own.fixed;
        numbers.per_token += count * own.per_token;
    }
    numbers
}
