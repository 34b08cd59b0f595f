//! The inverse of a unit lower triangular matrix.

use burn::tensor::{Tensor, TensorData};

/// `(I + M)⁻¹` for the strictly lower part of `m`, `[n, g, c, c]`.
///
/// Diagonal blocks are inverted and merged in pairs, `c` doubling its way up:
/// with `T` block diagonal, `T − T M' T` inverts the pairs, `M'` being the
/// blocks below each pair's diagonal. Every intermediate is a block of the
/// result, so nothing overflows for correlated keys as the powers of the
/// nilpotent product do.
///
/// The value is computed without a graph; the derivative `−T dM T` comes from
/// a term that is 0.
pub fn unit_lower_inverse(m: Tensor<4>) -> Tensor<4> {
    let c = m.dims()[2];
    let fixed = m.clone().detach();
    let mut inverse = identity(c, &fixed) - fixed.clone() * below_pairs(c, 1, &fixed);
    let mut size = 2;
    while size < c {
        let below = fixed.clone() * below_pairs(c, size, &fixed);
        inverse = inverse.clone() - inverse.clone().matmul(below).matmul(inverse);
        size *= 2;
    }
    let strict = miras_core::triangle(c, -1, &fixed);
    let change = (m - fixed) * strict;
    inverse.clone() - inverse.clone().matmul(change).matmul(inverse)
}

fn identity(c: usize, like: &Tensor<4>) -> Tensor<4> {
    pattern(c, like, |row, column| row == column)
}

/// 1 in the block below the diagonal of each pair of blocks of `size`.
fn below_pairs(c: usize, size: usize, like: &Tensor<4>) -> Tensor<4> {
    pattern(c, like, |row, column| {
        let (row, column) = (row / size, column / size);
        row % 2 == 1 && column + 1 == row
    })
}

fn pattern(c: usize, like: &Tensor<4>, is_one: impl Fn(usize, usize) -> bool) -> Tensor<4> {
    let ones: Vec<f32> = (0..c * c)
        .map(|at| f32::from(is_one(at / c, at % c)))
        .collect();
    let data = TensorData::new(ones, [1, 1, c, c]);
    Tensor::from_data(data, (&like.device(), like.dtype()))
}
