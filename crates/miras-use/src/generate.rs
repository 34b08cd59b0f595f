//! Reading tokens and saying what comes next, with a state that is carried along.

use burn::tensor::{Tensor, TensorData};
use miras_model::{Block, ModelState, TokenMixer};
use miras_spec::memory_pass;
use miras_spec::read::read;

use crate::{Memory, Sampler, Stored, Trained, UseError};

/// So many tokens of a prompt are read at once.
const PIECE: usize = 512;

/// A model in the middle of a text.
pub struct Generator<'a> {
    trained: &'a Trained,
    memory: Memory,
    /// None before the first token.
    state: Option<ModelState>,
    /// For the token after the last one; none before the first.
    logits: Option<Vec<f32>>,
}

/// How large the memories of a layer are.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    /// The layer, from 0.
    pub layer: usize,
    /// The Euclidean norm of its maps, as they stood at the last chunk's end, or of its keys and
    /// values.
    pub norm: f64,
}

impl<'a> Generator<'a> {
    /// At the beginning of a text.
    pub fn new(trained: &'a Trained, memory: Memory) -> Result<Self, UseError> {
        trained.check_carried(memory)?;
        Ok(Self {
            trained,
            memory,
            state: None,
            logits: None,
        })
    }

    /// Where a stored state stands.
    pub fn resume(trained: &'a Trained, memory: Memory, stored: Stored) -> Result<Self, UseError> {
        trained.check_carried(memory)?;
        let (state, logits) = stored.into_state(trained)?;
        Ok(Self {
            trained,
            memory,
            state: Some(state),
            logits: Some(logits),
        })
    }

    /// Reads tokens.
    pub fn read(&mut self, text: &[i32]) -> Result<(), UseError> {
        for piece in text.chunks(PIECE) {
            let data = TensorData::new(piece.to_vec(), [1, piece.len()]);
            let inputs = Tensor::from_data(data, &self.trained.device);
            let (state, pass) = (self.state.take(), memory_pass(self.memory, None));
            let model = &self.trained.model;
            let (x, state) = model.hidden_states(inputs, state, pass);
            // Logits are needed behind the last token alone.
            let logits = model.logits(x.narrow(1, piece.len() - 1, 1));
            self.state = Some(state);
            self.logits = Some(read(logits)?);
        }
        Ok(())
    }

    /// Chooses the next token and reads it; none before the first token.
    pub fn next(&mut self, sampler: &Sampler) -> Result<Option<i32>, UseError> {
        let Some(logits) = &self.logits else {
            return Ok(None);
        };
        let position = self.position();
        if logits.iter().any(|logit| !logit.is_finite()) {
            let message = format!("what comes after {position} tokens is not finite");
            return Err(UseError::NonFinite(message));
        }
        let token = sampler.pick(logits, position as u64);
        self.read(&[token])?;
        Ok(Some(token))
    }

    /// The logits of the token after the last one; none before the first.
    pub fn logits(&self) -> Option<&[f32]> {
        self.logits.as_deref()
    }

    /// Tokens read.
    pub fn position(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.position)
    }

    /// Back to the beginning of a text.
    pub fn reset(&mut self) {
        self.state = None;
        self.logits = None;
    }

    /// Numbers that the state holds.
    pub fn size(&self) -> usize {
        self.state.as_ref().map_or(0, ModelState::size)
    }

    /// The norm of each layer's memories.
    pub fn norms(&self) -> Result<Vec<LayerNorm>, UseError> {
        let Some(state) = &self.state else {
            return Ok(Vec::new());
        };
        let mixers = self.trained.model.blocks().iter().map(Block::mixer);
        (state.layers.iter().zip(mixers).enumerate())
            .map(|(layer, (state, mixer))| {
                let mut square = 0.0;
                for name in mixer.memory() {
                    let tensor = state.get(&name).expect("a tensor of this mixer's state");
                    let values = read(tensor.values())?;
                    square += values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
                }
                Ok(LayerNorm {
                    layer,
                    norm: square.sqrt(),
                })
            })
            .collect()
    }

    /// What a file of a state holds; none before the first token.
    ///
    /// # Errors
    /// If memories are frozen: then what was read is not in them.
    pub fn store(&self) -> Result<Option<Stored>, UseError> {
        if self.memory == Memory::Frozen {
            let message = "a frozen memory holds nothing of the text, so there is no state to \
                           save: leave --save-state out, or use --memory live";
            return Err(UseError::Usage(message.to_owned()));
        }
        let (Some(state), Some(logits)) = (&self.state, &self.logits) else {
            return Ok(None);
        };
        Stored::of(state.clone(), logits.clone(), self.trained).map(Some)
    }

    /// The state; none before the first token.
    pub fn into_state(self) -> Option<ModelState> {
        self.state
    }
}
