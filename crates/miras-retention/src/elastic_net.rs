//! An elastic net: decay, and weights that vanish below a threshold.

use std::sync::Arc;

use miras_core::{GateSpec, Link, Part, RetentionGate, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "elastic_net",
    summary: "Decay, and a soft threshold that makes small weights exactly zero.",
    formula: "A_t = a_t A_{t-1} - theta_t G(W_{t-1}),   W = sign(A) max(|A| - gamma, 0);   smooth: W = |A| atan(A/gamma) 2/pi;   anchored: A_init + A in the place of A",
    reference: "MIRAS, arXiv 2504.13173, Eq. 23 (FTRL form) with the decay of Eq. 22; the smooth surrogate is that of its section 5.2",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "threshold",
            "gamma: states below it are zero weights, 0 or more; 0 is retention.kind = \"l2\"; default 0.01",
        ),
        (
            "smooth",
            "true: the differentiable surrogate, which is nowhere exactly zero; default false",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9\nthreshold = 0.1",
        "anchored = true\ndecay = 0.9\nthreshold = 0.1",
        "anchored = false\ndecay = 0.9\nthreshold = 0.1\nsmooth = true",
    ],
    build: |section| {
        let net = section.part::<ElasticNet>()?;
        net.gate.check(section, net.decay)?;
        let least = if net.smooth { 1e-6 } else { 0.0 };
        if !(least..=1e6).contains(&net.threshold) {
            let message = format!("threshold is a size of weights: from {least} to 1e6 here");
            return Err(section.error("threshold", message, None));
        }
        Ok(Arc::new(net))
    },
};

/// An elastic net.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t ∇ℓ(W_{t−1})`, `W = S_γ(A) = sign(A)·max(|A| − γ, 0)`;
/// smooth: `W = |A|·atan(A/γ)·2/π`; anchored: the same of `A_init + A`, where `A` starts at 0.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 23: the follow-the-regularised-leader form, to which the l2
/// part of Eq. 22 adds the decay.
///
/// # Notes
/// - Eq. 22 thresholds the recurrent state itself, which no chunk form can hold; this is the form
///   whose state stays linear.
/// - The state of the initial weights is `A_init = W_init + γ sign(W_init)`, for which
///   `S_γ(A_init) = W_init`; with the
///   surrogate at `W_init`, whose weights then begin smaller by at most `2γ/π`.
/// - Weights at zero pass no gradient to the outer loop; the surrogate passes it everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticNet {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `A` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// γ.
    pub threshold: f64,
    /// Whether the surrogate is used.
    pub smooth: bool,
}

impl Default for ElasticNet {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            anchored: false,
            threshold: 0.01,
            smooth: false,
        }
    }
}

impl RetentionGate for ElasticNet {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        let state = Term::argument();
        let gamma = self.threshold;
        if gamma == 0.0 {
            Link::Identity
        } else if self.smooth {
            let turn = (&state * gamma.recip()).atan();
            Link::General(state.abs() * (turn * std::f64::consts::FRAC_2_PI))
        } else {
            Link::General(&state - state.at_least(-gamma).at_most(gamma))
        }
    }

    fn initial(&self, _: [usize; 2]) -> Term {
        let weights = Term::argument();
        if self.smooth {
            weights
        } else {
            &weights + weights.sign() * self.threshold
        }
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
