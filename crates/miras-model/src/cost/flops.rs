//! The matrix products of a model.

use miras_engine::cost::{self, Flops, Needs::Both};

use super::{Memory, Sizes, sizes};
use crate::ModelSpec;

/// The products of a sequence of `tokens` tokens from a new state on, head included.
///
/// Attention is counted as it is computed, over the whole square of tokens. Looking up the
/// embedding, convolutions and all elementwise work are no products.
pub fn flops(spec: &ModelSpec, vocab: usize, tokens: usize) -> Flops {
    let project = |from: usize, to: usize| Flops::product(tokens, from, to, Both);
    let head = project(spec.config.dim, vocab);
    sizes(spec).fold(head, |all, (count, sizes)| {
        let feed_forward = project(sizes.dim, sizes.ffn) * 3.0;
        all + (mixer(&sizes, tokens) + feed_forward) * count as f64
    })
}

fn mixer(sizes: &Sizes, tokens: usize) -> Flops {
    let Sizes {
        dim, inner, heads, ..
    } = *sizes;
    let project = |to: usize| Flops::product(tokens, dim, to, Both);
    let Some(Memory { choice, program }) = &sizes.memory else {
        let scores = Flops::product(tokens, sizes.head, tokens, Both);
        return project(inner) * 4.0 + scores * (2 * heads) as f64;
    };
    let memory = cost::flops(&choice.rule, program, tokens);
    project(inner) * 5.0 + project(sizes.projected() * heads) + memory * heads as f64
}
