//! Rows divided by their length.
//!
//! ```text
//! y = r x ⊙ gain,   r = 1 / √(c Σ x² + ε)
//! ∇x = r (gain ⊙ ∇y) − c r³ ⟨x, gain ⊙ ∇y⟩ x,   ∇gain = Σ_rows r x ⊙ ∇y
//! ```

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    math::V,
    operation::{rows_of_a_piece, sum_of},
    rows::{dot, each, vectorized},
};

/// Rows `[…, width]` to a root mean square of 1, times a gain for each feature:
/// `y = x / √(mean x² + ε) ⊙ gain` (arXiv 1910.07467). The gain is the second array and says how
/// wide rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsNorm {
    /// ε.
    pub epsilon: f32,
}

/// Rows `[…, width]` to a Euclidean length of 1: `y = x / √(Σ x² + ε)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitRows {
    /// Numbers of a row.
    pub width: usize,
    /// ε.
    pub epsilon: f32,
}

impl Operation<2> for RmsNorm {
    type Kept = ();

    fn forward(&self, [x, gain]: [&[f32]; 2], _: bool) -> (Vec<f32>, ()) {
        let c = (gain.len() as f32).recip();
        (forward(x, gain, [c, self.epsilon]), ())
    }

    fn backward(&self, [x, gain]: [&[f32]; 2], (): &(), of: &[f32]) -> [Vec<f32>; 2] {
        let c = (gain.len() as f32).recip();
        backward(x, gain, [c, self.epsilon], of)
    }
}

impl Operation<1> for UnitRows {
    type Kept = ();

    fn forward(&self, [x]: [&[f32]; 1], _: bool) -> (Vec<f32>, ()) {
        let gain = vec![1.0; self.width];
        (forward(x, &gain, [1.0, self.epsilon]), ())
    }

    fn backward(&self, [x]: [&[f32]; 1], (): &(), of: &[f32]) -> [Vec<f32>; 1] {
        let gain = vec![1.0; self.width];
        let [of_x, _] = backward(x, &gain, [1.0, self.epsilon], of);
        [of_x]
    }
}

/// `[c, ε]`.
type Length = [f32; 2];

fn forward(x: &[f32], gain: &[f32], length: Length) -> Vec<f32> {
    let piece = gain.len() * rows_of_a_piece(gain.len());
    let mut out = vec![0.0; x.len()];
    let pieces = out.par_chunks_mut(piece).zip(x.par_chunks(piece));
    pieces.for_each(|(out, x)| forward_rows(out, x, gain, length));
    out
}

fn backward(x: &[f32], gain: &[f32], length: Length, of: &[f32]) -> [Vec<f32>; 2] {
    let piece = gain.len() * rows_of_a_piece(gain.len());
    let mut of_x = vec![0.0; x.len()];
    let pieces = of_x.par_chunks_mut(piece).zip(x.par_chunks(piece));
    let of_gain = pieces.zip(of.par_chunks(piece)).map(|((of_x, x), of)| {
        let mut of_gain = vec![0.0; gain.len()];
        backward_rows(of_x, &mut of_gain, x, gain, length, of);
        of_gain
    });
    let of_gain = sum_of(of_gain.collect(), gain.len());
    [of_x, of_gain]
}

/// `r` of a row.
#[inline(always)]
fn scale<S: Simd>(simd: S, x: &[f32], [c, epsilon]: Length) -> f32 {
    (dot(simd, x, x) * c + epsilon).sqrt().recip()
}

vectorized! {
    fn forward_rows(machine simd, out: &mut [f32], x: &[f32], gain: &[f32], length: Length) {
        let rows = out.chunks_exact_mut(gain.len()).zip(x.chunks_exact(gain.len()));
        for (out, x) in rows {
            let r = scale(simd, x, length);
            each!(simd, [out as _] from [x, gain] => [x * r * gain]);
        }
    }
}

vectorized! {
    /// `of_gain` is for one row, and is added to.
    fn backward_rows(
        machine simd,
        of_x: &mut [f32],
        of_gain: &mut [f32],
        x: &[f32],
        gain: &[f32],
        length: Length,
        of: &[f32],
    ) {
        let width = gain.len();
        let inputs = x.chunks_exact(width).zip(of.chunks_exact(width));
        for (of_x, (x, of)) in of_x.chunks_exact_mut(width).zip(inputs) {
            let r = scale(simd, x, length);
            // The gradient before the gain stays where the result is to be.
            let into = &mut *of_x;
            each!(simd, [into as _] from [gain, of] => [gain * of]);
            let along = dot(simd, x, of_x) * length[0] * r * r * r;
            let (into, sums) = (&mut *of_x, &mut *of_gain);
            each!(simd, [into as pulled, sums as sum] from [x, of] => {
                [pulled * r - x * along, (x * r).fma(of, sum)]
            });
        }
    }
}
