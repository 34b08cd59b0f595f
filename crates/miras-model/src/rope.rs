//! Rotary position encoding (`RoFormer`, arXiv 2104.09864).

use burn::tensor::{Tensor, TensorData, s};

/// Rotates feature pairs `(x_i, x_{i + d/2})` of the token at position `p` by `p · base^(−2i/d)`.
///
/// # Shapes
/// `x`, result: `[b, h, t, d]`, `d` even; the first token has position `start`.
pub(crate) fn rotate(x: Tensor<4>, start: usize, base: f64) -> Tensor<4> {
    let [_, _, t, d] = x.dims();
    let half = d / 2;
    let angles = (start..start + t).flat_map(|position| {
        (0..half).map(move |i| position as f64 * base.powf(-2.0 * i as f64 / d as f64))
    });
    let table = |f: fn(f64) -> f64| {
        let values: Vec<f64> = angles.clone().map(f).collect();
        let data = TensorData::new(values, [1, 1, t, half]);
        Tensor::<4>::from_data(data, (&x.device(), x.dtype()))
    };
    let (cos, sin) = (table(f64::cos), table(f64::sin));
    let first = x.clone().slice(s![.., .., .., 0..half]);
    let second = x.slice(s![.., .., .., half..d]);
    Tensor::cat(
        vec![
            first.clone() * cos.clone() - second.clone() * sin.clone(),
            first * sin + second * cos,
        ],
        3,
    )
}
