//! What the walk over the chunks leaves behind, and stacking it for the read half.

use burn::tensor::Tensor;
use miras_core::{Factor, MapState};

use crate::span::ChunkGradients;

/// What the walk over the chunks leaves for the read half and the probe: chunk by chunk, or of
/// several chunks along dimension 0.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) starts: Vec<Vec<MapState>>,
    /// What the step rules carry before each chunk.
    pub(crate) carried: Vec<Vec<Tensor<4>>>,
    writes: Vec<Vec<Factor>>,
    /// Unscaled factors and step sizes, for the probe.
    pub(crate) factors: Vec<Vec<Factor>>,
    pub(crate) steps: Vec<Tensor<4>>,
    /// What gates leave of a step, for the probe; empty where there is no gate.
    pub(crate) gates: Vec<Tensor<4>>,
}

impl Walk {
    pub(crate) fn push(
        &mut self,
        start: Vec<MapState>,
        carried: Vec<Tensor<4>>,
        writes: Vec<Factor>,
        gradients: &ChunkGradients,
        probe: bool,
    ) {
        self.starts.push(start);
        self.carried.push(carried);
        self.writes.push(writes);
        if probe {
            self.factors.push(gradients.factors.clone());
            self.steps.push(gradients.step.clone());
        }
    }

    /// Per map, all chunks' starting states along dimension 0.
    pub(crate) fn stack_starts(&self) -> Vec<MapState> {
        (0..self.starts[0].len())
            .map(|l| MapState {
                weights: stack(&self.starts, |maps| &maps[l].weights),
                slots: (0..self.starts[0][l].slots.len())
                    .map(|slot| stack(&self.starts, |maps| &maps[l].slots[slot]))
                    .collect(),
            })
            .collect()
    }

    /// Of each rule that carries something, what it carries before all chunks, along dimension 0.
    pub(crate) fn stack_carried(&self) -> Vec<Tensor<4>> {
        (0..self.carried[0].len())
            .map(|at| stack(&self.carried, |carried| &carried[at]))
            .collect()
    }

    pub(crate) fn stack_writes(&self) -> Vec<Factor> {
        stack_factors(&self.writes)
    }
}

pub(crate) fn stack_factors(chunks: &[Vec<Factor>]) -> Vec<Factor> {
    (0..chunks[0].len())
        .map(|l| Factor {
            x: stack(chunks, |factors| &factors[l].x),
            d: stack(chunks, |factors| &factors[l].d),
        })
        .collect()
}

pub(crate) fn stack<T>(chunks: &[T], of: impl Fn(&T) -> &Tensor<4>) -> Tensor<4> {
    match chunks {
        [one] => of(one).clone(),
        _ => Tensor::cat(chunks.iter().map(|chunk| of(chunk).clone()).collect(), 0),
    }
}
