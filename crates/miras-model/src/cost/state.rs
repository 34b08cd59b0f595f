//! The numbers that a model carries along a sequence.

use super::StateNumbers;
use crate::ModelSpec;

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
