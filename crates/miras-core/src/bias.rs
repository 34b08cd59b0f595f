//! Axis 2: the inner loss a memory is trained on.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::{GateSpec, Gates};

/// An attentional bias: the loss of recalling `v` as `y`, token by token.
pub trait AttentionalBias: Debug + Send + Sync {
    /// The data-dependent gates it reads.
    fn gates(&self) -> Vec<GateSpec> {
        Vec::new()
    }

    /// `∂ℓ/∂y` in closed form.
    ///
    /// # Shapes
    /// `y`, `v`, result: `[n, g, c, d]`; gates: `[n, g, c, 1]`.
    fn gradient(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Tensor<4>;

    /// `ℓ(y, v)` per token, `[n, g, c, 1]`; `None` where the gradient is not that of a loss.
    fn loss(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Option<Tensor<4>>;

    /// `Some(σ)` if the gradient is affine, `∂ℓ/∂y = σ y − v`: then a matrix
    /// memory has an exact chunk form.
    fn slope(&self) -> Option<f64> {
        None
    }

    /// Whether the gradient grows faster than the error: then far errors write without bound, and
    /// gradients are capped by default.
    fn is_superlinear(&self) -> bool {
        false
    }

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}
