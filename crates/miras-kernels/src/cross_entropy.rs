//! The negative log-likelihood of targets.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    math::V,
    operation::rows_of_a_piece,
    rows::{each, vectorized},
};

/// `−log softmax(x)[target]` of each row of `x [n, classes]`, in nats: `[n]`.
///
/// Keeps `x` and the logarithm of the sum of its powers, one number a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossEntropy {
    /// `[n]`.
    pub targets: Vec<usize>,
}

impl CrossEntropy {
    fn classes(&self, x: &[f32]) -> usize {
        x.len() / self.targets.len()
    }
}

impl Operation<1> for CrossEntropy {
    type Kept = Vec<f32>;

    fn forward(&self, [x]: [&[f32]; 1], _: bool) -> (Vec<f32>, Vec<f32>) {
        let classes = self.classes(x);
        let rows = rows_of_a_piece(classes);
        let mut sums = vec![0.0; self.targets.len()];
        let pieces = sums.par_chunks_mut(rows).zip(x.par_chunks(rows * classes));
        pieces.for_each(|(sums, x)| log_sums(sums, x));
        let rows = sums.iter().zip(x.chunks_exact(classes)).zip(&self.targets);
        let losses = rows.map(|((sum, x), target)| sum - x[*target]).collect();
        (losses, sums)
    }

    fn backward(&self, [x]: [&[f32]; 1], sums: &Vec<f32>, of: &[f32]) -> [Vec<f32>; 1] {
        let classes = self.classes(x);
        let rows = rows_of_a_piece(classes);
        let mut of_x = vec![0.0; x.len()];
        let pieces = of_x.par_chunks_mut(rows * classes);
        let pieces = pieces.zip(x.par_chunks(rows * classes));
        let numbers = sums.par_chunks(rows).zip(of.par_chunks(rows));
        let numbers = numbers.zip(self.targets.par_chunks(rows));
        pieces
            .zip(numbers)
            .for_each(|((of_x, x), ((sums, of), targets))| {
                shares(of_x, x, sums, of);
                let rows = of_x.chunks_exact_mut(classes).zip(targets);
                for ((of_x, target), of) in rows.zip(of) {
                    of_x[*target] -= of;
                }
            });
        [of_x]
    }
}

vectorized! {
    /// `log Σ exp(x)` of each row.
    fn log_sums(machine simd, sums: &mut [f32], x: &[f32]) {
        let classes = x.len() / sums.len();
        for (sum, x) in sums.iter_mut().zip(x.chunks_exact(classes)) {
            let (vectors, rest) = S::as_simd_f32s(x);
            let mut most = simd.splat_f32s(x[0]);
            for x in vectors {
                most = simd.max_f32s(most, *x);
            }
            let most = rest.iter().fold(simd.reduce_max_f32s(most), |a, b| a.max(*b));
            let mut all = V::splat(simd, 0.0);
            for x in vectors {
                all = all + (V::new(simd, *x) - most).exp();
            }
            let mut total = simd.reduce_sum_f32s(all.raw);
            for x in rest {
                total += (x - most).exp();
            }
            *sum = most + total.ln();
        }
    }
}

vectorized! {
    /// `exp(x − sum) of` in each row.
    fn shares(machine simd, of_x: &mut [f32], x: &[f32], sums: &[f32], of: &[f32]) {
        let classes = x.len() / sums.len();
        let rows = of_x.chunks_exact_mut(classes).zip(x.chunks_exact(classes));
        for ((of_x, x), (sum, of)) in rows.zip(sums.iter().zip(of)) {
            each!(simd, [of_x as _] from [x] => [(x - *sum).exp() * *of]);
        }
    }
}
