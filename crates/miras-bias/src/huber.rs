//! Huber loss: squared near the target, linear far from it.

use std::sync::Arc;

use miras_core::{
    AttentionalBias, Extent, GateMap, GateSpec, Part, THRESHOLD, Term, inverse_softplus, table_of,
};
use serde::{Deserialize, Serialize};

use crate::sign::{SHARPNESS, only_with, smooth_sign};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "huber",
    summary: "Huber loss: as l2 up to a threshold, linear beyond it, so that outliers write little.",
    formula: "norm: dl/dy = e min(1, delta/|e|);   coordinate: dl/dy = clip(e, -delta, delta);   mix: e where |e| <= delta, else delta tanh(nu e), the gradient of no loss;   e = y - v",
    reference: "MIRAS, arXiv 2504.13173, Eq. 14 (coordinate), Eq. 15 (norm), Eqs. 16 and 26 (mix: YAAD)",
    keys: &[
        (
            "scope",
            "\"norm\" (of the whole error, default), \"coordinate\", or \"mix\" (norm inside, sign of each coordinate beyond)",
        ),
        (
            "delta",
            "threshold, > 0; where it starts if it is input-dependent",
        ),
        (
            "input_dependent",
            "true: delta = softplus(x W + b) per token and head",
        ),
        (
            "sharpness",
            "nu of tanh(nu e), which stands for the sign in scope = \"mix\"; from 0.001 to 1000 (default 10)",
        ),
    ],
    variants: &[
        "delta = 0.7",
        "scope = 'coordinate'\ndelta = 0.3",
        "delta = 0.7\ninput_dependent = true",
        "scope = 'mix'\ndelta = 0.7\ninput_dependent = true",
    ],
    build: |section| {
        let mut huber = section.part::<Huber>()?;
        if !(SMALLEST..=LARGEST).contains(&huber.delta) {
            let message = format!("delta must be from {SMALLEST} to {LARGEST}");
            let help = "bias.kind = \"l2\" is the limit of a large delta";
            return Err(section.error("delta", message, Some(help.into())));
        }
        let is_mix = huber.scope == Scope::Mix;
        huber.sharpness = only_with(section, huber.sharpness, "scope = \"mix\"", is_mix)?;
        Ok(Arc::new(huber))
    },
};

/// Huber loss.
///
/// # Formula
/// With `e = y − v`:
/// - norm: `H_δ(‖e‖₂)`, `∂ℓ/∂y = e · min(1, δ/‖e‖₂)`;
/// - coordinate: `Σ_j H_δ(e_j)`, `∂ℓ/∂y = clip(e, −δ, δ)`;
/// - mix: `e` where `‖e‖₂ ≤ δ`, else `δ tanh(ν e)`, which is the gradient of no loss,
///
/// where `H_δ(r) = ½r²` for `|r| ≤ δ` and `δ(|r| − ½δ)` beyond.
///
/// # Shapes
/// The threshold is one value per token and head, `[n, g, c, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 14 (coordinate), Eq. 15 (norm), Eqs. 16 and 26 (mix, the
/// bias of YAAD), Remark 5 (the smooth sign).
///
/// # Notes
/// The paper calls δ channel-wise but compares it with a norm; a value per head is
/// the reading taken here. Its activation is not given; softplus is our choice. Nor is the
/// sharpness ν of the sign, which is 10 here.
///
/// The mix jumps at the threshold: across it the gradient's norm goes from δ to up to `δ√d`.
/// Its δ is learned through the tokens beyond the threshold alone, never through which
/// tokens those are. The norm scope has the same threshold and no jump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    /// What is compared with the threshold.
    pub scope: Scope,
    /// The threshold, > 0.
    pub delta: f64,
    /// Whether the threshold is a gate, starting at `delta`.
    pub input_dependent: bool,
    /// ν of the smooth sign, > 0; read by [`Scope::Mix`] alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f64>,
}

/// What is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The norm of the error.
    Norm,
    /// Each coordinate of the error.
    Coordinate,
    /// The norm of the error, and beyond the threshold only signs are written.
    Mix,
}

impl Default for Huber {
    fn default() -> Self {
        Self {
            scope: Scope::Norm,
            delta: 1.0,
            input_dependent: false,
            sharpness: None,
        }
    }
}

/// The range of a threshold: beyond it float32 has no room for its square.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e6;

/// Below this a norm counts as 0, so that its derivative exists.
const TINY: f64 = 1e-12;

fn norm(e: &Term) -> Term {
    (e.square().sum(Extent::Row) + TINY).sqrt()
}

/// `H_δ(r)` for `r ≥ 0`.
fn huber(r: &Term, delta: &Term) -> Term {
    let inside = r.min(delta);
    inside.square() * 0.5 + delta * (r - inside)
}

impl AttentionalBias for Huber {
    fn gates(&self) -> Vec<GateSpec> {
        let (map, bias) = if self.input_dependent {
            (
                GateMap::Softplus { scale: 1.0 },
                inverse_softplus(self.delta),
            )
        } else {
            (GateMap::Constant(self.delta), 0.0)
        };
        let name = THRESHOLD;
        vec![GateSpec::new(name, map, bias)]
    }

    fn gradient(&self) -> Term {
        let delta = Term::gate(THRESHOLD);
        let e = Term::error();
        match self.scope {
            Scope::Norm => &e * (delta / norm(&e)).at_most(1.0),
            Scope::Coordinate => e.min(&delta).max(&-delta),
            Scope::Mix => {
                let sign = smooth_sign(&e, self.sharpness.unwrap_or(SHARPNESS));
                norm(&e).where_at_most(&delta, &e, &(&delta * sign))
            }
        }
    }

    fn loss(&self) -> Option<Term> {
        let delta = Term::gate(THRESHOLD);
        let e = Term::error();
        match self.scope {
            Scope::Norm => Some(huber(&norm(&e), &delta)),
            Scope::Coordinate => Some(huber(&e.abs(), &delta).sum(Extent::Row)),
            Scope::Mix => None,
        }
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
