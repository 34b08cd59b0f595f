//! Divergence of distributions: values and outputs are logits.

use std::sync::Arc;

use burn::tensor::{
    Tensor,
    activation::{log_softmax, softmax},
};
use miras_core::{AttentionalBias, Gates, Part, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "kl",
    summary: "Kullback-Leibler divergence of values and outputs read as logits: writes stay below size sqrt(2).",
    formula: "l(y, v) = KL(softmax(v) || softmax(y)),   dl/dy = softmax(y) - softmax(v)",
    reference: "this project",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Kl>()?)),
};

/// Kullback-Leibler divergence of distributions over the features.
///
/// # Formula
/// `ℓ(y, v) = KL(softmax(v) ‖ softmax(y)) = Σ softmax(v) (log softmax(v) − log softmax(y))`,
/// `∂ℓ/∂y = softmax(y) − softmax(v)`.
///
/// # Shapes
/// The softmax is over the features of one memory: `y`, `v` and the gradient `[n, g, c, d]`,
/// the loss `[n, g, c, 1]`.
///
/// # Reference
/// None as a bias. MIRAS (arXiv 2504.13173) uses this divergence as a retention gate; as an
/// inner loss it is our extension.
///
/// # Notes
/// The loss sees `y` up to a number added to all of its features: what the memory recalls
/// are logits, not the value itself. The gradient sums to 0 and its norm is below √2.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kl {}

impl AttentionalBias for Kl {
    fn gradient(&self, y: Tensor<4>, v: Tensor<4>, _gates: &Gates) -> Tensor<4> {
        softmax(y, 3) - softmax(v, 3)
    }

    fn loss(&self, y: Tensor<4>, v: Tensor<4>, _gates: &Gates) -> Option<Tensor<4>> {
        let (y, v) = (log_softmax(y, 3), log_softmax(v, 3));
        Some((v.clone().exp() * (v - y)).sum_dim(3))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
