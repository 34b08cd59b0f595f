//! The inverse of a unit lower triangular matrix.

use burn::tensor::{Tensor, s};
use miras_core::above;

/// `(I + M)⁻¹` for the strictly lower part of `m`, `[n, g, c, c]`.
///
/// The value is computed without a graph, in about `c³/3` multiplications; the
/// derivative `−T dM T` comes from a term that is 0, where `m` is part of a graph.
pub fn unit_lower_inverse(m: Tensor<4>) -> Tensor<4> {
    let [n, g, c, _] = m.dims();
    let fixed = m.clone().detach();
    let inverse = inverse(fixed.clone().neg().reshape([n * g, c, c])).reshape([n, g, c, c]);
    if !m.is_tracked() {
        return inverse;
    }
    let change = (m - fixed).mask_fill(above([c, c], -1, &inverse.device()), 0.0);
    inverse.clone() - inverse.clone().matmul(change).matmul(inverse)
}

/// `(I − L)⁻¹` for the strictly lower part of `l`, `[n, c, c]`.
///
/// The two blocks on the diagonal are inverted as one batch and merged:
/// `[A 0; B C]⁻¹ = [A⁻¹ 0; −C⁻¹ B A⁻¹ C⁻¹]`. Every intermediate is a block of the result, so
/// nothing overflows for correlated keys as the powers of the nilpotent product do.
fn inverse(l: Tensor<3>) -> Tensor<3> {
    let [n, c, _] = l.dims();
    if c == 1 {
        return l.ones_like();
    }
    // The blocks are of one size: where `c` is odd, both have the token in the middle.
    let (half, rest) = (c.div_ceil(2), c / 2);
    let first = l.clone().slice(s![.., ..half, ..half]);
    let second = l.clone().slice(s![.., rest.., rest..]);
    let inverses = inverse(Tensor::cat(vec![first, second], 0));
    let first = inverses.clone().slice(s![..n, .., ..]);
    let second = inverses.slice(s![n.., half - rest.., half - rest..]);

    let between = l.clone().slice(s![.., half.., ..half]);
    let between = match c {
        // Both inverses are 1.
        2 => between,
        _ => second.clone().matmul(between).matmul(first.clone()),
    };
    (l.zeros_like())
        .slice_assign(s![.., ..half, ..half], first)
        .slice_assign(s![.., half.., half..], second)
        .slice_assign(s![.., half.., ..half], between)
}
