//! The linear maps of every token of a chunk, never written out.

use burn::tensor::Tensor;
use miras_core::{Factor, MapState, Maps, Rows, rows};

use crate::{Initial, Rule, written::WrittenMaps};

/// Every token's own weights, `Λ([A_init +] A_t)`: never written out where the link is linear.
pub(crate) fn token_maps<'a>(
    rule: &Rule,
    initial: &'a Initial,
    starts: &'a [MapState],
    writes: &'a [Factor],
    rows: &'a Rows,
) -> Box<dyn Maps + 'a> {
    if rule.has_identity_link() {
        Box::new(DualMaps {
            initial,
            anchors: rule.anchors(initial),
            scales: None,
            starts,
            writes,
            rows,
        })
    } else {
        Box::new(WrittenMaps::new(rule, initial, starts, writes, rows))
    }
}

/// Row `t` goes through the weights of token `t`, `W_t = [s ·] ([A_init +] A_t)` with
/// `A_t = carry_t A_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`.
pub(crate) struct DualMaps<'a> {
    pub(crate) initial: &'a Initial,
    /// Per map the state of the initial weights, which the state is a distance from.
    pub(crate) anchors: Option<Vec<Tensor<4>>>,
    /// Per map the link's scale frozen at the chunk's start, `[n, g, 1, 1]`; none for 1.
    pub(crate) scales: Option<Vec<Tensor<4>>>,
    /// Chunk-start states, `[n, g, d_in, d_out]`.
    pub(crate) starts: &'a [MapState],
    /// Per map: inputs `x`, and gradients times step sizes `u` in the place of `d`.
    pub(crate) writes: &'a [Factor],
    pub(crate) rows: &'a Rows,
}

impl DualMaps<'_> {
    /// `writes` against `z xᵀ`: entries repeated where a token has several rows.
    fn weigh(&self, overlap: Tensor<4>) -> Tensor<4> {
        let [_, _, tokens, chunk] = self.rows.writes.dims();
        let [_, _, rows_out, rows_in] = overlap.dims();
        let by = rows::repeat(self.rows.writes.clone(), 2, rows_out / tokens);
        overlap * rows::repeat(by, 3, rows_in / chunk)
    }

    /// The product with a map's weights, of that with its state; `through` is the product with
    /// a fixed matrix.
    fn linked(
        &self,
        l: usize,
        through_state: Tensor<4>,
        through: impl Fn(&Tensor<4>) -> Tensor<4>,
    ) -> Tensor<4> {
        let y = match &self.anchors {
            Some(anchors) => through_state + through(&anchors[l]),
            None => through_state,
        };
        match &self.scales {
            Some(scales) => y * scales[l].clone(),
            None => y,
        }
    }
}

impl Maps for DualMaps<'_> {
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4> {
        let (start, Factor { x, d: u }) = (&self.starts[l], &self.writes[l]);
        let through = |w: &Tensor<4>| z.clone().matmul(w.clone());

        let mut y = rows::scale(through(&start.weights), &self.rows.carry);
        for (slot, share) in start.slots.iter().zip(&self.rows.slots) {
            y = y + rows::scale(through(slot), share);
        }
        y = y - (self.weigh(through(&x.clone().transpose()))).matmul(u.clone());
        self.linked(l, y, through)
    }

    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4> {
        let (start, Factor { x, d: u }) = (&self.starts[l], &self.writes[l]);
        let through = |w: &Tensor<4>| g.clone().matmul(w.clone().transpose());

        let mut y = rows::scale(through(&start.weights), &self.rows.carry);
        for (slot, share) in start.slots.iter().zip(&self.rows.slots) {
            y = y + rows::scale(through(slot), share);
        }
        y = y - self.weigh(through(u)).matmul(x.clone());
        self.linked(l, y, through)
    }

    fn gain(&self, i: usize) -> Tensor<4> {
        self.initial.gains[i].clone()
    }
}

#[cfg(test)]
#[path = "maps_tests.rs"]
mod tests;
