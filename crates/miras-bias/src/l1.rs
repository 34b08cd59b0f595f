//! Absolute error, with a smooth sign as its gradient.

use std::{f64::consts::LN_2, sync::Arc};

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::sign::{SHARPNESS, check, smooth_sign};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "l1",
    summary: "Absolute error with a smooth sign (the loss is log cosh): every write has about the same size, whatever the error's.",
    formula: "l(y, v) = sum log cosh(nu e) / nu,   dl/dy = tanh(nu e);   e = y - v",
    reference: "MIRAS, arXiv 2504.13173, Eq. 12 and Remark 5",
    keys: &[(
        "sharpness",
        "nu of tanh(nu e), which stands for the sign; from 0.001 to 1000 (default 10)",
    )],
    variants: &[""],
    build: |section| {
        let l1 = section.part::<L1>()?;
        check(section, l1.sharpness)?;
        Ok(Arc::new(l1))
    },
};

/// Absolute error with a smooth sign.
///
/// # Formula
/// With `e = y − v`, over the features: `ℓ = Σ log cosh(ν e) / ν`, `∂ℓ/∂y = tanh(ν e)`.
/// Far from 0 the loss is `|e| − ln 2 / ν`, near it `½ν e²`.
///
/// # Shapes
/// `y`, `v` and the gradient: `[n, g, c, d]`; the loss: `[n, g, c, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 12 (its "value-less" memory, which keeps signs alone),
/// with the sign of Remark 5.
///
/// # Notes
/// The paper writes the gradient `tanh(ν e)` and gives neither ν nor the loss it belongs to:
/// 10 and the loss above are ours. `sharpness = 1` is the loss log cosh, squared near the target.
/// Within `1/ν` of its target a value is learned ν times as
/// fast as under l2, so a step size above `2/ν` swings around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {
    /// ν of `tanh(ν e)`, > 0.
    pub sharpness: f64,
}

impl Default for L1 {
    fn default() -> Self {
        Self {
            sharpness: SHARPNESS,
        }
    }
}

impl AttentionalBias for L1 {
    fn gradient(&self) -> Term {
        smooth_sign(&Term::error(), self.sharpness)
    }

    fn loss(&self) -> Option<Term> {
        // log cosh x = |x| + log(1 + exp(−2|x|)) − log 2, where nothing overflows.
        let x = (Term::error() * self.sharpness).abs();
        let log_cosh = &x + (&x * -2.0).softplus() + -LN_2;
        Some(log_cosh.sum(Extent::Row) * self.sharpness.recip())
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
