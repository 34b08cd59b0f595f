//! What all operations have in common.

use std::fmt;

/// A function of `N` arrays with a derivative of its own.
pub trait Operation<const N: usize>: fmt::Debug + Send + Sync + 'static {
    /// Whether the backward pass needs what went in; if not, it gets empty arrays.
    const NEEDS_INPUTS: bool = true;

    /// What the backward pass needs beside what went in.
    type Kept: fmt::Debug + Send + Sync + 'static;

    /// The result and, if `keep` asks for it, what is for the backward pass.
    ///
    /// # Panics
    /// If a size does not fit.
    fn forward(&self, inputs: [&[f32]; N], keep: bool) -> (Vec<f32>, Self::Kept);

    /// The gradients of what went in, from that of the result, `of`.
    ///
    /// # Panics
    /// If a size does not fit, or `kept` is not that of these inputs.
    fn backward(&self, inputs: [&[f32]; N], kept: &Self::Kept, of: &[f32]) -> [Vec<f32>; N];
}

/// Numbers that one thread takes at a time; what is added up piece by piece does not depend on how
/// many threads there are.
const PIECE: usize = 1 << 14;

/// Rows of `width` numbers that one thread takes at a time.
pub(crate) fn rows_of_a_piece(width: usize) -> usize {
    (PIECE / width).max(1)
}

/// The sum of arrays of one length, in their order.
pub(crate) fn sum_of(parts: Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    for part in parts {
        for (sum, x) in sum.iter_mut().zip(part) {
            *sum += x;
        }
    }
    sum
}
