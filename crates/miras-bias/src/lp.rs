//! The p-th power of the error.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::sign::{SHARPNESS, only_with, smooth_sign};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "lp",
    summary: "The p-th power of the error: p = 3 is MONETA's, below 2 outliers write less than under l2.",
    formula: "smooth: l(y, v) = sum (e^2 + eps)^(p/2), dl/dy = p e (e^2 + eps)^(p/2 - 1);   paper: p tanh(nu e) (e^2 + eps)^((p - 1)/2), the gradient of no loss;   e = y - v",
    reference: "MIRAS, arXiv 2504.13173, Eqs. 10 and 11, Remark 5 (form = \"paper\")",
    keys: &[
        (
            "p",
            "the power, from 1 to 8 (default 3); at 2 the gradient is twice that of l2",
        ),
        (
            "form",
            "\"smooth\": the gradient of a loss (default); \"paper\": the smooth sign and modulus of MIRAS",
        ),
        (
            "epsilon",
            "eps, which keeps derivatives finite at e = 0; from 1e-12 to 1 (default 1e-6)",
        ),
        (
            "sharpness",
            "nu of tanh(nu e), which stands for the sign in form = \"paper\"; from 0.001 to 1000 (default 10)",
        ),
    ],
    variants: &["", "form = 'paper'\np = 1.5\nsharpness = 3.0"],
    build: |section| {
        let mut lp = section.part::<Lp>()?;
        if !(1.0..=LARGEST).contains(&lp.p) {
            let message =
                format!("p must be from 1 (below it the loss is not convex) to {LARGEST}");
            let help =
                "3 is MONETA's; bias.kind = \"huber\" or \"l1\" for outliers that write little";
            return Err(section.error("p", message, Some(help.into())));
        }
        if !(SMALLEST_EPSILON..=1.0).contains(&lp.epsilon) {
            let message = format!("epsilon must be from {SMALLEST_EPSILON:e} to 1");
            let help = "1e-6 is the paper's; at 0 derivatives are infinite where e = 0";
            return Err(section.error("epsilon", message, Some(help.into())));
        }
        let is_paper = lp.form == LpForm::Paper;
        lp.sharpness = only_with(section, lp.sharpness, "form = \"paper\"", is_paper)?;
        Ok(Arc::new(lp))
    },
};

/// The p-th power of the error.
///
/// # Formula
/// With `e = y − v`, feature by feature:
/// - smooth: `ℓ = Σ (e² + ε)^{p/2}`, `∂ℓ/∂y = p e (e² + ε)^{p/2−1}`;
/// - paper: `p tanh(ν e) (e² + ε)^{(p−1)/2}`, which is the gradient of no loss.
///
/// Both are `‖e‖_p^p` and `p sign(e) |e|^{p−1}` in the limit (ε → 0, ν → ∞).
///
/// # Shapes
/// `y`, `v` and the gradient: `[n, g, c, d]`; the loss: `[n, g, c, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eqs. 10 and 11, Remark 5; MONETA is `p = 3`.
///
/// # Notes
/// The paper replaces sign and modulus each by a smooth one, and what results belongs to
/// no loss; "smooth" differentiates one smooth loss instead and is our default. ε is the
/// paper's, ν ("large") has no number there.
/// Above `p = 2` the gradient grows faster than the error: one outlier can throw a memory
/// off, and `algorithm.grad_cap` bounds it. At `p = 2` the gradient is `2e`, twice that of l2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lp {
    /// The power, ≥ 1.
    pub p: f64,
    /// How the kink at 0 is smoothed.
    pub form: LpForm,
    /// ε, > 0.
    pub epsilon: f64,
    /// ν of the smooth sign, > 0; read by [`LpForm::Paper`] alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f64>,
}

/// How the kink at 0 is smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LpForm {
    /// In the loss, of which the gradient is taken.
    Smooth,
    /// In the gradient, sign and modulus each for itself.
    Paper,
}

impl Default for Lp {
    fn default() -> Self {
        Self {
            p: 3.0,
            form: LpForm::Smooth,
            epsilon: 1e-6,
            sharpness: None,
        }
    }
}

/// Beyond this power an error of 1e5 has none in float32.
const LARGEST: f64 = 8.0;
/// Below this a derivative at `e = 0` has no room in float32.
const SMALLEST_EPSILON: f64 = 1e-12;

impl AttentionalBias for Lp {
    fn gradient(&self) -> Term {
        let e = Term::error();
        let square = e.square() + self.epsilon;
        match self.form {
            LpForm::Smooth => e * self.p * square.power(0.5 * self.p - 1.0),
            LpForm::Paper => {
                let sign = smooth_sign(&e, self.sharpness.unwrap_or(SHARPNESS));
                sign * self.p * square.power(0.5 * (self.p - 1.0))
            }
        }
    }

    fn loss(&self) -> Option<Term> {
        let square = Term::error().square() + self.epsilon;
        (self.form == LpForm::Smooth).then(|| square.power(0.5 * self.p).sum(Extent::Row))
    }

    fn is_superlinear(&self) -> bool {
        self.p > 2.0
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
