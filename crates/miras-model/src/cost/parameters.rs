//! Parameters, and the weights that learn at test time.

use miras_registry::{Choice, StartKind};

use super::{Sizes, sizes};
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
        let memory = sizes.memory.map_or(0, |choice| own(choice, &sizes));
        let fast = sizes.memory.map_or(0, |choice| fast(choice, &sizes));
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
    let Some(choice) = sizes.memory else {
        return 4 * dim * dim + convolutions;
    };
    let gates = choice.rule.gates();
    let rates = gates.iter().filter(|gate| gate.map.has_rate()).count();
    let gates = sizes.heads * (sizes.projected() * (dim + 1) + rates);
    5 * dim * inner + convolutions + gates + sizes.head
}

/// Initial weights and gains of a layer.
fn own(choice: &Choice, sizes: &Sizes) -> usize {
    let gains = choice.rule.memory.gains(sizes.head);
    let gains: usize = gains.iter().map(|gain| gain.d).sum();
    let initial = match choice.start {
        StartKind::Zero => 0,
        StartKind::Learned => fast(choice, sizes),
    };
    initial + sizes.heads * gains
}

/// Weights of all maps of a layer.
fn fast(choice: &Choice, sizes: &Sizes) -> usize {
    let maps = choice.rule.memory.maps(sizes.head);
    let weights: usize = maps.iter().map(|map| map.d_in * map.d_out).sum();
    sizes.heads * weights
}
