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

    /// Whether a token has an erase key beside the write key, under which its value is written.
    /// Then the loss is one of what is recalled at both: `y`, and its gradient, have the features
    /// at the erase key and then those at the write key.
    fn has_erase_key(&self) -> bool {
        false
    }

    /// `∂ℓ/∂y` in closed form.
    ///
    /// # Shapes
    /// `v`: `[n, g, c, d]`; `y` and result: the same, or `[n, g, c, 2d]` with an
    /// [erase key](Self::has_erase_key); gates: `[n, g, c, 1]`.
    fn gradient(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Tensor<4>;

    /// `ℓ(y, v)` per token, `[n, g, c, 1]`; `None` where the gradient is not that of a loss.
    fn loss(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Option<Tensor<4>>;

    /// `Some(σ)` if the gradient is affine, `∂ℓ/∂y = σ y − v`: then a matrix
    /// memory has an exact chunk form. With an [erase key](Self::has_erase_key), `σ y` at that and
    /// `−v` at the write key.
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
