//! Axis 3: how the past is kept or forgotten.

use std::fmt::Debug;

use burn::tensor::{Tensor, s};

use crate::{Formula, GateMap, GateSpec, Gates, Order, RETENTION, Side, Term};

/// The link `Λ` from the state of a map to its weights, as a term of [`Term::argument`]; the rows
/// of a state are those of its map.
#[derive(Debug, Clone)]
pub enum Link {
    /// `Λ(A) = A`. Only then are the weights of every token known without writing them out,
    /// and only then do exact chunk forms exist for gradients that depend on the weights.
    Identity,
    /// `Λ(A) = s(A) A` with this number `s` for each map, which can be frozen for a chunk.
    Scale(Term),
    /// Any other.
    General(Term),
}

impl Link {
    /// `Λ`.
    pub fn formula(&self) -> Formula {
        Formula::of(&[match self {
            Self::Identity => Term::argument(),
            Self::Scale(scale) => scale * Term::argument(),
            Self::General(weights) => weights.clone(),
        }])
    }

    /// The weights of a state, `Λ(A)`; where the gate is [anchored](RetentionGate::is_anchored) the
    /// caller gives `A_init + A`. Works on any number of chunks or tokens at once.
    ///
    /// # Shapes
    /// `[n, g, d_in, d_out]`, in and out.
    pub fn weights(&self, state: Tensor<4>) -> Tensor<4> {
        self.formula().of_argument(state).remove(0)
    }

    /// `s(A)` of a link that is a number times the state, `[n, g, 1, 1]`.
    pub fn scale(&self, state: Tensor<4>) -> Option<Tensor<4>> {
        match self {
            Self::Scale(scale) => Some(
                Formula::of(std::slice::from_ref(scale))
                    .of_argument(state)
                    .remove(0),
            ),
            Self::Identity | Self::General(_) => None,
        }
    }

    /// Whether the weights are the state.
    pub fn is_identity(&self) -> bool {
        matches!(self, Self::Identity)
    }
}

/// Normal noise on every number of the state, where a full chunk ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Its standard deviation, in units of the most by which one write moves the state; 0 or above.
    pub multiplier: f64,
    /// What it is drawn from, with the place of the memory and the position of the chunk's end.
    pub seed: u64,
}

/// A retention gate: the decay of the dual state, and the link from that state to weights.
///
/// The state of a map is `A`, always a linear recurrence `A_t = a_t A_{t−1} + S_t`;
/// the weights are `W = Λ(A)`.
pub trait RetentionGate: Debug + Send + Sync {
    /// The data-dependent gates it reads.
    fn gates(&self) -> Vec<GateSpec> {
        Vec::new()
    }

    /// `log a_t`, `[n, g, t, 1]` or, for [channels](Self::decay_channels), `[n, g, t, d]`: the gate
    /// [`RETENTION`], or 0 for a part that declares none; `like`, `[n, g, t, ·]`, gives shape and
    /// device then.
    fn log_decay(&self, gates: &Gates, like: &Tensor<4>) -> Tensor<4> {
        if self.gates().iter().any(|gate| gate.name == RETENTION) {
            gates.get(RETENTION)
        } else {
            like.clone().slice(s![.., .., .., ..1]).zeros_like()
        }
    }

    /// The channels that have decays of their own in [`log_decay`](Self::log_decay): those of the
    /// gate [`RETENTION`].
    fn decay_channels(&self) -> Option<Side> {
        let gates = self.gates();
        let gate = gates.iter().find(|gate| gate.name == RETENTION);
        gate.and_then(|gate| gate.channels)
    }

    /// Whether anything is ever forgotten: not without a gate, nor with one fixed at `log 1`.
    fn forgets(&self) -> bool {
        let fixed = GateMap::Constant(0.0);
        self.gates().iter().any(|gate| gate.map != fixed)
    }

    /// When the decay acts.
    fn order(&self) -> Order {
        Order::After
    }

    /// Whether `A` is the distance from the state of the initial weights, `W = Λ(A_init + A)`,
    /// so that decay leads back to them rather than to `Λ(0)`.
    fn is_anchored(&self) -> bool {
        false
    }

    /// The link `Λ` from the state to the weights.
    fn link(&self) -> Link {
        Link::Identity
    }

    /// The state `A_init` of what the outer loop learned: `Λ(A_init) = W_init` where every
    /// `W_init` has such a state; else the learned tensor is read as the state itself, and the
    /// part says so. A term of [`Term::argument`], the weights of a map `[d_in, d_out]`. A sequence
    /// starts with it, or, where the gate is [anchored](Self::is_anchored), with 0.
    fn initial(&self, _map: [usize; 2]) -> Term {
        Term::argument()
    }

    /// The fewest features that a map may give: 2 where the link fixes the sum of each row of
    /// weights, so that a row of one weight is a constant.
    fn least_columns(&self) -> usize {
        1
    }

    /// The noise that is added to the state where a full chunk ends, before the rules of the state; then
    /// one write has to have a bound, of which the noise is a multiple.
    fn noise(&self) -> Option<Noise> {
        None
    }

    /// Why a memory may not start at zero, if it may not.
    fn refuses_zero(&self) -> Option<&'static str> {
        None
    }

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}

impl dyn RetentionGate + '_ {
    /// The state of the initial weights, [`initial`](RetentionGate::initial) on tensors.
    pub fn initial_state(&self, weights: Tensor<4>) -> Tensor<4> {
        let [_, _, d_in, d_out] = weights.dims();
        let state = Formula::of(&[self.initial([d_in, d_out])]);
        state.of_argument(weights).remove(0)
    }
}
