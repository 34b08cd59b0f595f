//! The linear maps of every token of a chunk, never written out (`maths.md` 5.3).

use burn::tensor::Tensor;
use miras_core::{Factor, MapState, Maps, Rows, rows};

use crate::Initial;

/// Row `t` goes through the weights of token `t`,
/// `W_t = [W_init +] carry_t A_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`.
pub(crate) struct DualMaps<'a> {
    pub(crate) initial: &'a Initial,
    /// Whether the state is the distance from the initial weights.
    pub(crate) anchored: bool,
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
}

impl Maps for DualMaps<'_> {
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4> {
        let (start, Factor { x, d: u }) = (&self.starts[l], &self.writes[l]);
        let through = |w: &Tensor<4>| z.clone().matmul(w.clone());

        let mut y = rows::scale(through(&start.weights), &self.rows.carry);
        for (slot, share) in start.slots.iter().zip(&self.rows.slots) {
            y = y + rows::scale(through(slot), share);
        }
        if self.anchored {
            y = y + through(&self.initial.maps[l]);
        }
        y - self
            .weigh(through(&x.clone().transpose()))
            .matmul(u.clone())
    }

    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4> {
        let (start, Factor { x, d: u }) = (&self.starts[l], &self.writes[l]);
        let through = |w: &Tensor<4>| g.clone().matmul(w.clone().transpose());

        let mut y = rows::scale(through(&start.weights), &self.rows.carry);
        for (slot, share) in start.slots.iter().zip(&self.rows.slots) {
            y = y + rows::scale(through(slot), share);
        }
        if self.anchored {
            y = y + through(&self.initial.maps[l]);
        }
        y - self.weigh(through(u)).matmul(x.clone())
    }

    fn gain(&self, i: usize) -> Tensor<4> {
        self.initial.gains[i].clone()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn tensor(from: f32, shape: [usize; 4]) -> Tensor<4> {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| (from + i as f32 * 0.7).sin()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// `⟨g, z W_t⟩ = ⟨g W_tᵀ, z⟩` for every row: the two maps are each other's transpose.
    #[test]
    fn the_transposed_map_is_the_transpose() {
        let (n, g, c, d_in, d_out) = (2, 3, 4, 5, 6);
        let initial = Initial {
            maps: vec![tensor(0.1, [1, g, d_in, d_out])],
            gains: Vec::new(),
        };
        let starts = [MapState {
            weights: tensor(0.2, [n, g, d_in, d_out]),
            slots: vec![tensor(0.3, [n, g, d_in, d_out])],
        }];
        let writes = [Factor {
            x: tensor(0.4, [n, g, c, d_in]),
            d: tensor(0.5, [n, g, c, d_out]),
        }];
        let rows = Rows {
            carry: tensor(0.6, [n, g, c, 1]),
            slots: vec![tensor(0.7, [n, g, c, 1])],
            writes: tensor(0.8, [n, g, c, c]),
        };
        for anchored in [false, true] {
            let maps = DualMaps {
                initial: &initial,
                anchored,
                starts: &starts,
                writes: &writes,
                rows: &rows,
            };
            let (z, dual) = (tensor(0.9, [n, g, c, d_in]), tensor(1.0, [n, g, c, d_out]));
            let forward = (maps.apply(0, z.clone()) * dual.clone()).sum_dim(3);
            let backward = (maps.apply_transposed(0, dual) * z).sum_dim(3);
            let gap = (forward - backward).abs().max().into_scalar::<f32>();
            assert!(gap < 1e-4, "anchored {anchored}: {gap}");
        }
    }
}
