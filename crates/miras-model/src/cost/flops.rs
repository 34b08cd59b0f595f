//! The matrix products of a model.

use miras_engine::cost::{Flops, Needs::Both};

use crate::ModelSpec;

/// The products of a sequence of `tokens` tokens from a new state on, head included.
///
/// Looking up the embedding, convolutions and all elementwise work are no products.
pub fn flops(spec: &ModelSpec, vocab: usize, tokens: usize) -> Flops {
    let dim = spec.config.dim;
    let project = |from: usize, to: usize| Flops::product(tokens, from, to, Both);
    let feed_forward = project(dim, spec.config.ffn_dim.unwrap_or(0)) * 3.0;
    spec.mixers()
        .fold(project(dim, vocab), |all, (count, mixer)| {
            all + (mixer.flops(tokens) + feed_forward) * count as f64
        })
}
