//! The inverse of a unit lower triangular matrix.

use burn::tensor::{Device, Tensor, TensorData, s};
use miras_core::above;

/// `(I + M)⁻¹` for the strictly lower part of `m`, `[n, g, c, c]`.
///
/// The value is computed without a graph: on burn's CPU backend in about `c³/3` multiplications,
/// elsewhere in the fewest operations. The derivative `−T dM T` comes from a term that is 0, where
/// `m` is part of a graph.
pub fn unit_lower_inverse(m: Tensor<4>) -> Tensor<4> {
    let [n, g, c, _] = m.dims();
    let fixed = m.clone().detach();
    let lower = fixed.clone().neg().reshape([n * g, c, c]);
    let inverse = if m.device() == Device::flex() {
        by_blocks(lower)
    } else {
        by_masks(lower)
    };
    let inverse = inverse.reshape([n, g, c, c]);
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
fn by_blocks(l: Tensor<3>) -> Tensor<3> {
    let [n, c, _] = l.dims();
    if c == 1 {
        return l.ones_like();
    }
    // The blocks are of one size: where `c` is odd, both have the token in the middle.
    let (half, rest) = (c.div_ceil(2), c / 2);
    let first = l.clone().slice(s![.., ..half, ..half]);
    let second = l.clone().slice(s![.., rest.., rest..]);
    let inverses = by_blocks(Tensor::cat(vec![first, second], 0));
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

/// The same, with all pairs of blocks of a size merged where they are: `T + T B T` for the blocks
/// `B` between those on the diagonal that `T` is the inverse of. Four operations a size, of whole
/// matrices.
fn by_masks(l: Tensor<3>) -> Tensor<3> {
    let [_, c, _] = l.dims();
    let sizes: Vec<usize> = std::iter::successors(Some(1), |size| Some(2 * size))
        .take_while(|size| *size < c)
        .collect();
    // Entry (i, j) is between two blocks of a size that are a pair, i in the second of them.
    let is_between = |size: usize, i: usize, j: usize| {
        i / (2 * size) == j / (2 * size) && i / size % 2 == 1 && (j / size).is_multiple_of(2)
    };
    let masks: Vec<f32> = (sizes.iter())
        .flat_map(|size| (0..c * c).map(|at| f32::from(is_between(*size, at / c, at % c))))
        .collect();
    let one = Tensor::<2>::eye(c, &l.device()).cast(l.dtype());
    let one = one.unsqueeze::<3>().expand(l.shape());
    if sizes.is_empty() {
        return one;
    }
    let masks = TensorData::new(masks, [sizes.len(), c, c]);
    let masks = Tensor::<3>::from_data(masks, &l.device()).cast(l.dtype());
    (0..sizes.len()).fold(one, |inverse, at| {
        let between = l.clone() * masks.clone().slice(s![at..=at]);
        let merged = match at {
            // All inverses are 1.
            0 => between,
            _ => inverse.clone().matmul(between).matmul(inverse.clone()),
        };
        inverse + merged
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::*;

    #[test]
    fn masks_and_blocks_give_the_inverse() {
        let device = Device::flex();
        for c in [1, 2, 3, 5, 8, 13, 32] {
            let at = Tensor::<1, Int>::arange(0..(3 * c * c) as i64, &device).float();
            let l = at.mul_scalar(0.7).sin().mul_scalar(0.5).reshape([3, c, c]);
            let l = l.tril(-1);
            let one = Tensor::<2>::eye(c, &device).unsqueeze::<3>();
            for inverse in [by_blocks(l.clone()), by_masks(l.clone())] {
                let product = (one.clone() - l.clone()).matmul(inverse);
                let gap = (product - one.clone()).abs().max().into_scalar::<f32>();
                assert!(gap < 1e-3, "{c}: {gap}");
            }
        }
    }
}
