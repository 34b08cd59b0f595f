//! Per-token numbers against tensors with R rows a token.

use burn::tensor::Tensor;

use crate::Factor;

/// Repeats each entry of dimension `dim` `r` times in place: token numbers to row numbers.
pub fn repeat(x: Tensor<4>, dim: usize, r: usize) -> Tensor<4> {
    if r == 1 {
        return x;
    }
    let mut shape = x.dims();
    let mut split = [0; 5];
    split[..=dim].copy_from_slice(&shape[..=dim]);
    split[dim + 1] = 1;
    split[dim + 2..].copy_from_slice(&shape[dim + 1..]);
    shape[dim] *= r;
    x.reshape(split).repeat_dim(dim + 1, r).reshape(shape)
}

/// `rows [n, g, c·R, d]` times a number per token, `by [n, g, c, 1]`.
pub fn scale(rows: Tensor<4>, by: &Tensor<4>) -> Tensor<4> {
    let r = rows.dims()[2] / by.dims()[2];
    rows * repeat(by.clone(), 2, r)
}

/// The largest of each token's channels, `[n, g, c, d] → [n, g, c, 1]`.
pub fn largest_channel(gate: Tensor<4>) -> Tensor<4> {
    match gate.dims()[3] {
        1 => gate,
        _ => gate.max_dim(3),
    }
}

/// The size of the largest step of each token, `[n, g, c, d] → [n, g, c, 1]`: steps of an ascent
/// are below 0.
pub fn largest_step(step: Tensor<4>) -> Tensor<4> {
    largest_channel(step.abs())
}

/// The squared Frobenius norm of the gradient `Σ_r x_rᵀ d_r` of each of `c` tokens,
/// without writing the gradient out: `[n, g, c, 1]`.
///
/// # Shapes
/// `x: [n, g, c·R, d_in]`, `d: [n, g, c·R, d_out]`.
pub fn gradient_square_norm(x: Tensor<4>, d: Tensor<4>, c: usize) -> Tensor<4> {
    let [n, g, rows, _] = x.dims();
    let r = rows / c;
    if r == 1 {
        return x.powi_scalar(2).sum_dim(3) * d.powi_scalar(2).sum_dim(3);
    }
    let gram = |z: Tensor<4>| {
        let width = z.dims()[3];
        let z = z.reshape([n * g, c, r, width]);
        z.clone().matmul(z.transpose())
    };
    (gram(x) * gram(d)).reshape([n, g, c, r * r]).sum_dim(3)
}

/// The Frobenius norm of the gradient of each of `c` tokens over all maps: `[n, g, c, 1]`.
///
/// # Panics
/// If there is no factor: a memory has a map.
pub fn gradient_norm(factors: &[Factor], c: usize) -> Tensor<4> {
    let squares = factors
        .iter()
        .map(|Factor { x, d }| gradient_square_norm(x.clone(), d.clone(), c));
    let sum = squares.reduce(|a, b| a + b);
    sum.expect("a memory has a map").add_scalar(TINY).sqrt()
}

/// The Frobenius norm of each matrix, `[n, g, d_in, d_out] → [n, g, 1, 1]`.
pub fn frobenius_norm(matrix: Tensor<4>) -> Tensor<4> {
    let square = matrix.powi_scalar(2).sum_dim(3).sum_dim(2);
    square.add_scalar(TINY).sqrt()
}

/// `|Σ ⟨x_i, x_j⟩|` of `c` tokens over several features `x` of each, all its R rows taken
/// together: `[n, g, c, c]`.
pub fn overlap<'a>(features: impl Iterator<Item = &'a Tensor<4>>, c: usize) -> Tensor<4> {
    let products = features.map(|x| {
        let [n, g, rows, d] = x.dims();
        let x = x.clone().reshape([n, g, c, rows / c * d]);
        x.clone().matmul(x.transpose())
    });
    let sum = products.reduce(|a, b| a + b);
    sum.expect("a memory has an output map").abs()
}

/// Added to squared norms, so that their root has a derivative at 0.
pub const TINY: f64 = 1e-12;
