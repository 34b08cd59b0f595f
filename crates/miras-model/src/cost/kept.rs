//! What a model's forward pass keeps for its backward pass.
//!
//! Counted by the rule of [`miras_engine::cost::kept`], operation by operation.

use super::NORM;
use crate::ModelSpec;

/// Numbers kept by a forward pass over one sequence of `tokens` tokens, loss included, with those that
/// one layer at a time computes again; `kernels` says whether it runs on burn's own CPU backend, where
/// the inner loop has kernels.
pub fn kept(spec: &ModelSpec, vocab: usize, tokens: usize, kernels: bool) -> usize {
    let dim = spec.config.dim;
    // Gate, its sigmoid, the SiLU, the other factor, their product.
    let feed_forward = NORM * dim + 5 * spec.config.ffn_dim.unwrap_or(0);
    // The head's logits are kept as the loss shifts them.
    let head = tokens * (NORM * dim + vocab);
    let again = (spec.mixers()).map(|(_, mixer)| mixer.again(tokens, kernels));
    let once = head + again.max().unwrap_or(0);
    spec.mixers().fold(once, |all, (count, mixer)| {
        let layer = tokens * (NORM * dim + feed_forward) + mixer.kept(tokens, kernels);
        all + count * layer
    })
}
