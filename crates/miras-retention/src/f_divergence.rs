//! An f-divergence from fixed weights: those are multiplied by a function of the state.

use std::sync::Arc;

use miras_core::{GateSpec, Link, Part, RetentionGate, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "f_divergence",
    summary: "Stay near equal positive weights in an f-divergence, half of chi-squared plus the reverse KL: weights are positive, grow with their state, and fall as its inverse where it is below 0.",
    formula: "A_t = a_t A_{t-1} - theta_t G(W_{t-1}),   W = w g(A),   g(A) = (A + sqrt(A^2 + 4))/2, the inverse of f'(u) = u - 1/u,   f(u) = (u^2 - 1)/2 - log u;   anchored: A_init + A in the place of A",
    reference: "MIRAS, arXiv 2504.13173, Eq. 18 (f-divergences) in the form of Eq. 7 (FTRL); the choice of f: this project",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "scale",
            "w, the weight of a state of 0, from 1e-6 to 1e6; default the root of the row's length, inverted",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9",
        "anchored = true\ndecay = 0.9\nscale = 0.4",
    ],
    build: |section| {
        let divergence = section.part::<FDivergence>()?;
        divergence.gate.check(section, divergence.decay)?;
        let is_size = |scale: f64| (1e-6..=1e6).contains(&scale);
        if divergence.scale.is_some_and(|scale| !is_size(scale)) {
            let message = "scale is the weight of a state of 0: from 1e-6 to 1e6";
            let help = "leave it out for one that falls with the width".to_owned();
            return Err(section.error("scale", message, Some(help)));
        }
        Ok(Arc::new(divergence))
    },
};

/// An f-divergence from fixed weights.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t ∇ℓ(W_{t−1})`, `W = w·g(A)` entry by entry, `g = (f′)⁻¹`, which is the
/// smallest of `⟨−A, W⟩ + Σ w f(W/w)` over positive weights. With
/// `f(u) = ½(u² − 1) − log u`: `f′(u) = u − 1/u`, `g(A) = ½(A + √(A² + 4))`.
/// Anchored: the same of `A_init + A`, where `A` starts at 0.
///
/// # Shapes
/// Entry by entry of a map, `[n, g, d_in, d_out]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 18, as the regulariser of Eq. 7. This `f` is `½(u − 1)²` (half of
/// Pearson's χ²) plus `u − 1 − log u` (the reverse KL divergence); the link is known as an activation
/// (`squareplus`, arXiv 2112.11687).
///
/// # Notes
/// - Eq. 18 measures the divergence from the weights before, `W_t = W_{t−1} g(−ζ_t − η ∇ℓ)`, with a
///   number `ζ_t` a row for which the row keeps its sum. Only for KL is that a linear recurrence of
///   some state (retention `kl`), which chunks need. Here the divergence is from the same weights `w`
///   at all times (follow the regularised leader, as retention `elastic_net`), so that the state is
///   the decayed sum of the gradients.
/// - Rows need not keep their sum: without `ζ` the link is a formula of its own entry, and no root is
///   searched for. It asks for an `f′` that takes every value and has an inverse in closed form:
///   χ² alone gives weights below 0, the reverse KL and Hellinger's have a pole in the state.
/// - Weights are positive, so outputs get signs only behind a norm that removes the mean. There is no
///   signed form: `g(A) − g(−A) = A`, which is retention `l2`.
/// - The outer loop learns the initial *states*: the learned tensor is scaled so that they start with
///   deviation 1. Decay leads to `w`, anchored to the initial weights.
/// - `g` is computed as `2/(√(A² + 4) − A)` where `A ≤ 0`: a difference would round to 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FDivergence {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `A` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// `w`; `None` is `1/√d_out` of each map.
    pub scale: Option<f64>,
}

impl Default for FDivergence {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            anchored: false,
            scale: None,
        }
    }
}

/// `½(A + √(A² + 4))`; neither branch is infinite where the other one is taken.
fn link(state: &Term) -> Term {
    let root = (state.square() + 4.0).sqrt();
    let (below, above) = (state.at_most(0.0), state.at_least(0.0));
    let falling = (&root - below).recip() * 2.0;
    let rising = (&root + above) * 0.5;
    state.where_at_most(&(state * 0.0), &falling, &rising)
}

impl RetentionGate for FDivergence {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        let share = link(&Term::argument());
        Link::General(match self.scale {
            Some(scale) => share * scale,
            None => share.times_row_length(-0.5),
        })
    }

    /// States of deviation 1 from weights uniform in `±√(6/(d_in + d_out))`.
    fn initial(&self, [d_in, d_out]: [usize; 2]) -> Term {
        Term::argument() * ((d_in + d_out) as f64 / 2.0).sqrt()
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
