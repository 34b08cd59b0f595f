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

use miras_core::{GateSpec, Program};
use miras_registry::Choice;

use crate::{ConvActivation, ModelSpec};

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
    memory: Option<Memory<'a>>,
}

/// Each head's memory.
struct Memory<'a> {
    choice: &'a Choice,
    program: Program,
}

/// The widths of the layers, with the number of layers that have them.
fn sizes(spec: &ModelSpec) -> impl Iterator<Item = (usize, Sizes<'_>)> {
    (spec.kinds_of_layers().into_iter()).map(|(_, count, memory)| (count, Sizes::of(spec, memory)))
}

impl<'a> Sizes<'a> {
    /// Of a layer with this memory, or of one of attention.
    fn of(spec: &ModelSpec, memory: Option<&'a Choice>) -> Self {
        let config = &spec.config;
        let head = config.head_dim(memory);
        Self {
            dim: config.dim,
            heads: config.heads,
            head,
            inner: config.heads * head,
            ffn: config.ffn_dim.unwrap_or(0),
            taps: config.conv,
            activated: spec.conv_activation() == ConvActivation::Silu,
            memory: memory.map(|choice| Memory {
                choice,
                program: spec.config.program(choice),
            }),
        }
    }

    /// Numbers a head that are projected for gates.
    fn projected(&self) -> usize {
        self.gate_widths(GateSpec::has_projection)
    }

    /// Numbers a head of the gates for which `of` holds.
    fn gate_widths(&self, of: impl Fn(&GateSpec) -> bool) -> usize {
        let Some(Memory { choice, program }) = &self.memory else {
            return 0;
        };
        (choice.rule.gates().iter().filter(|gate| of(gate)))
            .map(|gate| gate.width(program.d_k(), program.d_v()))
            .sum()
    }
}
