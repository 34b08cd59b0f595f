//! The delta rule with a key of its own for what is erased.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "erase",
    summary: "What is recalled at an erase key is taken away, and the value is written under another: the generalised delta rule of RWKV-7.",
    formula: "l = 1/2 |M(e)|^2 - <M(k), v>,   dl/dM(e) = M(e),   dl/dM(k) = -v",
    reference: "RWKV-7, arXiv 2503.14456, section 4.1 (its removal key and replacement key)",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Erase>()?)),
};

/// The delta rule with two keys.
///
/// # Formula
/// `ℓ = ½‖M(e)‖² − ⟨M(k), v⟩` with an erase key `e` and a write key `k`; on a matrix,
/// `∇ℓ = eᵀ(e W) − kᵀ v`. With `e = k` it is the gradient of `l2`.
///
/// # Reference
/// RWKV-7 (arXiv 2503.14456), §4.1.
///
/// # Notes
/// - The layer makes `e` of the features of `k`, each times a learned number that starts at 1, and
///   normalises both (RWKV-7's removal key multiplier).
/// - RWKV-7 erases with a rate per channel, which `algorithm.channels = "key"` is, and writes with
///   one that it learns to mix with it; here both are the same.
/// - The load cap adds the products of both keys, so that with `e = k` a token's load is twice that
///   under `l2`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Erase {}

impl AttentionalBias for Erase {
    fn gradient(&self) -> Term {
        -Term::value()
    }

    fn erase_gradient(&self) -> Option<Term> {
        Some(Term::erased())
    }

    fn loss(&self) -> Option<Term> {
        let erased = Term::erased().square().sum(Extent::Row) * 0.5;
        Some(erased - (Term::recalled() * Term::value()).sum(Extent::Row))
    }

    fn slope(&self) -> Option<f64> {
        Some(1.0)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
