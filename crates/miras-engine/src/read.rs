//! Reading a memory without writing.

use burn::tensor::Tensor;
use miras_core::{MapState, Weights};

use crate::{
    Initial, Open, Rule, State,
    chunk_start::{WholeChunk, takes_several_steps},
    least_squares,
    steps::Steps,
    write::{ChunkState, after_chunk},
};

/// Runs queries through a memory as it stands after its last token, whatever the read rule; it is
/// neither written nor decayed.
///
/// # Shapes
/// `q: [1, g, t, d_k]`, result: `[1, g, t, d_v]`.
pub fn read(rule: &Rule, initial: &Initial, state: &State, q: Tensor<4>) -> Tensor<4> {
    if let Some(by) = rule.least_squares() {
        return least_squares::read(by, initial, &state.maps[0], None, q);
    }
    let weights = Weights {
        maps: &rule.weights(&closed(rule, initial, state), initial),
        gains: &initial.gains,
    };
    rule.memory.forward(&initial.program, &weights, q)
}

/// The maps as if the open chunk ended with its last token.
fn closed(rule: &Rule, initial: &Initial, state: &State) -> Vec<MapState> {
    let Some(Open {
        iterations,
        gates,
        tokens,
    }) = &state.open
    else {
        return state.maps.clone();
    };
    let past = state.past.as_ref().map(|past| &past.gates);
    let coefficients = rule.coefficients(rule.log_decay(gates), gates, past);
    let all_gates = match past {
        Some(past) => &past.clone().followed_by(gates.clone()),
        None => gates,
    };
    let steps = Steps::of(rule, all_gates, &coefficients.decay);
    let factors = iterations.last().expect("a chunk has gradients").clone();
    let ruled = steps.ruled(rule, &initial.program, factors, &state.carried);
    let several = tokens.clone().filter(|_| takes_several_steps(rule));
    let whole = several.map(|(k, v)| WholeChunk {
        k,
        v,
        gates: gates.clone(),
        steps,
    });
    let chunk = ChunkState {
        maps: &state.maps,
        end: &coefficients.end,
        gates,
        writes: &ruled.writes(),
        whole: whole.as_ref(),
        carried: &state.carried,
        position: None,
    };
    after_chunk(rule, initial, chunk)
}
