//! Absolute error beyond a tolerance, with smooth signs in its gradient.

use std::{f64::consts::LN_2, sync::Arc};

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::sign::{SHARPNESS, check, smooth_sign};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "epsilon_insensitive",
    summary: "Absolute error beyond a tolerance, the loss of support vector regression: features within it write next to nothing.",
    formula: "l(y, v) = sum max(|e| - epsilon, 0),   dl/dy = 1/2 (tanh(nu (e - epsilon)) + tanh(nu (e + epsilon))), which is sign(e) where |e| > epsilon and 0 elsewhere for nu -> infinity;   e = y - v",
    reference: "this project",
    keys: &[
        (
            "epsilon",
            "how far a feature may be off before it writes, in units of the values; from 1e-6 to 1e6 (default 0.3)",
        ),
        (
            "sharpness",
            "nu of tanh(nu e), which stands for the sign; from 0.001 to 1000 (default 10); below 3/epsilon the tolerance is not flat",
        ),
    ],
    variants: &["", "epsilon = 0.5\nsharpness = 4.0"],
    build: |section| {
        let part = section.part::<EpsilonInsensitive>()?;
        if !(SMALLEST..=LARGEST).contains(&part.epsilon) {
            let message = format!("epsilon must be from {SMALLEST:e} to {LARGEST:e}");
            let help = "0.3 is the default; bias.kind = \"l1\" is the limit of a small epsilon";
            return Err(section.error("epsilon", message, Some(help.into())));
        }
        check(section, part.sharpness)?;
        Ok(Arc::new(part))
    },
};

/// Absolute error beyond a tolerance.
///
/// # Formula
/// With `e = y − v`, over the features: `ℓ = Σ max(|e| − ε, 0)`, `∂ℓ/∂y = sign(e) 1[|e| > ε]`,
/// with both signs of `½ (sign(e − ε) + sign(e + ε))` smooth:
/// `∂ℓ/∂y = ½ (tanh(ν (e − ε)) + tanh(ν (e + ε)))`, the gradient of
/// `Σ (log cosh(ν (e − ε)) + log cosh(ν (e + ε)) − 2 log cosh(ν ε)) / 2ν`.
///
/// # Shapes
/// `y`, `v` and the gradient: `[n, g, c, d]`; the loss: `[n, g, c, 1]`.
///
/// # Reference
/// None as a bias of a memory. As a loss of regression: Vapnik, The Nature of Statistical Learning
/// Theory, Springer 1995, chapter 6; Smola and Schölkopf, Statistics and Computing 14 (2004), Eq. 4.
/// The smooth sign is that of MIRAS (arXiv 2504.13173), Remark 5.
///
/// # Notes
/// Without a smooth sign the outer loss would have no gradient through what is written. The smooth
/// one leaks into the tolerance: at `e = 0` the gradient has the slope `ν / cosh²(ν ε)`, which is
/// 0.1 at the defaults (`ν ε = 3`). As ε → 0 the bias is `l1` of the same sharpness, and as
/// ν → ∞ it is the loss of support vector regression. Values that are recalled within ε are not
/// corrected further, so that a step size up to `2 ε` does not swing around them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpsilonInsensitive {
    /// ε, > 0.
    pub epsilon: f64,
    /// ν of `tanh(ν e)`, > 0.
    pub sharpness: f64,
}

impl Default for EpsilonInsensitive {
    fn default() -> Self {
        Self {
            epsilon: 0.3,
            sharpness: SHARPNESS,
        }
    }
}

/// The range of the tolerance.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e6;

/// `log cosh x = |x| + log(1 + exp(−2|x|)) − log 2`, where nothing overflows.
fn log_cosh(x: &Term) -> Term {
    let x = x.abs();
    &x + (&x * -2.0).softplus() + -LN_2
}

impl AttentionalBias for EpsilonInsensitive {
    fn gradient(&self) -> Term {
        let e = Term::error();
        let sign = |shift: f64| smooth_sign(&(&e + shift), self.sharpness);
        (sign(-self.epsilon) + sign(self.epsilon)) * 0.5
    }

    fn loss(&self) -> Option<Term> {
        let e = Term::error();
        let of_shifted = |shift: f64| log_cosh(&((&e + shift) * self.sharpness));
        let bend = self.sharpness * self.epsilon;
        let at_zero = bend + (-2.0 * bend).exp().ln_1p() - LN_2;
        let loss = (of_shifted(-self.epsilon) + of_shifted(self.epsilon)) * 0.5 + -at_zero;
        Some(loss.sum(Extent::Row) * self.sharpness.recip())
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
