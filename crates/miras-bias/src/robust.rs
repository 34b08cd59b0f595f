//! Squared error against the worst value near the given one.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "robust",
    summary: "Squared error against the worst value within a radius of the given one.",
    formula: "l(y, v) = max over |u| <= Delta of 1/2 |y - v - u|^2 = 1/2 |e|^2 + Delta |e| + 1/2 Delta^2,   dl/dy = e (1 + Delta/|e|);   e = y - v",
    reference: "MIRAS, arXiv 2504.13173, Eq. 17",
    keys: &[(
        "radius",
        "Delta, how far the true value may lie from the given one, in units of the values; from 0 (l2) to 1e6 (default 0.1)",
    )],
    variants: &["radius = 0.3"],
    build: |section| {
        let robust = section.part::<Robust>()?;
        if !(0.0..=LARGEST).contains(&robust.radius) {
            let message = format!("radius must be from 0 to {LARGEST}");
            let help = "0.1 is the default; radius = 0 is bias.kind = \"l2\"";
            return Err(section.error("radius", message, Some(help.into())));
        }
        Ok(Arc::new(robust))
    },
};

/// Squared error against the worst value within a radius.
///
/// # Formula
/// With `e = y − v`: `ℓ = max_{‖u‖₂ ≤ Δ} ½‖y − (v + u)‖² = ½‖e‖² + Δ‖e‖₂ + ½Δ²`,
/// `∂ℓ/∂y = e (1 + Δ/‖e‖₂)`: l2's write and one of size Δ in the same direction.
///
/// # Shapes
/// `y`, `v` and the gradient: `[n, g, c, d]`; the loss: `[n, g, c, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 17.
///
/// # Notes
/// At `e = 0` the gradient has a jump of size Δ; `‖e‖₂` is `√(‖e‖₂² + 1e-6)` here, in loss
/// and gradient alike. Δ is one fixed number, and 0.1 is our choice. A radius of 0 is l2,
/// exact chunk form included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Robust {
    /// Δ, ≥ 0.
    pub radius: f64,
}

impl Default for Robust {
    fn default() -> Self {
        Self { radius: 0.1 }
    }
}

/// Beyond this float32 has no room for the square.
const LARGEST: f64 = 1e6;
/// Added to `‖e‖²`, so that the norm has a derivative at 0.
const GUARD: f64 = 1e-6;

impl AttentionalBias for Robust {
    fn gradient(&self) -> Term {
        let e = Term::error();
        let norm = (e.square().sum(Extent::Row) + GUARD).sqrt();
        e * (norm.recip() * self.radius + 1.0)
    }

    fn loss(&self) -> Option<Term> {
        let square = Term::error().square().sum(Extent::Row);
        let norm = (&square + GUARD).sqrt();
        Some(square * 0.5 + (norm * self.radius + 0.5 * self.radius * self.radius))
    }

    fn slope(&self) -> Option<f64> {
        (self.radius == 0.0).then_some(1.0)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
