//! What a model carries along a sequence, and how a pass is made.

use burn::tensor::Tensor;
use miras_engine::State;

/// What a model carries along a sequence: pass it to the next call to go on.
#[derive(Debug, Clone)]
pub struct ModelState {
    /// One a layer.
    pub layers: Vec<MixerState>,
    /// Batch rows.
    pub rows: usize,
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
            tails: self.tails.map(|tail| tail.map(Tensor::detach)),
            memory: self.memory.map(Tensor::detach),
        }
    }
}

impl ModelState {
    /// The same values cut off from the graph: gradients do not go back beyond this point.
    #[must_use]
    pub fn detach(self) -> Self {
        self.map(&Each {
            rows: &Tensor::detach,
            heads: &Tensor::detach,
            memories: &Tensor::detach,
        })
    }

    /// The same values for a model without gradients.
    #[must_use]
    pub fn inner(self) -> Self {
        self.map(&Each {
            rows: &Tensor::inner,
            heads: &Tensor::inner,
            memories: &Tensor::inner,
        })
    }

    pub(crate) fn map(self, each: &Each) -> Self {
        let tails = |tails: Tails| tails.map(|tail| tail.map(each.rows));
        let layers = (self.layers.into_iter())
            .map(|layer| match layer {
                MixerState::Memory(state) => MixerState::Memory(MemoryState {
                    tails: tails(state.tails),
                    memory: state.memory.map(each.memories),
                }),
                MixerState::Attention(state) => MixerState::Attention(AttentionState {
                    tails: tails(state.tails),
                    keys: (each.heads)(state.keys),
                    values: (each.heads)(state.values),
                }),
            })
            .collect();
        Self { layers, ..self }
    }
}

/// What becomes of each tensor, by what its dimensions are.
pub(crate) struct Each<'a> {
    /// `[b, …]`.
    pub(crate) rows: &'a dyn Fn(Tensor<3>) -> Tensor<3>,
    /// `[b, h, …]`.
    pub(crate) heads: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
    /// `[1, b·h, …]`.
    pub(crate) memories: &'a dyn Fn(Tensor<4>) -> Tensor<4>,
}

/// How a pass through the model is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// Whether memories report what they do (costs a further read).
    pub probe: bool,
    /// What is taken away.
    pub ablation: Ablation,
    /// Every so many tokens of the pass, memories are cut off from the graph: gradients go back
    /// through their states no further. The values are the same. Not in passes with probes; 0 is never.
    pub truncate: Option<usize>,
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
    /// Nothing is written and nothing forgotten: every token reads the memory as it stood before
    /// the pass. The state behind it holds that same memory, so that its position no longer says
    /// how much of a chunk is open, and it has no file.
    Frozen,
    /// Every `algorithm.chunk` tokens from the beginning of the pass on, memories start again as
    /// at the beginning of a sequence; whatever they held before the pass is left aside.
    Reset,
}
