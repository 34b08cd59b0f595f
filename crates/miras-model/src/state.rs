//! What a model carries along a sequence, and how a pass is made.

use burn::tensor::Tensor;
use miras_engine::State;

/// What a model carries along a sequence: pass it to the next call to go on.
#[derive(Debug, Clone)]
pub struct ModelState {
    /// One a layer.
    pub layers: Vec<MixerState>,
    /// Tokens seen.
    pub position: usize,
}

/// The state of one mixer.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one a layer; the variants hold handles"
)]
pub enum MixerState {
    /// Of a memory.
    Memory(MemoryState),
    /// Of attention.
    Attention(AttentionState),
}

/// The last inputs of the convolutions on queries, keys and values, `[b, taps − 1, d]` each.
pub(crate) type Tails = [Option<Tensor<3>>; 3];

/// Constant in size, whatever the length.
#[derive(Debug, Clone)]
pub struct MemoryState {
    pub(crate) tails: Tails,
    /// The memories, one per batch row and head.
    pub memory: State,
}

/// Grows with the length.
#[derive(Debug, Clone)]
pub struct AttentionState {
    pub(crate) tails: Tails,
    /// Keys, rotated, `[b, h, t, d]`.
    pub keys: Tensor<4>,
    /// Values, `[b, h, t, d]`.
    pub values: Tensor<4>,
}

impl MemoryState {
    /// The same values cut off from the graph: gradients do not go back beyond this point.
    #[must_use]
    pub fn detach(self) -> Self {
        Self {
            tails: detached(self.tails),
            memory: self.memory.map(Tensor::detach),
        }
    }
}

impl ModelState {
    /// The same values cut off from the graph: gradients do not go back beyond this point.
    #[must_use]
    pub fn detach(self) -> Self {
        let layers = (self.layers.into_iter())
            .map(|layer| match layer {
                MixerState::Memory(state) => MixerState::Memory(state.detach()),
                MixerState::Attention(state) => MixerState::Attention(AttentionState {
                    tails: detached(state.tails),
                    keys: state.keys.detach(),
                    values: state.values.detach(),
                }),
            })
            .collect();
        Self { layers, ..self }
    }
}

fn detached(tails: Tails) -> Tails {
    tails.map(|tail| tail.map(Tensor::detach))
}

/// How a pass through the model is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// Whether memories report what they do (costs a further read).
    pub probe: bool,
    /// What is taken away.
    pub ablation: Ablation,
}

/// What is taken away from every memory, as a control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ablation {
    /// Nothing.
    #[default]
    None,
    /// What is read is 0.
    ReadZero,
    /// Nothing is written: the inner step size is 0.
    StepZero,
}
