//! A step of the outer optimiser.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    math::V,
    operation::rows_of_a_piece,
    rows::{each, vectorized},
};

/// `AdamW` (Loshchilov and Hutter, 2019) of one parameter, in one pass over its numbers:
/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `w ← (1 - lr λ) w - lr (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// `β₁`.
    pub beta1: f32,
    /// `β₂`.
    pub beta2: f32,
    /// `ε`.
    pub epsilon: f32,
    /// `lr`.
    pub lr: f32,
    /// `1 - lr λ`.
    pub keep: f32,
    /// `t`, from 1 on.
    pub time: i32,
}

impl AdamW {
    /// Weights, `m` and `v` after the step with a gradient of the same length.
    ///
    /// # Panics
    /// If lengths differ.
    pub fn step(&self, [weights, first, second]: [&mut [f32]; 3], gradient: &[f32]) {
        let len = gradient.len();
        assert_eq!([weights.len(), first.len(), second.len()], [len; 3]);
        let piece = rows_of_a_piece(1);
        let moments = first
            .par_chunks_mut(piece)
            .zip(second.par_chunks_mut(piece));
        let pieces = (weights.par_chunks_mut(piece).zip(moments)).zip(gradient.par_chunks(piece));
        pieces.for_each(|((weights, (first, second)), gradient)| {
            step(weights, first, second, gradient, *self);
        });
    }
}

vectorized! {
    fn step(
        machine simd,
        weights: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
        rule: AdamW,
    ) {
        let AdamW { beta1, beta2, epsilon, lr, keep, time } = rule;
        let unbiased = [beta1, beta2].map(|beta| V::splat(simd, 1.0 - beta.powi(time)));
        each!(simd, [weights as w, first as m, second as v] from [gradient] => {
            let m = m * beta1 + gradient * (1.0 - beta1);
            let v = v * beta2 + gradient * gradient * (1.0 - beta2);
            let direction = m / unbiased[0] / ((v / unbiased[1]).sqrt() + epsilon);
            [w * keep - direction * lr, m, v]
        });
    }
}
