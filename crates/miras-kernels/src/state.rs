//! The state of one memory, as it lies in memory.

use crate::{Program, buffer::Buffer};

/// `A` and `S` of every map; no `S` without momentum.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) weights: Vec<Buffer>,
    pub(crate) slots: Vec<Buffer>,
}

impl State {
    pub(crate) fn new(program: &Program, momentum: bool) -> Self {
        let weights: Vec<_> = program.maps.iter().map(|map| map.buffer()).collect();
        let slots = if momentum {
            weights.clone()
        } else {
            Vec::new()
        };
        Self { weights, slots }
    }

    /// From `[d_in, d_out]` of each map.
    pub(crate) fn load(&mut self, program: &Program, weights: &[&[f32]], slots: &[&[f32]]) {
        load(&mut self.weights, program, weights);
        load(&mut self.slots, program, slots);
    }

    pub(crate) fn clear(&mut self) {
        self.weights
            .iter_mut()
            .chain(&mut self.slots)
            .for_each(Buffer::clear);
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.weights, &other.weights),
            (&mut self.slots, &other.slots),
        ] {
            for (to, from) in to.iter_mut().zip(from) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// From `[d_in, d_out]` of each map.
pub(crate) fn load(maps: &mut [Buffer], program: &Program, weights: &[&[f32]]) {
    for ((to, map), weights) in maps.iter_mut().zip(&program.maps).zip(weights) {
        map.load(to, weights);
    }
}

/// To `[d_in, d_out]` of each map.
pub(crate) fn store(maps: &[Buffer], program: &Program, weights: Vec<&mut [f32]>) {
    for ((from, map), weights) in maps.iter().zip(&program.maps).zip(weights) {
        map.store(weights, from);
    }
}
