//! The words every part of MIRAS-rs shares.
//!
//! A memory is described on four axes, each a trait here and a crate of its own:
//!
//! | axis | trait | crate |
//! |---|---|---|
//! | memory architecture | [`MemoryArchitecture`] | `miras-memory` |
//! | attentional bias | [`AttentionalBias`] | `miras-bias` |
//! | retention gate | [`RetentionGate`] | `miras-retention` |
//! | memory algorithm | [`MemoryAlgorithm`] | `miras-algorithm` |
//!
//! A [`Part`] puts one implementation into its axis' list. Nothing here knows
//! a concrete part, a layer or a model.
//!
//! # Shapes
//!
//! Everything of the inner loop has rank 4, named by letters:
//! `n` chunks handled at once, `g` memories (batch × heads), `t` or `c` tokens
//! (of a sequence, of a chunk), `d` features. Rows are tokens, `y = x W`.

mod activation;
mod algorithm;
mod bias;
mod channels;
mod coefficients;
mod decay;
mod formula;
mod gate;
mod layer_norm;
mod memory;
mod part;
mod program;
mod retention;
pub mod rows;
mod side;
mod step_rule;

pub use activation::Activation;
pub use algorithm::{
    AlgorithmKind, ChunkEndAlgorithm, ChunkWrite, LeastSquares, LinearAlgorithm, MapState,
    MemoryAlgorithm, Recurrence,
};
pub use bias::AttentionalBias;
pub use channels::ChannelDecay;
pub use coefficients::{
    ChunkEnd, Coefficients, Rows, SlotEnd, WriteWeights, above, decay_matrix, products,
};
pub use decay::{LogDecay, Order};
pub use formula::{ByHand, Extent, Formula, Function, Operation, Pair, Symbol, Term};
pub use gate::{GateMap, GateSpec, Gates, MOMENTUM, RETENTION, STEP, THRESHOLD, inverse_softplus};
pub use memory::{Factor, Maps, MemoryArchitecture, Weights, typical};
pub use part::{Axis, Part, table_of};
pub use program::{Builder, GainSpec, MapSpec, Node, Program, ProgramError, Shape, Value, Windows};
pub use retention::{Link, Noise, RetentionGate};
pub use side::{Channels, Side};
pub use step_rule::{
    Bound, Carry, ChunkTokens, LocalRules, RuleCost, RuleSetting, RuleValues, StepRule,
    StepRulePart, TokenWrite,
};
