//! What a model costs, counted from its configuration: nothing is built.
//!
//! The files mirror the layers; what a memory costs is counted by [`miras_engine::cost`].

mod flops;
mod kept;
mod parameters;
mod state;

pub use flops::flops;
pub use kept::kept;
pub use parameters::{Parameters, parameters};
pub use state::{StateNumbers, state};

use miras_registry::Choice;

use crate::{ConvActivation, MixerKind, ModelSpec};

/// The widths from which a layer's costs follow.
struct Sizes<'a> {
    /// Of the residual stream.
    dim: usize,
    heads: usize,
    /// Of each head.
    head: usize,
    /// Of all heads.
    inner: usize,
    ffn: usize,
    /// Taps of each convolution.
    taps: usize,
    /// Whether they go through a `SiLU` after it.
    activated: bool,
    /// None for attention.
    memory: Option<&'a Choice>,
}

impl<'a> Sizes<'a> {
    fn of(spec: &'a ModelSpec) -> Self {
        let config = &spec.config;
        let head = spec.head_dim();
        Self {
            dim: config.dim,
            heads: config.heads,
            head,
            inner: config.heads * head,
            ffn: config.ffn_dim.unwrap_or(0),
            taps: config.conv,
            activated: spec.conv_activation() == ConvActivation::Silu,
            memory: match config.mixer {
                MixerKind::Memory => spec.choice.as_ref(),
                MixerKind::Attention => None,
            },
        }
    }

    /// Projected gates a head.
    fn projected(&self) -> usize {
        let gates = self.memory.map(|choice| choice.rule.gates());
        (gates.iter().flatten())
            .filter(|gate| gate.map.is_projected())
            .count()
    }
}
