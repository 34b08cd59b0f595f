//! The weights of a map as they lie in memory, and products with them.

use crate::{
    buffer::{Buffer, padded},
    product::{Term, times, transposed},
    program::Map,
};

/// Weights lie as `[d_in, d_out]`, or as `[d_out, d_in]` where that has shorter rows: an outer
/// product needs the side of the columns token by token, and so the smaller one is turned.
impl Map {
    /// Whether its weights lie as `[d_out, d_in]`.
    pub(crate) fn is_turned(self) -> bool {
        self.d_in < self.d_out
    }

    /// Rows and columns, padded.
    pub(crate) fn size(self) -> [usize; 2] {
        let [d_in, d_out] = [self.d_in, self.d_out].map(padded);
        [d_in.max(d_out), d_in.min(d_out)]
    }

    /// Room for its weights.
    pub(crate) fn buffer(self) -> Buffer {
        let [rows, columns] = self.size();
        Buffer::new(rows, columns)
    }

    /// Where the weight from feature `i` to feature `o` lies.
    fn place(self, i: usize, o: usize) -> usize {
        let [row, column] = if self.is_turned() { [o, i] } else { [i, o] };
        row * self.size()[1] + column
    }

    /// From `[d_in, d_out]`.
    pub(crate) fn load(self, out: &mut [f32], weights: &[f32]) {
        for (i, row) in weights.chunks_exact(self.d_out).enumerate() {
            for (o, weight) in row.iter().enumerate() {
                out[self.place(i, o)] = *weight;
            }
        }
    }

    /// To `[d_in, d_out]`.
    pub(crate) fn store(self, weights: &mut [f32], from: &[f32]) {
        for (i, row) in weights.chunks_exact_mut(self.d_out).enumerate() {
            for (o, weight) in row.iter_mut().enumerate() {
                *weight = from[self.place(i, o)];
            }
        }
    }

    /// `Wᵀ x` for columns `x`.
    pub(crate) fn forward<'a>(self, weights: &'a [f32], x: &'a [f32]) -> Term<'a> {
        let left = (weights, self.size()[1]);
        if self.is_turned() {
            times(left, x)
        } else {
            transposed(left, x)
        }
    }

    /// `W d` for columns `d`.
    pub(crate) fn backward<'a>(self, weights: &'a [f32], d: &'a [f32]) -> Term<'a> {
        let left = (weights, self.size()[1]);
        if self.is_turned() {
            transposed(left, d)
        } else {
            times(left, d)
        }
    }

    /// The sides of an outer product `x dᵀ` as it is stored: that of the rows, and that of the
    /// columns, which is to be turned.
    pub(crate) fn sides<'a>(self, x: &'a [f32], d: &'a [f32]) -> [&'a [f32]; 2] {
        if self.is_turned() { [d, x] } else { [x, d] }
    }
}
