//! Squares of a gradient.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    operation::rows_of_a_piece,
    rows::{dot, vectorized},
};

/// `Σ x²`. Its bits do not depend on the number of threads.
pub fn sum_of_squares(x: &[f32]) -> f32 {
    let sums = x.par_chunks(rows_of_a_piece(1)).map(|piece| {
        let mut sum = [0.0];
        squares(&mut sum, piece);
        f64::from(sum[0])
    });
    let sums: Vec<f64> = sums.collect();
    sums.into_iter().sum::<f64>() as f32
}

vectorized! {
    fn squares(machine simd, sum: &mut [f32; 1], x: &[f32]) {
        sum[0] = dot(simd, x, x);
    }
}
