//! Products with a gate.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    math::V,
    operation::rows_of_a_piece,
    rows::{each, vectorized},
};

/// `f(a) ⊙ b`, elementwise; keeps nothing but `a` and `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `f(a) = a σ(a)`.
    Silu,
    /// `f(a) = σ(a)`.
    Sigmoid,
}

impl Gate {
    /// Value and slope.
    #[inline(always)]
    fn at<S: Simd>(self, a: V<S>) -> [V<S>; 2] {
        match self {
            Self::Silu => {
                let [value, slope, _] = a.silu();
                [value, slope]
            }
            Self::Sigmoid => {
                let value = a.sigmoid();
                [value, value * (value * -1.0 + 1.0)]
            }
        }
    }
}

impl Operation<2> for Gate {
    type Kept = ();

    fn forward(&self, [a, b]: [&[f32]; 2], _: bool) -> (Vec<f32>, ()) {
        let piece = rows_of_a_piece(1);
        let mut out = vec![0.0; a.len()];
        let inputs = a.par_chunks(piece).zip(b.par_chunks(piece));
        let pieces = out.par_chunks_mut(piece).zip(inputs);
        pieces.for_each(|(out, (a, b))| forward(out, *self, a, b));
        (out, ())
    }

    fn backward(&self, [a, b]: [&[f32]; 2], (): &(), of: &[f32]) -> [Vec<f32>; 2] {
        let piece = rows_of_a_piece(1);
        let mut all = [(); 2].map(|()| vec![0.0; a.len()]);
        let [of_a, of_b] = &mut all;
        let out = of_a.par_chunks_mut(piece).zip(of_b.par_chunks_mut(piece));
        let inputs = a.par_chunks(piece).zip(b.par_chunks(piece));
        let pieces = out.zip(inputs).zip(of.par_chunks(piece));
        pieces.for_each(|(((of_a, of_b), (a, b)), of)| backward(of_a, of_b, *self, a, b, of));
        all
    }
}

vectorized! {
    fn forward(machine simd, out: &mut [f32], gate: Gate, a: &[f32], b: &[f32]) {
        each!(simd, [out as _] from [a, b] => [gate.at(a)[0] * b]);
    }
}

vectorized! {
    fn backward(
        machine simd,
        of_a: &mut [f32],
        of_b: &mut [f32],
        gate: Gate,
        a: &[f32],
        b: &[f32],
        of: &[f32],
    ) {
        each!(simd, [of_a as _, of_b as _] from [a, b, of] => {
            let [value, slope] = gate.at(a);
            [slope * b * of, value * of]
        });
    }
}
