//! What step rules carry along a sequence, from token to token.

use burn::tensor::{Tensor, s};
use miras_core::Carry;

use crate::{Initial, Past, Rule};

/// What the rules carry, of each that carries something, in their order.
pub(crate) fn carriers(rule: &Rule) -> impl Iterator<Item = &dyn Carry> {
    let rules = rule.settings.rules().iter();
    rules.filter_map(|rule| rule.carry())
}

/// Numbers of one memory.
pub(crate) fn numbers(rule: &Rule) -> usize {
    carriers(rule).map(Carry::numbers).sum()
}

/// Before the first token of a sequence.
pub(crate) fn new(rule: &Rule, initial: &Initial) -> Vec<Tensor<4>> {
    let like = &initial.maps[0];
    let g = like.dims()[1];
    carriers(rule)
        .map(|carry| Tensor::zeros([1, g, 1, carry.numbers()], (&like.device(), like.dtype())))
        .collect()
}

/// What a chunk hands on, out of what is carried after each of its tokens, `[1, g, c, n]`: what
/// stands before the first token that is in a window of the next chunk.
pub(crate) fn handed_on(rule: &Rule, after_each: &[Tensor<4>]) -> Vec<Tensor<4>> {
    (after_each.iter())
        .map(|x| {
            let last = x.dims()[2] - Past::tokens(rule);
            x.clone().slice(s![.., .., last - 1..last, ..])
        })
        .collect()
}
