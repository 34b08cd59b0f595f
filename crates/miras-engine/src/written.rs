//! The weights of every token written out: what a nonlinear link needs where nothing is approximated.

use burn::tensor::Tensor;
use miras_core::{Factor, MapState, Maps, Rows};

use crate::{Initial, Rule};

/// Row `t` goes through `Λ([A_init +] A_t)`, with `A_t` as in [`crate::maps::DualMaps`].
///
/// Costs `d_in · d_out` numbers a token and map.
pub(crate) struct WrittenMaps<'a> {
    /// Per map `[n, g·c, d_in, d_out]`.
    weights: Vec<Tensor<4>>,
    initial: &'a Initial,
}

impl<'a> WrittenMaps<'a> {
    /// Starts, writes and rows as in [`crate::maps::DualMaps`].
    pub(crate) fn new(
        rule: &Rule,
        initial: &'a Initial,
        starts: &[MapState],
        writes: &[Factor],
        rows: &Rows,
    ) -> Self {
        let anchors = rule.anchors(initial);
        let weights = (starts.iter().zip(writes).enumerate())
            .map(|(l, (start, write))| {
                let anchor = anchors.as_ref().map(|anchors| &anchors[l]);
                rule.retention.link(states(start, write, rows, anchor))
            })
            .collect();
        Self { weights, initial }
    }
}

/// Each token's rows through its own matrix.
fn through(x: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let [n, g, rows, width] = x.dims();
    let [_, memories, _, out] = weights.dims();
    x.reshape([n, memories, rows * g / memories, width])
        .matmul(weights)
        .reshape([n, g, rows, out])
}

impl Maps for WrittenMaps<'_> {
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4> {
        through(z, self.weights[l].clone())
    }

    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4> {
        through(g, self.weights[l].clone().transpose())
    }

    fn gain(&self, i: usize) -> Tensor<4> {
        self.initial.gains[i].clone()
    }
}

/// `[A_init +] A_t`, `A_t = carry_t A_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`,
/// `[n, g·c, d_in, d_out]`.
fn states(start: &MapState, write: &Factor, rows: &Rows, anchor: Option<&Tensor<4>>) -> Tensor<4> {
    let [n, g, d_in, d_out] = start.weights.dims();
    let [_, _, tokens, written] = rows.writes.dims();
    let flat = |x: &Tensor<4>| x.clone().flatten::<3>(2, 3).unsqueeze_dim::<4>(2);
    let per_token = |x: &Tensor<4>| {
        let [_, _, all, width] = x.dims();
        x.clone().reshape([n, g * written, all / written, width])
    };
    let outer = per_token(&write.x)
        .transpose()
        .matmul(per_token(&write.d))
        .reshape([n, g, written, d_in * d_out]);

    let mut states = rows.carry.clone() * flat(&start.weights);
    for (slot, share) in start.slots.iter().zip(&rows.slots) {
        states = states + share.clone() * flat(slot);
    }
    states = states - rows.writes.clone().matmul(outer);
    if let Some(anchor) = anchor {
        states = states + flat(anchor);
    }
    states.reshape([n, g * tokens, d_in, d_out])
}
