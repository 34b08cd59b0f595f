//! From `[b, t, h·d]` to one memory per batch row and head, and back.

use burn::tensor::Tensor;

/// `[b, t, h·d] → [1, b·h, t, d]`.
pub(crate) fn to_memories(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [b, t, width] = x.dims();
    x.reshape([b, t, heads, width / heads])
        .swap_dims(1, 2)
        .reshape([1, b * heads, t, width / heads])
}

/// `[1, b·h, t, d] → [b, t, h, d]`.
pub(crate) fn from_memories(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [_, g, t, d] = x.dims();
    x.reshape([g / heads, heads, t, d]).swap_dims(1, 2)
}

/// Every head as often as makes `heads` of `of`, head by head: `[1, b·of, t, d] → [1, b·heads, t, d]`.
pub(crate) fn repeat_heads(x: Tensor<4>, of: usize, heads: usize) -> Tensor<4> {
    if of == heads {
        return x;
    }
    let [_, g, t, d] = x.dims();
    repeated(x.reshape([g, 1, t, d]), 1, heads / of).reshape([1, g / of * heads, t, d])
}

/// A parameter per head, `[h, …]`, for every batch row: `[1, b·h, …]`.
pub(crate) fn per_memory(x: Tensor<3>, b: usize) -> Tensor<4> {
    let [h, rows, columns] = x.dims();
    repeated(x.unsqueeze::<4>(), 0, b).reshape([1, b * h, rows, columns])
}

/// A tensor so many times along a dimension.
///
/// Once is the tensor itself. The gradient of a repetition is a sum, and over a dimension of 1 that
/// is wrong on `wgpu` and `cuda` where the gradient lies transposed: `docs/devices.md`, Wrong numbers.
pub(crate) fn repeated<const D: usize>(x: Tensor<D>, dim: usize, times: usize) -> Tensor<D> {
    if times == 1 {
        return x;
    }
    x.repeat_dim(dim, times)
}
