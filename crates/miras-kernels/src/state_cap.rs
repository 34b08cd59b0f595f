//! The state cap: what bounds the norm of each map's state at the end of a chunk.
//!
//! ```text
//! A ← A min(1, κ / norm)        norm = √(|A|² + 1e-12)
//! ```
//!
//! The rule of `miras_algorithm`, `state_cap`.

use pulp::Simd;

use crate::{buffer::Buffer, gradient_cap::TINY, rows};

/// Caps the state of each map.
pub(crate) fn cap<S: Simd>(simd: S, cap: f32, weights: &mut [Buffer]) {
    for weights in weights {
        let norm = norm(simd, weights);
        if norm > cap {
            rows::scale(simd, weights, cap / norm);
        }
    }
}

/// From the gradient at the capped state of each map to that at the state before, in place.
pub(crate) fn backward<S: Simd>(simd: S, cap: f32, of: &mut [Buffer], before: &[Buffer]) {
    for (of, before) in of.iter_mut().zip(before) {
        let norm = norm(simd, before);
        if norm > cap {
            let mut along = 0.0;
            rows::add_dot(simd, &mut along, of, before);
            let shrink = cap / norm;
            rows::combine(simd, of, shrink, before, -shrink * along / (norm * norm));
        }
    }
}

fn norm<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let mut square = TINY;
    rows::add_dot(simd, &mut square, x, x);
    square.sqrt()
}
