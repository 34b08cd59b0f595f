//! Rotary position encoding (`RoFormer`, arXiv 2104.09864).

use std::ops::Range;

use burn::tensor::{Tensor, TensorData, s};
use miras_engine::kernel::{has_kernels, run};
use miras_kernels::Rotation;

/// What the feature pairs `(x_i, x_{i + d/2})` of tokens are turned by: `p · base^(−2i/d)` for
/// position `p`.
pub(crate) struct Angles {
    positions: usize,
    /// `[t, d/2]`.
    cosines: Vec<f64>,
    sines: Vec<f64>,
}

impl Angles {
    /// Those of tokens at `positions`; `d` is even.
    pub(crate) fn new(positions: Range<usize>, d: usize, base: f64) -> Self {
        let speeds: Vec<f64> = (0..d / 2)
            .map(|i| base.powf(-2.0 * i as f64 / d as f64))
            .collect();
        let count = positions.len();
        let angles = positions.flat_map(|p| speeds.iter().map(move |speed| p as f64 * speed));
        let (sines, cosines) = angles.map(f64::sin_cos).unzip();
        Self {
            positions: count,
            cosines,
            sines,
        }
    }

    /// The same for `times` rows at each position, side by side.
    pub(crate) fn each(&self, times: usize) -> Self {
        let width = self.cosines.len() / self.positions;
        let repeat = |x: &[f64]| -> Vec<f64> {
            x.chunks(width.max(1))
                .flat_map(|row| row.repeat(times))
                .collect()
        };
        Self {
            positions: self.positions * times,
            cosines: repeat(&self.cosines),
            sines: repeat(&self.sines),
        }
    }

    /// `x [b, t, h, d]`, turned.
    pub(crate) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, t, heads, d] = x.dims();
        if has_kernels(&x) {
            let [cosines, sines] =
                [&self.cosines, &self.sines].map(|x| x.iter().map(|x| *x as f32).collect());
            let rotation = Rotation {
                cosines,
                sines,
                heads,
                width: d,
            };
            let shape = x.dims();
            return run(rotation, [x.into()], shape);
        }
        let half = d / 2;
        let [cos, sin] = [&self.cosines, &self.sines].map(|values| {
            let data = TensorData::new(values.clone(), [1, t, 1, half]);
            Tensor::<4>::from_data(data, (&x.device(), x.dtype()))
        });
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
}
