//! Decay, and weights that are kept within a ball.

use std::sync::Arc;

use miras_core::{Extent, GateSpec, Link, Part, RetentionGate, Term, rows::TINY, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "ball",
    summary: "Decay, and weights that are rescaled onto a ball where their state is outside of it.",
    formula: "A_t = a_t A_{t-1} - theta_t G(W_{t-1}),   W = A min(1, c/|A|_F);   anchored: A_init + A in the place of A",
    reference: "MIRAS, arXiv 2504.13173, section 4, which names a ball as a constraint and gives no update; the projection of a sum of gradients is that of Zinkevich 2003 (lazy)",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        ANCHORED_KEY,
        (
            "radius",
            "c, the largest Frobenius norm of a map's weights; from 0.001 to 1e6 (default 16, about twice that of the initial weights at width 64)",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9\nradius = 0.8",
        "anchored = true\ndecay = 0.9\nradius = 0.8",
    ],
    build: |section| {
        let ball = section.part::<Ball>()?;
        ball.gate.check(section, ball.decay)?;
        if !(1e-3..=1e6).contains(&ball.radius) {
            let message = "radius is a norm of weights: from 0.001 to 1e6";
            let help = "retention.kind = \"l2\" is the limit of a large radius".to_owned();
            return Err(section.error("radius", message, Some(help)));
        }
        Ok(Arc::new(ball))
    },
};

/// Decay, and weights within a ball.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t ∇ℓ(W_{t−1})`, `W = A min(1, c/‖A‖_F)`, the point of the ball
/// `‖W‖_F ≤ c` that is nearest to `A`; anchored: the same of `A_init + A`, where `A` starts at 0.
///
/// # Shapes
/// The norm is that of each map of each memory, `[n, g, d_in, d_out] → [n, g, 1, 1]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), §4, names constraints such as a ball and gives no update. A link that
/// projects the sum of the gradients is lazy projection, as in Zinkevich, Online convex
/// programming and generalized infinitesimal gradient ascent, ICML 2003: follow the regularised
/// leader with `½‖W‖²` on the ball.
///
/// # Notes
/// - The state itself may leave the ball: only so does it stay a linear recurrence, which chunks
///   need. `algorithm.state_cap` rescales the state itself, at chunk ends.
/// - The link is a number times the state: within a chunk it is frozen by default
///   (`algorithm.read`), so that weights of a chunk that grows may leave the ball until its end. It is
///   exact with `algorithm.chunk = 1`.
/// - Initial weights within the ball are what they are; those outside of it are read as the state.
/// - What size a ball should have is not in the paper; 16 is our choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ball {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Whether `A` is the distance from the state of the initial weights.
    pub anchored: bool,
    /// c.
    pub radius: f64,
}

impl Default for Ball {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            anchored: false,
            radius: 16.0,
        }
    }
}

impl RetentionGate for Ball {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn link(&self) -> Link {
        let square = Term::argument().square().sum(Extent::All);
        let norm = (square + TINY).sqrt();
        Link::Scale((norm.recip() * self.radius).at_most(1.0))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
