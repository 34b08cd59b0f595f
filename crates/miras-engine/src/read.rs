//! Reading a memory without writing.

use burn::tensor::Tensor;
use miras_core::{MapState, STEP, Weights};

use crate::{Initial, Open, Rule, State, source::Sweep, steps::Steps, write::after_chunk};

/// Runs queries through a memory as it stands after its last token, whatever the read rule; it is
/// neither written nor decayed.
///
/// # Shapes
/// `q: [1, g, t, d_k]`, result: `[1, g, t, d_v]`.
pub fn read(rule: &Rule, initial: &Initial, state: &State, q: Tensor<4>) -> Tensor<4> {
    let weights = Weights {
        maps: &rule.weights(&closed(rule, initial, state), initial),
        gains: &initial.gains,
    };
    rule.memory.forward(&initial.program, &weights, q)
}
/// The maps as if the open chunk ended with its last token.
fn closed(rule: &Rule, initial: &Initial, state: &State) -> Vec<MapState> {
    let Some(Open { sweeps, gates }) = &state.open else {
        return state.maps.clone();
    };
    let log_decay = rule.retention.log_decay(gates, &gates.get(STEP));
    let coefficients = rule.algorithm.coefficients(log_decay, gates);
    let steps = Steps {
        step: gates.get(STEP),
        damping: rule.algorithm.damping(gates),
        decay: coefficients.decay,
    };
    let factors = sweeps.last().expect("a chunk has gradients").clone();
    let step = steps.capped(&rule.settings, &initial.program, &factors);
    let writes = Sweep { factors, step }.writes();
    after_chunk(rule, &state.maps, &coefficients.end, &writes)
}
