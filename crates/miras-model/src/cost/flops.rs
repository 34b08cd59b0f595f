//! The matrix products of a model.

use miras_engine::cost::{Flops, Needs::Both};

use crate::{Ends, ModelSpec};

/// The products of a sequence of `tokens` tokens from a new state on, encoder and head included.
///
/// Looking up the embedding, convolutions and all elementwise work are no products.
pub fn flops(spec: &ModelSpec, ends: impl Into<Ends>, tokens: usize) -> Flops {
    let (dim, ends) = (spec.config.dim, ends.into());
    let project = |from: usize, to: usize| Flops::product(tokens, from, to, Both);
    let feed_forward = project(dim, spec.config.ffn_dim.unwrap_or(0)) * 3.0;
    let head = Flops::product(ends.places(tokens), dim, ends.outputs(), Both);
    let encoder = Flops::product(tokens, ends.patch(), dim, Both);
    spec.mixers().fold(encoder + head, |all, (count, mixer)| {
        all + (mixer.flops(tokens) + feed_forward) * count as f64
    })
}
