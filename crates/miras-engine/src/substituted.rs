//! Exact gradients of a matrix under any bias: forward substitution on the products of keys.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, MapState, Rows, STEP};

use crate::{
    Initial, Rule,
    source::{SpanTokens, Sweep},
    split::{split, split_gates, split_rows},
    steps::grad_capped,
};

/// Tokens that are substituted one by one before their writes reach later ones as a product:
/// it bounds what the backward pass of taking single rows costs.
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
        let coupling = before.writes.clone() * k.clone().matmul(k.clone().transpose());
        let mut gates = split_gates(&gates, n).into_iter();
        let mut before = split_rows(before).into_iter();
        let mut coupling = split(coupling).into_iter();
        (split(k).into_iter().zip(split(v)))
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
    pub(crate) fn at(self, rule: &Rule, initial: &Initial, map: &MapState) -> Sweep {
        let c = self.k.dims()[2];
        let mut base = self.k.clone().matmul(map.weights.clone()) * self.before.carry.clone();
        for (slot, share) in map.slots.iter().zip(&self.before.slots) {
            base = base + self.k.clone().matmul(slot.clone()) * share.clone();
        }
        if rule.retention.is_anchored() {
            base = base + self.k.clone().matmul(initial.maps[0].clone());
        }

        let mut d = Vec::with_capacity(c);
        let mut u: Vec<Tensor<4>> = Vec::with_capacity(c);
        let mut steps = Vec::with_capacity(c);
        for start in (0..c).step_by(BLOCK) {
            let end = (start + BLOCK).min(c);
            let block = |x: &Tensor<4>| x.clone().slice(s![.., .., start..end, ..]);
            let (k, v, gates) = (
                block(&self.k),
                block(&self.v),
                self.gates.tokens(start, end),
            );
            let (mut known, coupling) = (block(&base), block(&self.coupling));
            if start > 0 {
                let earlier = coupling.clone().slice(s![.., .., .., 0..start]);
                known = known - earlier.matmul(Tensor::cat(u.clone(), 2));
            }
            for t in 0..end - start {
                let row = |x: &Tensor<4>| x.clone().slice(s![.., .., t..t + 1, ..]);
                let mut y = row(&known);
                if t > 0 {
                    let inside = row(&coupling).slice(s![.., .., .., start..start + t]);
                    y = y - inside.matmul(Tensor::cat(u[start..].to_vec(), 2));
                }
                let gates = gates.tokens(t, t + 1);
                let gradient = rule.bias.gradient(y, row(&v), &gates);
                let factors = [Factor {
                    x: row(&k),
                    d: gradient.clone(),
                }];
                let step = grad_capped(gates.get(STEP), rule.settings.grad_cap, &factors, 1);
                u.push(gradient.clone() * step.clone());
                d.push(gradient);
                steps.push(step);
            }
        }
        Sweep {
            factors: vec![Factor {
                x: self.k,
                d: Tensor::cat(d, 2),
            }],
            step: Tensor::cat(steps, 2),
        }
    }
}
