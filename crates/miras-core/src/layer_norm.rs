//! Layer normalisation inside a memory, with its backward pass by hand.

use burn::tensor::Tensor;

const EPSILON: f64 = 1e-5;

/// A normalised row and what its backward pass needs.
pub(crate) struct Normalised {
    /// `(h − mean) / √(var + ε)`, before the gain.
    pub(crate) value: Tensor<4>,
    /// `1 / √(var + ε)`, one a row.
    scale: Tensor<4>,
}

impl Normalised {
    /// Normalises each row of `h` over its features.
    pub(crate) fn new(h: Tensor<4>) -> Self {
        let centred = h.clone() - h.mean_dim(3);
        let variance = centred.clone().powi_scalar(2).mean_dim(3);
        let scale = variance.add_scalar(EPSILON).sqrt().recip();
        Self {
            value: centred * scale.clone(),
            scale,
        }
    }

    /// The gradient at `h` from the gradient `g` at [`value`](Self::value).
    pub(crate) fn backward(&self, g: Tensor<4>) -> Tensor<4> {
        let along = (g.clone() * self.value.clone()).mean_dim(3);
        (g.clone() - g.mean_dim(3) - self.value.clone() * along) * self.scale.clone()
    }
}
