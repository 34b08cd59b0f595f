//! What a model's forward pass keeps for its backward pass.
//!
//! Counted by the rule of [`miras_engine::cost::kept`], operation by operation.

use miras_engine::cost;

use super::{Memory, Sizes, sizes};
use crate::ModelSpec;

/// A root mean square norm, a feature: input, scaled input, output.
const NORM: usize = 3;
/// A gate `f(z)` of a token and head, with what makes it from its projection.
const GATE: usize = 6;

/// Numbers kept by a forward pass over one sequence of `tokens` tokens, loss included.
pub fn kept(spec: &ModelSpec, vocab: usize, tokens: usize) -> usize {
    // The head's logits are kept as the loss shifts them.
    let head = tokens * (NORM * spec.config.dim + vocab);
    sizes(spec).fold(head, |all, (count, sizes)| {
        // Gate, its sigmoid, the SiLU, the other factor, their product.
        let feed_forward = NORM * sizes.dim + 5 * sizes.ffn;
        let layer = tokens * (NORM * sizes.dim + feed_forward) + mixer(&sizes, tokens);
        all + count * layer
    })
}

fn mixer(sizes: &Sizes, tokens: usize) -> usize {
    let inner = sizes.inner;
    let convolutions = 3 * inner * usize::from(sizes.taps > 0);
    // A `SiLU` keeps its input and its sigmoid.
    let activations = 3 * 2 * inner * usize::from(sizes.activated);
    let Some(Memory { choice, program }) = &sizes.memory else {
        // Queries, keys and values; scores shifted, raised and divided; what is read.
        let scores = 3 * sizes.heads * tokens;
        return tokens * (convolutions + activations + 3 * inner + scores + inner);
    };
    let gates = GATE * sizes.heads * sizes.gate_widths(|_| true);
    // Queries and keys before they get their length.
    let features = activations + 2 * inner;
    // What is read, twice on its way through the norm, the output gate in three steps, the product.
    let output = 7 * inner;
    let memory = cost::kept(&choice.rule, program, tokens);
    tokens * (convolutions + gates + features + output) + sizes.heads * memory
}
