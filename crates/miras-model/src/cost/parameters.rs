//! Parameters, and the weights that learn at test time.

use miras_core::MapSpec;
use miras_registry::StartKind;

use super::{Memory, Sizes, sizes};
use crate::ModelSpec;

/// How many numbers the outer and the inner loop learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// All that the outer loop learns: the parameters of the model.
    pub all: usize,
    /// Those of them that are the memories' own: initial weights and gains.
    pub memory: usize,
    /// Weights that the inner loop learns at test time, a set for each sequence.
    pub fast: usize,
}

/// The parameters of the model that would be built.
pub fn parameters(spec: &ModelSpec, vocab: usize) -> Parameters {
    let dim = spec.config.dim;
    let tables = if spec.config.tie_head { 1 } else { 2 };
    let mut parameters = Parameters {
        all: tables * vocab * dim + dim,
        memory: 0,
        fast: 0,
    };
    for (count, sizes) in sizes(spec) {
        let each = |count: fn(&Memory<'_>) -> usize| sizes.memory.as_ref().map_or(0, count);
        let memory = sizes.heads * each(own);
        let fast = sizes.heads * each(fast);
        let layer = mixer(&sizes) + memory + 2 * dim + 3 * dim * sizes.ffn;
        parameters.all += count * layer;
        parameters.memory += count * memory;
        parameters.fast += count * fast;
    }
    parameters
}

/// Projections, convolutions and, for a memory, gates and norm.
fn mixer(sizes: &Sizes) -> usize {
    let Sizes { dim, inner, .. } = *sizes;
    let convolutions = 3 * sizes.taps * inner;
    let Some(Memory { choice, .. }) = &sizes.memory else {
        return 4 * dim * dim + convolutions;
    };
    let gates = choice.rule.gates();
    let rates = gates.iter().filter(|gate| gate.map.has_rate()).count();
    let gates = sizes.heads * (sizes.projected() * (dim + 1) + rates);
    let erase = inner * usize::from(choice.rule.bias.has_erase_key());
    5 * dim * inner + convolutions + gates + erase + sizes.head
}

/// Initial weights and gains of one memory.
fn own(memory: &Memory<'_>) -> usize {
    let gains: usize = memory.program.gains().iter().map(|gain| gain.d).sum();
    match memory.choice.start {
        StartKind::Zero => gains,
        StartKind::Learned => gains + fast(memory),
    }
}

/// Weights of all maps of one.
fn fast(memory: &Memory<'_>) -> usize {
    memory.program.maps().iter().map(MapSpec::weights).sum()
}
