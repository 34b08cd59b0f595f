//! Rows divided by their length.

use burn::{nn::RmsNorm, tensor::Tensor};
use miras_engine::kernel::{has_kernels, run};
use miras_kernels as kernels;

/// Rows `[…, d]` to a root mean square of 1, times a gain for each feature.
pub(crate) fn rms_norm<const D: usize>(norm: &RmsNorm, x: Tensor<D>) -> Tensor<D> {
    if !has_kernels(&x) {
        return norm.forward(x);
    }
    let (shape, epsilon) = (x.dims(), norm.epsilon as f32);
    run(
        kernels::RmsNorm { epsilon },
        [x.into(), norm.gamma.val().into()],
        shape,
    )
}

/// Added to the square of a length.
const EPSILON: f64 = 1e-6;

/// Rows `[…, d]` divided by their Euclidean length.
pub(crate) fn unit_rows<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !has_kernels(&x) {
        let square = x.clone().powi_scalar(2).sum_dim(D - 1);
        return x / square.add_scalar(EPSILON).sqrt();
    }
    let shape = x.dims();
    let unit = kernels::UnitRows {
        width: shape[D - 1],
        epsilon: EPSILON as f32,
    };
    run(unit, [x.into()], shape)
}
