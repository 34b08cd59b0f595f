//! The gradient cap: what bounds the norm of a token's gradient.
//!
//! ```text
//! θ_t ← θ_t min(1, κ / norm_t)        norm_t = √(Σ |x_t|² |d_t|² + 1e-12)
//! ```
//!
//! over the factors `x_tᵀ d_t` of all maps. The rule of `miras_algorithm`, `grad_cap`.

use pulp::Simd;

use crate::{Program, buffer::Buffer, rows};

/// Added to squared norms, so that their root has a derivative at 0.
pub(crate) const TINY: f32 = 1e-12;

/// A cap over the tokens of a chunk.
pub(crate) struct GradientCap {
    cap: f32,
    /// `|x|²` and `|d|²` of each map, a number for each token.
    squares: Vec<[Buffer; 2]>,
    norm: Buffer,
    /// The step sizes before the cap.
    given: Buffer,
}

impl GradientCap {
    pub(crate) fn new(cap: f32, program: &Program, tokens: usize) -> Self {
        let row = || Buffer::row(tokens);
        Self {
            cap,
            squares: program.maps.iter().map(|_| [row(), row()]).collect(),
            norm: row(),
            given: row(),
        }
    }

    /// Caps the step sizes of the first `tokens`; `x` and `d` are the values that enter and the
    /// gradients at those that leave a map.
    pub(crate) fn apply<S: Simd>(
        &mut self,
        simd: S,
        program: &Program,
        theta: &mut [f32],
        tokens: usize,
        x: &[Buffer],
        d: &[Buffer],
    ) {
        self.norm.fill(TINY);
        for (squares, map) in self.squares.iter_mut().zip(&program.maps) {
            for (square, of) in squares.iter_mut().zip([&x[map.x], &d[map.out]]) {
                square.clear();
                rows::add_column_dots(simd, square, of, of);
            }
            rows::add_product(simd, &mut self.norm, &squares[0], &squares[1]);
        }
        self.given.copy_from_slice(theta);
        for (theta, norm) in theta[..tokens].iter_mut().zip(&mut *self.norm) {
            *norm = norm.sqrt();
            *theta *= (self.cap / *norm).min(1.0);
        }
    }

    /// From the gradient at the step sizes to that at those before the cap, in place; adds the
    /// gradients at the factors. `by` is room for a number for each token.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        program: &Program,
        of_theta: &mut [f32],
        tokens: usize,
        [x, d]: [&[Buffer]; 2],
        [of_x, of_d]: [&mut [Buffer]; 2],
        [of_square, by]: [&mut Buffer; 2],
    ) {
        of_square.clear();
        for t in 0..tokens {
            let norm = self.norm[t];
            if norm > self.cap {
                let shrink = self.cap / norm;
                of_square[t] = -0.5 * of_theta[t] * self.given[t] * shrink / (norm * norm);
                of_theta[t] *= shrink;
            }
        }
        for ([of_in, of_out], map) in self.squares.iter().zip(&program.maps) {
            for (of, along, other) in [
                (&mut of_x[map.x], &x[map.x], of_out),
                (&mut of_d[map.out], &d[map.out], of_in),
            ] {
                for t in 0..tokens {
                    by[t] = 2.0 * of_square[t] * other[t];
                }
                rows::add_scaled_columns(simd, of, along, by);
            }
        }
    }
}
