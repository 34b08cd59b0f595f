//! Exact gradients of a matrix under an affine bias: each at the memory that its token meets.
//!
//! ```text
//! d_t = σ (carry⁻_t k_t A_0 + share⁻_t k_t S_0 [+ k_t A_init]) − v_t + Σ_{i<t} coupling_ti d_i
//! coupling_ti = −σ θ_i writes⁻_ti ⟨k_t, k_i⟩
//! ```
//!
//! with `⁻` for the state before token `t`, after its decay `a_t` where the order says so. The
//! system is unit lower triangular and is solved by forward substitution, a few tokens at a time;
//! its adjoint is the same from the end. What `miras_engine` calls the solved form.

use pulp::{Simd, WithSimd};

use crate::{
    Order,
    buffer::{Buffer, padded},
    coefficients::{CoefficientGradients, Coefficients},
    math::V,
    product::{Add, Band, SetMasked, Unmask, product, times, transposed},
    rows::{self, vectorized, vectors, vectors_mut},
};

/// The system of a chunk.
pub(crate) struct Solved {
    order: Order,
    tokens: usize,
    /// Of the state before each token.
    pub(crate) carry: Buffer,
    pub(crate) share: Buffer,
    /// `−σ θ_i writes⁻_ti`, a row for each `t`.
    mask: Buffer,
    /// `⟨k_t, k_i⟩`, and that times the mask.
    overlap: Buffer,
    coupling: Buffer,
    /// `−σ θ_i`.
    steps: Buffer,
    /// The gradients, a row for each token.
    rows: Buffer,
}

/// Gradients at a system.
pub(crate) struct SolvedGradients {
    pub(crate) carry: Buffer,
    pub(crate) share: Buffer,
    mask: Buffer,
    overlap: Buffer,
    turned: Buffer,
    rows: Buffer,
    steps: Buffer,
}

/// Tokens that are solved for at once.
const BLOCK: usize = 4;

impl Solved {
    pub(crate) fn new(order: Order, tokens: usize, d_v: usize) -> Self {
        let row = || Buffer::row(tokens);
        let square = || Buffer::new(tokens, tokens);
        Self {
            order,
            tokens,
            carry: row(),
            share: row(),
            mask: square(),
            overlap: square(),
            coupling: square(),
            steps: row(),
            rows: Buffer::new(tokens, d_v),
        }
    }

    /// The factor of the decay in the state before token `t`.
    fn decay(&self, coefficients: &Coefficients, t: usize) -> f32 {
        match self.order {
            Order::After => 1.0,
            Order::Before => coefficients.decay[t],
        }
    }

    /// The system of keys, `k` a column for each.
    pub(crate) fn prepare<S: Simd>(
        &mut self,
        simd: S,
        k: &[f32],
        theta: &[f32],
        slope: f32,
        coefficients: &Coefficients,
    ) {
        let width = padded(self.tokens);
        for (out, theta) in self.steps.iter_mut().zip(theta) {
            *out = -slope * theta;
        }
        for t in 0..self.tokens {
            let decay = self.decay(coefficients, t);
            let (carry, share) = match t.checked_sub(1) {
                Some(before) => (coefficients.carry[before], coefficients.share[before]),
                None => (1.0, 0.0),
            };
            (self.carry[t], self.share[t]) = (decay * carry, decay * share);
            if t > 0 {
                let writes = &coefficients.writes[(t - 1) * width..t * width];
                let mask = &mut self.mask[t * width..(t + 1) * width];
                rows::multiply(simd, mask, writes, &self.steps);
                rows::scale(simd, mask, decay);
            }
        }
        let mut sink = SetMasked {
            sums: &mut self.overlap,
            out: &mut self.coupling,
            by: &self.mask,
        };
        product(simd, [width; 2], &[transposed((k, width), k)], &mut sink);
    }

    /// Solves: `d` holds what does not depend on other gradients, then the gradients, a column for
    /// each token.
    pub(crate) fn solve<S: Simd>(&mut self, simd: S, d: &mut [f32]) {
        let width = padded(self.tokens);
        let columns = d.len() / width;
        rows::transpose(simd, &mut self.rows, d, width);
        for first in (0..width).step_by(BLOCK) {
            let (before, after) = self.rows.split_at_mut(first * columns);
            let here = &mut after[..BLOCK * columns];
            let coupling = &self.coupling[first * width..];
            if first > 0 {
                let term = times((coupling, width), before).to_depth(first);
                product(simd, [BLOCK, columns], &[term], &mut Add(here));
            }
            finish(simd, here, &coupling[first..], width);
        }
        rows::transpose(simd, d, &self.rows, columns);
    }

