//! One point of the design space, and how it is evaluated.

use std::sync::Arc;

use miras_core::{AttentionalBias, MemoryAlgorithm, MemoryArchitecture, RetentionGate};
use serde::{Deserialize, Serialize};

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
    /// Whether the exact chunk form exists (`maths.md` 5.5): a matrix, a bias with an affine
    /// gradient and an algorithm that acts on every token.
    pub fn has_exact_form(&self) -> bool {
        self.memory.is_linear()
            && self.memory.rows() == 1
            && self.bias.slope().is_some()
            && !self.algorithm.acts_at_chunk_end()
    }
}

/// How chunks enter the recurrence.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where gradients are taken.
    pub form: Form,
    /// Tokens a chunk. Part of the recurrence in the chunk-start form, of its cost alone in the exact one.
    pub chunk: usize,
    /// Which weights a token reads.
    pub read: Read,
    /// κ of the load cap: a token's step shrinks by `max(1, load/κ)^−2` as the steps of its
    /// chunk so far pile up on the same features (`recipe.md` 1).
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
    /// All of a chunk at the weights the chunk began with (Titans §3.2).
    ChunkStart,
}

/// Which weights a token reads within its chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Those after its own write (Titans Eq. 15).
    #[default]
    Exact,
    /// Those the chunk began with ("apply, then update": `LaCT`, TNT's global memory).
    Stale,
}
