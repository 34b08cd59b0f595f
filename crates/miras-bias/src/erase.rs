//! The delta rule with a key of its own for what is erased.

use std::sync::Arc;

use burn::tensor::{Tensor, s};
use miras_core::{AttentionalBias, Gates, Part, table_of};
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

/// What is recalled at the erase key, and at the write key.
fn halves(y: &Tensor<4>) -> [Tensor<4>; 2] {
    let d = y.dims()[3] / 2;
    let [e, k] = [0..d, d..2 * d].map(|features| y.clone().slice(s![.., .., .., features]));
    [e, k]
}

impl AttentionalBias for Erase {
    fn has_erase_key(&self) -> bool {
        true
    }

    fn gradient(&self, y: Tensor<4>, v: Tensor<4>, _gates: &Gates) -> Tensor<4> {
        let [erased, _] = halves(&y);
        Tensor::cat(vec![erased, v.neg()], 3)
    }

    fn loss(&self, y: Tensor<4>, v: Tensor<4>, _gates: &Gates) -> Option<Tensor<4>> {
        let [erased, written] = halves(&y);
        let recalled = erased.powi_scalar(2).sum_dim(3).mul_scalar(0.5);
        Some(recalled - (written * v).sum_dim(3))
    }

    fn slope(&self) -> Option<f64> {
        Some(1.0)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