    /// The adjoint of [`solve`](Self::solve): `of` holds the gradients at `d`, then those at what
    /// does not depend on other gradients; adds those at steps, coefficients and keys, `of_k`.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of: &mut [f32],
        d: &[f32],
        k: &[f32],
        with: &mut SolvedGradients,
        of_k: &mut [f32],
    ) {
        let width = padded(self.tokens);
        let columns = of.len() / width;
        let SolvedGradients {
            mask,
            overlap,
            turned,
            rows,
            ..
        } = with;
        rows::transpose(simd, rows, of, width);
        rows::transpose(simd, turned, &self.coupling, width);
        for first in (0..width).step_by(BLOCK).rev() {
            let done = first + BLOCK;
            let (here, after) = rows.split_at_mut(done * columns);
            let here = &mut here[first * columns..];
            if done < width {
                let coupling = &turned[first * width + done..];
                let term = times((coupling, width), after).to_depth(width - done);
                product(simd, [BLOCK, columns], &[term], &mut Add(here));
            }
            finish_back(simd, here, &turned[first * width + first..], width);
        }
        rows::transpose(simd, of, rows, columns);

        mask.clear();
        let mut sink = Unmask {
            sums: &self.overlap,
            by: &self.mask,
            masked: overlap,
            by_gradient: mask,
        };
        product(simd, [width; 2], &[transposed((of, width), d)], &mut sink);
        rows::transpose(simd, turned, overlap, width);
        let terms = [
            times((k, width), overlap).within(Band::Lower),
            times((k, width), turned).within(Band::Upper),
        ];
        let size = [k.len() / width, width];
        product(simd, size, &terms, &mut Add(of_k));
    }

    /// The adjoint of [`prepare`](Self::prepare), as far as the keys have not got theirs.
    pub(crate) fn prepare_backward<S: Simd>(
        &self,
        simd: S,
        with: &mut SolvedGradients,
        of_theta: &mut [f32],
        slope: f32,
        coefficients: &Coefficients,
        of: &mut CoefficientGradients,
    ) {
        let width = padded(self.tokens);
        with.steps.clear();
        for t in 0..self.tokens {
            let decay = self.decay(coefficients, t);
            let mut of_decay = match t.checked_sub(1) {
                Some(before) => {
                    of.carry[before] += decay * with.carry[t];
                    of.share[before] += decay * with.share[t];
                    with.carry[t] * coefficients.carry[before]
                        + with.share[t] * coefficients.share[before]
                }
                None => with.carry[t],
            };
            if t > 0 {
                let before = (t - 1) * width..t * width;
                let of_mask = &mut with.mask[t * width..(t + 1) * width];
                let writes = &coefficients.writes[before.clone()];
                let scaled = &mut with.turned[..width];
                // Of θ, for a decay of 1.
                rows::multiply(simd, scaled, of_mask, writes);
                rows::add_dot(simd, &mut of_decay, scaled, &self.steps);
                rows::add_multiple(simd, &mut with.steps, scaled, decay);
                rows::multiply(simd, scaled, of_mask, &self.steps);
                rows::add_multiple(simd, &mut of.writes[before], scaled, decay);
            }
            if self.order == Order::Before {
                of.decay[t] += of_decay;
            }
        }
        for (of_theta, of_step) in of_theta.iter_mut().zip(&*with.steps) {
            *of_theta -= slope * of_step;
        }
    }
}

impl SolvedGradients {
    pub(crate) fn new(tokens: usize, d_v: usize) -> Self {
        let row = || Buffer::row(tokens);
        let square = || Buffer::new(tokens, tokens);
        Self {
            carry: row(),
            share: row(),
            mask: square(),
            overlap: square(),
            turned: square(),
            rows: Buffer::new(tokens, d_v),
            steps: row(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.carry.clear();
        self.share.clear();
    }
}

vectorized! {
    /// The substitution within a few rows; `coupling` begins at their first own column.
    fn finish(simd, rows: &mut [f32], coupling: &[f32], width: usize) {
        let columns = rows.len() / BLOCK;
        for row in 1..BLOCK {
            let (before, here) = rows.split_at_mut(row * columns);
            let here = vectors_mut(simd, here);
            for (i, before) in before.chunks_exact(columns).enumerate() {
                let by = V::splat(simd, coupling[row * width + i]);
                for (out, x) in here.iter_mut().zip(vectors(simd, before)) {
                    *out = by.fma(V::new(simd, *x), V::new(simd, *out)).raw;
                }
            }
        }
    }
}

vectorized! {
    /// The adjoint of [`finish`], with the coupling turned.
    fn finish_back(simd, rows: &mut [f32], turned: &[f32], width: usize) {
        let columns = rows.len() / BLOCK;
        for row in (0..BLOCK - 1).rev() {
            let (here, after) = rows.split_at_mut((row + 1) * columns);
            let here = vectors_mut(simd, &mut here[row * columns..]);
            for (i, after) in after.chunks_exact(columns).enumerate() {
                let by = V::splat(simd, turned[row * width + row + 1 + i]);
                for (out, x) in here.iter_mut().zip(vectors(simd, after)) {
                    *out = by.fma(V::new(simd, *x), V::new(simd, *out)).raw;
                }
            }
        }
    }
}
