//! What memories keep from step to step under `train.state = "carry"`.

use miras_model::{LanguageModel, ModelState, NamedState, StateError};
use miras_spec::{StateRule, TrainConfig};

/// The state after each micro-batch of a step, for the same micro-batch of the next step.
pub(crate) struct Carried {
    /// None where the next step starts from the initial memory.
    states: Option<Vec<ModelState>>,
    /// Rows of a micro-batch, and micro-batches of a step.
    size: (usize, usize),
}

impl Carried {
    /// Nothing yet; none where nothing is to be carried.
    pub(crate) fn new(config: &TrainConfig) -> Option<Self> {
        (config.state == StateRule::Carry).then_some(Self {
            states: None,
            size: (config.batch, config.accumulate),
        })
    }

    /// What a micro-batch goes on from.
    pub(crate) fn state(&self, micro_batch: usize) -> Option<ModelState> {
        Some(self.states.as_ref()?[micro_batch].clone())
    }

    /// Goes on from these states.
    pub(crate) fn set(&mut self, states: Vec<ModelState>) {
        self.states = Some(states);
    }

    /// Goes on from the initial memory.
    pub(crate) fn reset(&mut self) {
        self.states = None;
    }

    /// A file with the rows of all micro-batches; none if there is nothing to keep.
    pub(crate) fn to_bytes(&self) -> Result<Option<Vec<u8>>, StateError> {
        let Some(states) = &self.states else {
            return Ok(None);
        };
        let bytes = ModelState::cat(states).into_named()?.to_bytes()?;
        Ok(Some(bytes))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub(crate) fn load(&mut self, bytes: &[u8], model: &LanguageModel) -> Result<(), StateError> {
        let named = NamedState::from_bytes(bytes)?;
        let (batch, micro_batches) = self.size;
        if named.rows != batch * micro_batches {
            return Err(StateError::Rows {
                found: named.rows,
                needed: batch * micro_batches,
            });
        }
        let state = named.into_state(model)?;
        let rows_of = |at: usize| at * batch..(at + 1) * batch;
        self.set(
            (0..micro_batches)
                .map(|at| state.clone().select_rows(rows_of(at)))
                .collect(),
        );
        Ok(())
    }
}
