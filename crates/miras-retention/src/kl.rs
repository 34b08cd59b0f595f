//! A KL penalty: the weights are softmax rows, the state their logits.

use std::sync::Arc;

use miras_core::{GateSpec, Link, Part, RetentionGate, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "kl",
    summary: "Stay near the past in KL divergence, with an entropy pull: every row of the weights is a scaled softmax (MEMORA).",
    formula: "Z_t = a_t Z_{t-1} - theta_t G(W_{t-1}),   W = c softmax(Z) by rows;   signed: W = c (softmax(Z) - softmax(-Z));   anchored: Z_init + Z in the place of Z",
    reference: "MIRAS, arXiv 2504.13173, Eq. 21 and 27, in the equal logit form; signed: EG+-, Kivinen and Warmuth 1997",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "scale",
            "c, what each row sums to (each half of it, if signed), > 0; default the root of the row's length",
        ),
        (
            "signed",
            "true: the difference of two softmaxes, so that weights have both signs; default true for memories without a norm",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9\nsigned = false",
        "anchored = false\ndecay = 0.9\nsigned = true\nscale = 2.5",
        "anchored = true\ndecay = 0.9\nsigned = true",
    ],
    build: |section| {
        let kl = section.part::<Kl>()?;
        kl.gate.check(section, kl.decay)?;
        if kl.scale.is_some_and(|scale| !(1e-6..=1e6).contains(&scale)) {
            let message = "scale is what a row of weights sums to: from 1e-6 to 1e6";
            return Err(section.error("scale", message, None));
        }
        Ok(Arc::new(kl))
    },
};

/// A KL penalty.
///
/// # Formula
/// `W_t = c·softmax(a_t log W_{t−1} − θ_t ∇ℓ(W_{t−1}))` row by row, which is
/// `Z_t = a_t Z_{t−1} − θ_t ∇ℓ(W_{t−1})`, `W = c·softmax(Z)` exactly.
/// Signed: `W = c·(softmax(Z) − softmax(−Z))`.
/// Anchored: `Z_t` is the distance from the initial logits, `W = c·softmax(Z_init + Z_t)`, which is
/// `W_t = c·softmax(a_t log W_{t−1} + (1 − a_t) log W_init − θ_t ∇ℓ(W_{t−1}))`: the pull is towards
/// the initial weights in the place of the uniform ones.
///
/// # Shapes
/// Rows are those of a map, `[n, g, d_in, d_out]`, each summing to `c` over its `d_out` entries.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 21 (with scale) and Eq. 27 (MEMORA).
/// Signed: the EG± algorithm (Kivinen and Warmuth, Information and Computation 132, 1997).
///
/// # Notes
/// - Logits instead of weights: no logarithm, nothing underflows, and the chunk's linear sum is
///   exact at its end; the paper's "lag token" (Eq. 30) is not needed.
/// - The outer loop learns the initial *logits*: the learned tensor is scaled so that they start
///   with deviation 1. The paper does not say how its positive weights start, which slice of a
///   map sums to `c`, or what `c` is.
/// - The paper's pull is towards uniform weights, which forgets the learned ones; anchored is ours.
/// - Unsigned weights are all positive: outputs get signs only behind a norm that removes the
///   mean. EG± keeps two sets of logits, moved against each other; begun as `±Z` they stay
///   `±Z`, so one set is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kl {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `Z` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// `c`; `None` is `√d_out` of each map.
    pub scale: Option<f64>,
    /// Whether weights have both signs.
    pub signed: bool,
}

impl Default for Kl {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            anchored: false,
            scale: None,
            signed: true,
        }
    }
}

impl RetentionGate for Kl {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        let logits = Term::argument();
        let positive = logits.softmax();
        let rows = if self.signed {
            positive - (-logits).softmax()
        } else {
            positive
        };
        Link::General(match self.scale {
            Some(scale) => rows * scale,
            None => rows.times_row_length(0.5),
        })
    }

    fn least_columns(&self) -> usize {
        2
    }

    /// Logits of deviation 1 from weights uniform in `±√(6/(d_in + d_out))`.
    fn initial(&self, [d_in, d_out]: [usize; 2]) -> Term {
        Term::argument() * ((d_in + d_out) as f64 / 2.0).sqrt()
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
