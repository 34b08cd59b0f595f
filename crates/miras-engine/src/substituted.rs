//! Exact gradients of a matrix under any bias: forward substitution on the products of keys.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, MapState, Rows, STEP, Side};

use crate::{
    Initial, Rule,
    span::{ChunkGradients, SpanTokens},
    split::{lengths, split, split_chunks, split_gates},
    steps::of_one,
};

/// Tokens that are substituted one by one before their writes reach later ones as a product:
/// it bounds what is put side by side again for every token.
pub(crate) const BLOCK: usize = 16;

/// One chunk, `y_t = k_t W_{t−1} = base_t − Σ_{i<t} coupling_ti u_i`.
pub(crate) struct Substituted {
    k: Tensor<4>,
    v: Tensor<4>,
    gates: Gates,
    before: Rows,
    coupling: Tensor<4>,
}

impl Substituted {
    /// The chunks of a span; `before` are the rows of the states before each token.
    pub(crate) fn of_span(tokens: SpanTokens, before: Rows) -> Vec<Self> {
        let SpanTokens { k, v, gates, .. } = tokens;
        let n = k.dims()[0];
        let coupling = before.coupling(k.clone(), &k, Side::Key);
        let coupling = coupling.expect("no channels of values, or there is no exact form");
        let mut gates = split_gates(&gates, 0, &vec![1; n]).into_iter();
        let mut before = before.split(split_chunks).into_iter();
        let mut coupling = split_chunks(coupling).into_iter();
        (split_chunks(k).into_iter().zip(split_chunks(v)))
            .map(|(k, v)| Self {
                k,
                v,
                gates: gates.next().expect("one per chunk"),
                before: before.next().expect("one per chunk"),
                coupling: coupling.next().expect("one per chunk"),
            })
            .collect()
    }

    /// `O(c² d)` and never a matrix a token, but `c` steps in a row.
    pub(crate) fn at(
        &self,
        rule: &Rule,
        initial: &Initial,
        map: &MapState,
        carried: &[Tensor<4>],
    ) -> ChunkGradients {
        let c = self.k.dims()[2];
        let start = |k: Tensor<4>| k.matmul(map.weights.clone());
        let mut base = self.before.carried(&self.k, Side::Key, start);
        for (slot, share) in map.slots.iter().zip(&self.before.slots) {
            base = base + self.k.clone().matmul(slot.clone()) * share.clone();
        }
        if rule.retention.is_anchored() {
            base = base + self.k.clone().matmul(initial.maps[0].clone());
        }

        let mut d = Vec::with_capacity(c);
        let mut u: Vec<Tensor<4>> = Vec::with_capacity(c);
        let mut steps = Vec::with_capacity(c);
        let mut carried = carried.to_vec();
        let mut after_each = vec![Vec::with_capacity(c); carried.len()];
        let lengths = lengths(c, BLOCK);
        let blocks = |x: &Tensor<4>| split(x.clone(), 2, &lengths).into_iter();
        let blocks = (blocks(&self.k).zip(blocks(&self.v)))
            .zip(blocks(&base).zip(blocks(&self.coupling)))
            .zip(split_gates(&self.gates, 2, &lengths));
        for (((k, v), (mut known, coupling)), gates) in blocks {
            let (start, count) = (u.len(), k.dims()[2]);
            if start > 0 {
                let earlier = coupling.clone().slice(s![.., .., .., ..start]);
                known = known - earlier.matmul(Tensor::cat(u.clone(), 2));
            }
            let inside = coupling.slice(s![.., .., .., start..start + count]);
            let ones = vec![1; count];
            let rows = |x: Tensor<4>| split(x, 2, &ones).into_iter();
            let tokens = (rows(k).zip(rows(v)))
                .zip(rows(known).zip(rows(inside)))
                .zip(split_gates(&gates, 2, &ones));
            for (t, (((k, v), (mut y, inside)), gates)) in tokens.enumerate() {
                if t > 0 {
                    // A slice of a row: the row is no longer than a block.
                    let inside = inside.slice(s![.., .., .., ..t]);
                    y = y - inside.matmul(Tensor::cat(u[start..].to_vec(), 2));
                }
                let gradient = rule.bias.gradient_at(y, v, &gates);
                let factor = Factor {
                    x: k,
                    d: gradient.clone(),
                };
                let step = gates.get(STEP);
                let one = of_one(rule, &initial.program, step, factor, &carried);
                u.push(gradient.clone() * one.step.clone());
                d.push(gradient);
                steps.push(one.step);
                carried = one.carried;
                for (all, after) in after_each.iter_mut().zip(&carried) {
                    all.push(after.clone());
                }
            }
        }
        ChunkGradients {
            factors: vec![Factor {
                x: self.k.clone(),
                d: Tensor::cat(d, 2),
            }],
            step: Tensor::cat(steps, 2),
            channels: rule.step_channels(),
            carried: (after_each.into_iter())
                .map(|after| Tensor::cat(after, 2))
                .collect(),
        }
    }
}
