//! Divergence of distributions: values and outputs are logits.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
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
    fn gradient(&self) -> Term {
        Term::recalled().softmax() - Term::value().softmax()
    }

    fn loss(&self) -> Option<Term> {
        let (y, v) = (Term::recalled().log_softmax(), Term::value().log_softmax());
        Some((v.exp() * (v - y)).sum(Extent::Row))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
