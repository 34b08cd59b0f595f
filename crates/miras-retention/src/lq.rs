//! An lq penalty: the state's direction in one norm, its weights in another.

use std::sync::Arc;

use miras_core::{Extent, GateSpec, Link, Part, RetentionGate, Term, rows::TINY, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "lq",
    summary: "The weights are the state through a norm (MONETA), as the paper prints it or as the mirror map of the q-norm.",
    formula: "A_t = a_t A_{t-1} - theta_t G(W_{t-1});   paper: W = A / |A|_q^(q-2);   p_norm: W = sign(A) |A|^(p-1) / |A|_p^(p-2), p = q/(q-1);   anchored: A_init + A in the place of A",
    reference: "MIRAS, arXiv 2504.13173, Eq. 24 (paper) and section 5.2, variant 4 (p_norm, with the power that is missing there)",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "q",
            "the norm, from 1.1 to 16; 2 makes the link the identity; with the paper's link not between 2.5 and 3.5",
        ),
        (
            "link",
            "\"paper\" (Eq. 24, a number times the state) or \"p_norm\" (the gradient of half the squared p-norm)",
        ),
        (
            "floor",
            "paper's link only: the least norm of a state that counts, so that weights stay finite as the state fades; default 0.1",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9",
        "anchored = true\ndecay = 0.9",
        "anchored = false\nlink = 'p_norm'\ndecay = 0.9",
        "anchored = true\nlink = 'p_norm'\ndecay = 0.9",
    ],
    build: |section| {
        let mut lq = section.part::<Lq>()?;
        lq.gate.check(section, lq.decay)?;
        if !(1.1..=16.0).contains(&lq.q) {
            let message = "q is the norm of the penalty: from 1.1 to 16";
            return Err(section.error("q", message, None));
        }
        match (lq.link, lq.floor) {
            (LqLink::PNorm, Some(_)) => {
                let message = "floor belongs to retention.link = \"paper\"";
                let help = "leave it out: the p-norm link needs none".to_owned();
                return Err(section.error("floor", message, Some(help)));
            }
            (LqLink::PNorm, None) => {}
            (LqLink::Paper, floor) => {
                if (lq.q - 3.0).abs() < AROUND_THREE {
                    let message = "near q = 3 the paper's link all but fixes the norm of the weights, and the state of the initial ones is out of range";
                    let help = "use q = 4 (MONETA), q up to 2.5 or from 3.5 on, or retention.link = \"p_norm\"";
                    return Err(section.error("q", message, Some(help.to_owned())));
                }
                if (lq.q - 2.0).abs() < f64::EPSILON && floor.is_some() {
                    let message = "with q = 2 the link is the identity, and has no floor";
                    let help = "leave it out".to_owned();
                    return Err(section.error("floor", message, Some(help)));
                }
                if (lq.q - 2.0).abs() < f64::EPSILON {
                    return Ok(Arc::new(lq));
                }
                let floor = floor.unwrap_or(FLOOR);
                if !(1e-6..=1e6).contains(&floor) {
                    let message = "floor is a norm: from 1e-6 to 1e6";
                    return Err(section.error("floor", message, None));
                }
                lq.floor = Some(floor);
            }
        }
        Ok(Arc::new(lq))
    },
};

/// So near to 3 the state of the initial weights, a power `1/(3 − q)` of their norm, is beyond
/// the floor or overflows.
const AROUND_THREE: f64 = 0.5;

/// The least norm of a state that counts, where the config says nothing.
const FLOOR: f64 = 0.1;

/// Added to squared entries, relative to their mean: the power of the p-norm link has no
/// slope at 0 otherwise.
const EPSILON: f64 = 1e-6;

/// Added to a sum of powers, so that its root has a derivative where all of them are 0.
const TINIEST: f64 = 1e-30;

