//! The Bregman divergence of the binary entropy: the weights are sigmoids, the state their logits.

use std::sync::Arc;

use miras_core::{GateSpec, Link, Part, RetentionGate, Term, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "sigmoid",
    summary: "Stay near the past in the Bregman divergence of the binary entropy: every weight is a scaled sigmoid of its state, and so is bounded.",
    formula: "A_t = a_t A_{t-1} - theta_t G(W_{t-1}),   W = c sigma(A), each weight in (0, c);   signed: W = c tanh(A/2), in (-c, c);   anchored: A_init + A in the place of A",
    reference: "MIRAS, arXiv 2504.13173, section 5.2, variant 5 (Bregman divergences), with F' = logit; signed: this project",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "scale",
            "c, the bound of a weight, from 1e-6 to 1e6; 1 is the paper's; default twice the root of the row's length, inverted",
        ),
        (
            "signed",
            "true: the difference of two sigmoids, so that weights have both signs; default true for memories without a norm",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9\nsigned = false\nscale = 1.0",
        "anchored = false\ndecay = 0.9\nsigned = true",
        "anchored = true\ndecay = 0.9\nsigned = false",
        "anchored = true\ndecay = 0.9\nsigned = true\nscale = 1.5",
    ],
    build: |section| {
        let sigmoid = section.part::<Sigmoid>()?;
        sigmoid.gate.check(section, sigmoid.decay)?;
        let is_size = |scale: f64| (1e-6..=1e6).contains(&scale);
        if sigmoid.scale.is_some_and(|scale| !is_size(scale)) {
            let message = "scale is the bound of a weight: from 1e-6 to 1e6";
            let help = "leave it out for one that falls with the width, or use 1 (MIRAS)";
            return Err(section.error("scale", message, Some(help.to_owned())));
        }
        Ok(Arc::new(sigmoid))
    },
};

/// The Bregman divergence of the binary entropy.
///
/// # Formula
/// `W_t = c·σ(a_t logit(W_{t−1}/c) − θ_t ∇ℓ(W_{t−1}))` entry by entry, which is
/// `A_t = a_t A_{t−1} − θ_t ∇ℓ(W_{t−1})`, `W = c·σ(A)` exactly.
/// Signed: `W = c·(σ(A) − σ(−A)) = c·tanh(A/2)`.
/// Anchored: the same of `A_init + A`, where `A` starts at 0.
///
/// # Shapes
/// Entry by entry of a map, `[n, g, d_in, d_out]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), §5.2, variant 5: `W = (F′)⁻¹(F′(W′) − η ∇ℓ)`, with
/// `F(w) = w log w + (1 − w) log(1 − w)`, `F′ = logit`. Signed is ours, after EG± (Kivinen and
/// Warmuth, Information and Computation 132, 1997).
///
/// # Notes
/// - Logits instead of weights: no logarithm, and the chunk's linear sum is exact at its end.
/// - `σ(A)` is computed as `½ (1 + tanh(A/2))`, which the kernels of the CPU have. A weight stays
///   inside its bounds in exact arithmetic; in float32 one with `|A|` above 17 is rounded to the
///   bound.
/// - Decay leads to `A = 0`, the middle of the range: `c/2`, or 0 if signed. Anchored leads to the
///   initial weights.
/// - The outer loop learns the initial *logits*: the learned tensor is scaled so that they start
///   with deviation 1.
/// - The paper has `c = 1`. With `c = 2/√d_out` a row has weights of `1/√d_out` at `A = 0`, as
///   with retention `kl`, whatever the width.
/// - Unsigned weights are all positive: outputs get signs only behind a norm that removes the
///   mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sigmoid {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `A` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// `c`; `None` is `2/√d_out` of each map.
    pub scale: Option<f64>,
    /// Whether weights have both signs.
    pub signed: bool,
}

impl Default for Sigmoid {
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

impl RetentionGate for Sigmoid {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        let tanh = (Term::argument() * 0.5).tanh();
        let share = if self.signed { tanh } else { tanh * 0.5 + 0.5 };
        Link::General(match self.scale {
            Some(scale) => share * scale,
            None => (share * 2.0).times_row_length(-0.5),
        })
    }

    /// Logits of deviation 1 from weights uniform in `±√(6/(d_in + d_out))`.
    fn initial(&self, [d_in, d_out]: [usize; 2]) -> Term {
        Term::argument() * ((d_in + d_out) as f64 / 2.0).sqrt()
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
