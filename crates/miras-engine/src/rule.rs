//! One point of the design space, and how it is evaluated.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AttentionalBias, GateSpec, LinkKind, MapState, MemoryAlgorithm, MemoryArchitecture,
    RetentionGate,
};
use serde::{Deserialize, Serialize};

use crate::Initial;

/// Four parts and the settings of the chunk form: everything that defines the recurrence.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What stores the past.
    pub memory: Arc<dyn MemoryArchitecture>,
    /// The inner loss.
    pub bias: Arc<dyn AttentionalBias>,
    /// How the past is kept.
    pub retention: Arc<dyn RetentionGate>,
    /// The inner optimiser.
    pub algorithm: Arc<dyn MemoryAlgorithm>,
    /// The form.
    pub settings: Settings,
}

impl Rule {
    /// The gates of all parts, in the order in which a layer projects them.
    pub fn gates(&self) -> Vec<GateSpec> {
        (self.bias.gates().into_iter())
            .chain(self.retention.gates())
            .chain(self.algorithm.gates())
            .collect()
    }

    /// Whether an exact chunk form exists: a matrix, an algorithm that acts on every token, and
    /// gradients that follow from products of keys, that is a linear link or a gradient
    /// that does not depend on the weights at all.
    pub fn has_exact_form(&self) -> bool {
        self.memory.is_linear()
            && !self.algorithm.acts_at_chunk_end()
            && (self.has_identity_link() || self.bias.slope() == Some(0.0))
    }

    /// Whether the weights are the state (and the initial weights).
    pub fn has_identity_link(&self) -> bool {
        self.retention.link_kind() == LinkKind::Identity
    }

    /// The states of the initial weights, which the maps' states are distances from; nothing
    /// where the retention gate is not anchored.
    pub fn anchors(&self, initial: &Initial) -> Option<Vec<Tensor<4>>> {
        let state = |w: &Tensor<4>| self.retention.initial(w.clone());
        (self.retention.is_anchored()).then(|| initial.maps.iter().map(state).collect())
    }

    /// What the link acts on, of every map: `[A_init +] A`.
    pub fn linked(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        let states = maps.iter().map(|map| map.weights.clone());
        match self.anchors(initial) {
            Some(anchors) => (states.zip(anchors))
                .map(|(state, anchor)| state + anchor)
                .collect(),
            None => states.collect(),
        }
    }

    /// The weights of every map's state: `W = Λ([A_init +] A)`.
    pub fn weights(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        (self.linked(maps, initial).into_iter())
            .map(|state| self.retention.link(state))
            .collect()
    }

    /// The link's scale at every map's state.
    pub fn scales(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        (self.linked(maps, initial).iter())
            .map(|state| self.retention.scale(state))
            .collect()
    }
}

/// How chunks enter the recurrence.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where gradients are taken.
    pub form: Form,
    /// Tokens a chunk. Part of the recurrence in the chunk-start form, of its cost alone in the exact one.
    pub chunk: usize,
    /// Picard sweeps over a chunk's gradients after the chunk-start ones: sweep `s` takes each
    /// gradient at the memory that the writes of sweep `s − 1` make of the tokens before it.
    /// After `r` sweeps the first `r + 1` tokens of a chunk are exact.
    pub sweeps: usize,
    /// Which weights a token reads.
    pub read: Read,
    /// κ of the load cap: a token's step shrinks by `max(1, load/κ)^−2` as the steps of its
    /// chunk so far pile up on the same features (`docs/architecture.md`, Measured defaults).
    pub load_cap: Option<f64>,
    /// The largest Frobenius norm of one token's inner gradient.
    pub grad_cap: Option<f64>,
    /// The largest Frobenius norm of a map's state at a chunk's end.
    pub state_cap: Option<f64>,
}

/// Where the inner gradients are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Each at the memory its own token meets.
    Exact,
    /// All of a chunk at the weights the chunk began with (Titans §3.2), then swept.
    ChunkStart,
}

/// Which weights a token reads within its chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Those after its own write (Titans Eq. 15). Behind a nonlinear link every token's weights
    /// are written out: `d_in · d_out` numbers a token, map and head.
    #[default]
    Exact,
    /// The state after its own write through the link's scale at the chunk's start, for links
    /// that are a number times the state.
    Frozen,
    /// Those the chunk began with ("apply, then update": `LaCT`, TNT's global memory).
    Stale,
}
