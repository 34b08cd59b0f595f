//! Dot-product similarity.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "dot",
    summary: "Dot-product similarity: Hebbian writes, as in linear attention and Mamba-2.",
    formula: "l(y, v) = -<y, v>,   dl/dy = -v",
    reference: "MIRAS, arXiv 2504.13173, Table 1 (Hebbian rows)",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Dot>()?)),
};

/// Dot-product similarity.
///
/// # Formula
/// `ℓ(y, v) = −⟨y, v⟩`, `∂ℓ/∂y = −v`: what is written does not depend on what
/// a matrix memory holds, so chunks are exact without a solve.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Table 1. With `−2⟨y, v⟩` and `‖W − aW'‖²` the same
/// update results; this is the convention without the 2.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dot {}

impl AttentionalBias for Dot {
    fn gradient(&self) -> Term {
        -Term::value()
    }

    fn loss(&self) -> Option<Term> {
        Some(-(Term::recalled() * Term::value()).sum(Extent::Row))
    }

    fn slope(&self) -> Option<f64> {
        Some(0.0)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
