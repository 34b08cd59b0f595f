//! The attentional bias: from outputs to the gradient of the inner loss.

use pulp::{Simd, WithSimd};

use crate::{
    buffer::Buffer,
    math::V,
    rows::{vectorized, vectors, vectors_mut},
};

/// `∂ℓ/∂y` as a function of the output `y` and the value `v` of a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Bias {
    /// `σ y − v`: 1 is the squared error, 0 the dot product.
    Affine {
        /// σ.
        slope: f32,
    },
}

/// What a bias looks at: a column for each token.
pub(crate) struct Targets {
    pub(crate) v: Buffer,
}

impl Targets {
    pub(crate) fn new(d_v: usize, tokens: usize) -> Self {
        Self {
            v: Buffer::new(d_v, tokens),
        }
    }
}

impl Bias {
    /// `d = ∂ℓ/∂y`.
    pub(crate) fn gradient<S: Simd>(&self, simd: S, d: &mut [f32], y: &[f32], at: &Targets) {
        match *self {
            Self::Affine { slope } => affine(simd, d, slope, y, &at.v),
        }
    }

    /// From the gradient `t` at `d`: adds that at `y`, and sets those at the targets.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of_y: &mut [f32],
        of: &mut Targets,
        t: &[f32],
    ) {
        match *self {
            Self::Affine { slope } => affine_backward(simd, of_y, &mut of.v, slope, t),
        }
    }
}

vectorized! {
    /// `d = slope · y − v`.
    fn affine(simd, d: &mut [f32], slope: f32, y: &[f32], v: &[f32]) {
        for (d, (y, v)) in vectors_mut(simd, d).iter_mut().zip(vectors(simd, y).iter().zip(vectors(simd, v))) {
            *d = (V::new(simd, *y) * slope - V::new(simd, *v)).raw;
        }
    }
}

vectorized! {
    /// The adjoint of [`affine`].
    fn affine_backward(simd, of_y: &mut [f32], of_v: &mut [f32], slope: f32, t: &[f32]) {
        let of = vectors_mut(simd, of_y).iter_mut().zip(vectors_mut(simd, of_v));
        for ((of_y, of_v), t) in of.zip(vectors(simd, t)) {
            let t = V::new(simd, *t);
            *of_y = (V::new(simd, *of_y) + t * slope).raw;
            *of_v = (t * -1.0).raw;
        }
    }
}
