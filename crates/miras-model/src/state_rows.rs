//! The batch rows of a state, taken out and put together.

use std::ops::Range;

use burn::tensor::{Tensor, s};
use miras_engine::State;

use crate::{
    AttentionState, MemoryState, MixerState, ModelState,
    state::{Each, Tails},
};

impl ModelState {
    /// The state of some of the rows.
    #[must_use]
    pub fn select_rows(self, rows: Range<usize>) -> Self {
        let all = self.rows;
        let state = self.map(&Each {
            rows: &|x| x.slice(s![rows.clone()]),
            heads: &|x| x.slice(s![rows.clone()]),
            // The heads of a row follow one another.
            memories: &|x| {
                let heads = x.dims()[1] / all;
                x.slice(s![.., rows.start * heads..rows.end * heads])
            },
        });
        Self {
            rows: rows.len(),
            ..state
        }
    }

    /// The rows of several states, one after the other.
    ///
    /// # Panics
    /// If there is no state, or if they differ in more than their rows: all belong to one
    /// model and have seen equally many tokens.
    #[must_use]
    pub fn cat(states: &[Self]) -> Self {
        let Some(first) = states.first() else {
            panic!("no state to put together: ModelState::cat needs at least one");
        };
        for (at, state) in states.iter().enumerate() {
            assert!(
                (state.layers.len(), state.position) == (first.layers.len(), first.position),
                "states of other layers or lengths cannot be put together: number {at} has {} layers and {} tokens, the first {} and {}",
                state.layers.len(),
                state.position,
                first.layers.len(),
                first.position,
            );
        }
        let layers = (0..first.layers.len())
            .map(|layer| cat_layer(states.iter().map(|state| &state.layers[layer])))
            .collect();
        Self {
            layers,
            rows: states.iter().map(|state| state.rows).sum(),
            position: first.position,
        }
    }
}

fn cat_layer<'a>(states: impl Iterator<Item = &'a MixerState>) -> MixerState {
    let (mut tails, mut memories) = (Vec::new(), Vec::new());
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for state in states {
        match state {
            MixerState::Memory(state) => {
                tails.push(&state.tails);
                memories.push(state.memory.clone());
            }
            MixerState::Attention(state) => {
                tails.push(&state.tails);
                keys.push(state.keys.clone());
                values.push(state.values.clone());
            }
        }
    }
    let tails = cat_tails(&tails);
    assert!(
        memories.is_empty() || keys.is_empty(),
        "states of memories and of attention cannot be put together"
    );
    if memories.is_empty() {
        MixerState::Attention(AttentionState {
            tails,
            keys: Tensor::cat(keys, 0),
            values: Tensor::cat(values, 0),
        })
    } else {
        MixerState::Memory(MemoryState {
            tails,
            memory: State::cat(&memories),
        })
    }
}

fn cat_tails(tails: &[&Tails]) -> Tails {
    [0, 1, 2].map(|at| {
        let parts: Vec<Tensor<3>> = tails.iter().filter_map(|one| one[at].clone()).collect();
        (!parts.is_empty()).then(|| Tensor::cat(parts, 0))
    })
}
