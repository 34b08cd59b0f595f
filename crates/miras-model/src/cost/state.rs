//! The numbers that a model carries along a sequence.

use miras_engine::cost;

use super::{Memory, sizes};
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
    for (count, sizes) in sizes(spec) {
        let tails = 3 * sizes.taps.saturating_sub(1) * sizes.inner;
        numbers.fixed += count * tails;
        match &sizes.memory {
            Some(Memory { choice, program }) => {
                let one = cost::state(&choice.rule, program).total();
                numbers.fixed += count * sizes.heads * one;
            }
            None => numbers.per_token += count * 2 * sizes.inner,
        }
    }
    numbers
}