/// An lq penalty on the weights.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t ∇ℓ(W_{t−1})`, and
/// - paper: `W = A/‖A‖_q^{q−2}`;
/// - p-norm: `W = sign(A) ⊙ |A|^{p−1}/‖A‖_p^{p−2} = ∇½‖A‖_p²`, `p = q/(q−1)`;
/// - anchored: the same of `A_init + A`, where `A` starts at 0.
///
/// # Shapes
/// The norm is that of each map of each memory, `[n, g, d_in, d_out] → [n, g, 1, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Eq. 24 with q = 4 (MONETA); §5.2, variant 4.
///
/// # Notes
/// - The paper derives the mirror map for 1 < q ≤ 2, prints it without the elementwise power,
///   and trains with q = 4 and no derivation; the p-norm link is the map with its power, for any q > 1.
/// - In the paper's form `‖W‖_q = ‖A‖_q^{3−q}`: with q = 4 the weights *shrink* as the state
///   grows, and grow as it fades, hence `floor` (ours).
/// - The state of the initial weights is `A_init = W_init ‖W_init‖_q^{(q−2)/(3−q)}`, for which `Λ(A_init) = W_init`
///   (p-norm: the q-norm link of `W_init`, its inverse). The paper does not say.
/// - The paper's state decays to 0, which forgets the learned weights; anchored is ours.
/// - Which tensor the norm runs over is not said; here each map of each head has its own.
/// - Within a chunk the paper's link can be read with its scale frozen
///   (`algorithm.read = "frozen"`); otherwise weights are written out or stale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lq {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `A` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// The norm.
    pub q: f64,
    /// From the state to the weights.
    pub link: LqLink,
    /// The least `‖A‖_q` that counts, with [`LqLink::Paper`].
    pub floor: Option<f64>,
}

/// From the state to the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LqLink {
    /// `A/‖A‖_q^{q−2}`.
    Paper,
    /// `sign(A) ⊙ |A|^{p−1}/‖A‖_p^{p−2}`.
    PNorm,
}

impl Default for Lq {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            anchored: false,
            q: 4.0,
            link: LqLink::Paper,
            floor: None,
        }
    }
}

/// `Σ |x|^p` of every map.
fn power_sum(x: &Term, p: f64, epsilon: f64) -> Term {
    (x.square() + epsilon).power(p / 2.0).sum(Extent::All)
}

/// `∇½‖x‖_p²`, on entries relative to their root mean square: the map is of degree 1.
fn mirror(x: &Term, p: f64) -> Term {
    let size = (x.square().mean(Extent::All) + TINY).sqrt();
    let x = x / &size;
    let norm = power_sum(&x, p, EPSILON).power((p - 2.0) / p);
    let power = (x.square() + EPSILON).power((p - 2.0) / 2.0);
    x * power * (size / norm)
}

impl Lq {
    /// `‖x‖_q`, with a derivative at 0 as well.
    fn norm(&self, x: &Term) -> Term {
        let epsilon = if self.q < 2.0 { TINY } else { 0.0 };
        (power_sum(x, self.q, epsilon) + TINIEST).power(1.0 / self.q)
    }

    /// `‖A‖_q^{2−q}`.
    fn scale(&self) -> Term {
        let norm = self.norm(&Term::argument());
        norm.at_least(self.floor.unwrap_or(FLOOR))
            .power(2.0 - self.q)
    }
}

impl RetentionGate for Lq {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        // Exactly 2: so close to it that the formula no longer tells them apart.
        if (self.q - 2.0).abs() < f64::EPSILON {
            return Link::Identity;
        }
        match self.link {
            LqLink::Paper => Link::Scale(self.scale()),
            LqLink::PNorm => Link::General(mirror(&Term::argument(), self.q / (self.q - 1.0))),
        }
    }

    fn initial(&self, _: [usize; 2]) -> Term {
        let weights = Term::argument();
        match self.link() {
            Link::Identity => weights,
            Link::Scale(_) => {
                let power = (self.q - 2.0) / (3.0 - self.q);
                let norm = self.norm(&weights);
                weights * norm.power(power)
            }
            Link::General(_) => mirror(&weights, self.q),
        }
    }

    fn refuses_zero(&self) -> Option<&'static str> {
        matches!(self.link(), Link::Scale(_))
            .then_some("an empty state is below the floor of the link's norm: it stands for no weights, and the first writes would be scaled by the floor")
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
