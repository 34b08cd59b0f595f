//! How a pass through a model is made.

/// How a pass through a model is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// Whether memories report what they do (costs two further reads).
    pub probe: bool,
    /// What every memory is kept from doing, as a control.
    pub ablation: Ablation,
    /// Truncated backpropagation: the states of memories are detached after every so many tokens
    /// of the pass, which changes gradients and no value. `Some(0)` never detaches, and neither
    /// does a pass with probes.
    pub truncate: Option<usize>,
}

/// What every memory is kept from doing, as a control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ablation {
    /// Nothing.
    #[default]
    None,
    /// Reads give 0.
    ReadZero,
    /// Nothing is written, because the inner step size is 0; decay and momentum continue.
    StepZero,
    /// Nothing is written or decayed: every token reads the memory as it stood before the pass.
    /// The state after the pass holds that same memory, so its position no longer says how much
    /// of a chunk is open, and it cannot be stored.
    Frozen,
    /// As none over this many tokens of a sequence, and frozen from there on, as the memory then
    /// stands.
    FrozenFrom(usize),
    /// Every `algorithm.chunk` tokens, counted from the beginning of the pass, memories start again
    /// as at the beginning of a sequence; what they held before the pass is ignored.
    Reset,
}
