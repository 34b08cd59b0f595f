//! What a model carries along a sequence.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::{StateTensor, StateTree};

/// What a model carries along a sequence: pass it to the next call to continue.
#[derive(Debug, Clone)]
pub struct ModelState {
    /// The state of each layer's mixer.
    pub layers: Vec<StateTree>,
    /// Batch rows.
    pub rows: usize,
    /// Tokens seen.
    pub position: usize,
}

impl ModelState {
    /// The same values cut off from the graph: gradients do not go back beyond this point.
    #[must_use]
    pub fn detach(self) -> Self {
        self.map(StateTree::detach)
    }

    /// The same values for a model without gradients.
    #[must_use]
    pub fn inner(self) -> Self {
        self.map(StateTree::inner)
    }

    /// The state of some of the batch rows.
    #[must_use]
    pub fn select_rows(self, rows: Range<usize>) -> Self {
        let all = self.rows;
        Self {
            rows: rows.len(),
            ..self.map(|layer| layer.select_rows(rows.clone(), all))
        }
    }

    /// The same values in storage of their own: those of a selected row do not hold the storage of the
    /// other rows. Waits for the device.
    #[must_use]
    pub fn in_own_storage(self) -> Self {
        self.map(StateTree::in_own_storage)
    }

    /// The batch rows of several states, one state after the other.
    ///
    /// # Panics
    /// If there is no state, or if they differ in more than their rows: all belong to one
    /// model and have seen equally many tokens.
    #[must_use]
    pub fn cat(states: &[Self]) -> Self {
        let Some(first) = states.first() else {
            panic!("no state to join: ModelState::cat needs at least one");
        };
        for (at, state) in states.iter().enumerate() {
            assert!(
                (state.layers.len(), state.position) == (first.layers.len(), first.position),
                "states of other layers or lengths cannot be joined: number {at} has {} layers and {} tokens, the first {} and {}",
                state.layers.len(),
                state.position,
                first.layers.len(),
                first.position,
            );
        }
        let layer = |at: usize| {
            states
                .iter()
                .map(|state| &state.layers[at])
                .collect::<Vec<_>>()
        };
        Self {
            layers: (0..first.layers.len())
                .map(|at| StateTree::cat(&layer(at)))
                .collect(),
            rows: states.iter().map(|state| state.rows).sum(),
            position: first.position,
        }
    }

    /// Numbers that it holds.
    pub fn size(&self) -> usize {
        let sizes = self
            .tensors()
            .map(|tensor| tensor.shape().dims().iter().product::<usize>());
        sizes.sum()
    }

    /// 0 if every value is finite, else NaN; stays on the device.
    pub fn finiteness(&self) -> Tensor<1> {
        let probes = self
            .tensors()
            .map(|tensor| tensor.values().mul_scalar(0.0).sum());
        Tensor::cat(probes.collect(), 0).sum()
    }

    fn tensors(&self) -> impl Iterator<Item = &StateTensor> {
        (self.layers.iter().flat_map(StateTree::iter)).map(|(_, tensor)| tensor)
    }

    fn map(self, f: impl Fn(StateTree) -> StateTree) -> Self {
        Self {
            layers: self.layers.into_iter().map(f).collect(),
            ..self
        }
    }
}
