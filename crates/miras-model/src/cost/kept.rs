//! What a model's forward pass keeps for its backward pass.
//!
//! Counted by the rule of [`miras_engine::cost::kept`], operation by operation.

use super::of_norm;
use crate::{Ends, ModelSpec, language_model::PIECE};

/// Numbers kept by a forward pass over one sequence of `tokens` tokens, loss included, with those that
/// one layer at a time computes again; `kernels` says whether it runs on burn's own CPU backend, where
/// layers and the inner loop have kernels.
pub fn kept(spec: &ModelSpec, ends: impl Into<Ends>, tokens: usize, kernels: bool) -> usize {
    let (dim, ends) = (spec.config.dim, ends.into());
    let norm = of_norm(kernels) * dim;
    // Gate, its sigmoid, the SiLU, the other factor, their product; kernels need neither of the two
    // in the middle.
    let products = if kernels { 3 } else { 5 };
    let feed_forward = norm + products * spec.config.ffn_dim.unwrap_or(0);
    // The head's logits are kept as the loss shifts them, or the gradients of pieces of them.
    let (places, outputs) = (ends.places(tokens), ends.outputs());
    // Of pooled rows the norm's outputs, which are weighed, and the pool.
    let pooled = if places == tokens {
        0
    } else {
        (tokens + 1) * dim
    };
    let head = tokens * norm
        + pooled
        + match places * outputs {
            logits if logits > PIECE => PIECE + (places + outputs) * dim,
            logits => logits,
        };
    let again = (spec.mixers()).map(|(_, mixer)| mixer.again(tokens, kernels));
    let once = head + again.max().unwrap_or(0);
    spec.mixers().fold(once, |all, (count, mixer)| {
        let layer = tokens * (norm + feed_forward) + mixer.kept(tokens, kernels);
        all + count * layer
    })
}
