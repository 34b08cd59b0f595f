//! A state in a file.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use miras_model::{ModelState, NamedState, StateError, StateOrigin};
use miras_run::{RunError, write_atomic};
use miras_spec::SpecError;

use crate::{Trained, UseError};

/// The tensor of the logits after the last token, `[vocab]`: what a text can go on with before
/// anything more is read. The others are those of a [`NamedState`].
const LOGITS: &str = "next.logits";

/// A state as its file holds it: one row, with the logits of the token after the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its values, without their origin.
    pub named: NamedState,
    /// The weights that made it.
    pub origin: StateOrigin,
    /// The file that it is from.
    path: PathBuf,
}

impl Stored {
    /// The name of the files' schema.
    pub const SCHEMA: &'static str = NamedState::SCHEMA;
    /// Its version.
    pub const VERSION: u32 = NamedState::VERSION;

    /// A state of one row of a run, and the logits of what comes next.
    ///
    /// # Errors
    /// If the values cannot be read from the device.
    pub fn of(state: ModelState, logits: Vec<f32>, trained: &Trained) -> Result<Self, UseError> {
        let named = state.into_named();
        let mut named = named.map_err(|error| SpecError::Compute(error.to_string()))?;
        let data = TensorData::new(logits, [trained.ends.vocab()]);
        named.tensors.insert(LOGITS.to_owned(), data);
        Ok(Self {
            named,
            origin: trained.origin.clone(),
            path: PathBuf::new(),
        })
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, UseError> {
        let bytes = fs::read(path).map_err(RunError::io("read", path))?;
        let refused = |cause| UseError::State {
            path: path.to_owned(),
            cause,
        };
        let mut named = NamedState::from_bytes(&bytes).map_err(refused)?;
        let Some(origin) = named.origin.take() else {
            return Err(refused(StateError::Origin));
        };
        Ok(Self {
            named,
            origin,
            path: path.to_owned(),
        })
    }

    /// Writes a file, whole or not at all, and gives back its size.
    pub fn write(&self, path: &Path) -> Result<usize, UseError> {
        let mut named = self.named.clone();
        named.origin = Some(self.origin.clone());
        let bytes = named.to_bytes().map_err(|cause| UseError::State {
            path: path.to_owned(),
            cause,
        })?;
        write_atomic(path, &bytes)?;
        Ok(bytes.len())
    }

    /// Bytes of its values.
    pub fn bytes(&self) -> usize {
        let tensors = self.named.tensors.values();
        tensors
            .map(|data| data.num_elements() * size_of::<f32>())
            .sum()
    }

    /// Refuses the state of other weights, and one that has no place in the model.
    pub fn check(&self, trained: &Trained) -> Result<(), UseError> {
        self.clone().into_state(trained).map(|_| ())
    }

    /// The state for a model, and the logits of what comes next.
    ///
    /// # Errors
    /// If it is of other weights or another model.
    pub fn into_state(mut self, trained: &Trained) -> Result<(ModelState, Vec<f32>), UseError> {
        let path = self.path;
        let refused = |cause| UseError::State { path, cause };
        let needed = &trained.origin.weights;
        if self.origin.weights != *needed {
            let (made_by, needed) = (self.origin, needed.clone());
            return Err(refused(StateError::Weights { made_by, needed }));
        }
        if self.named.rows != 1 {
            let found = self.named.rows;
            return Err(refused(StateError::Rows { found, needed: 1 }));
        }
        let Some(logits) = self.named.tensors.remove(LOGITS) else {
            return Err(refused(StateError::Missing(LOGITS.to_owned())));
        };
        if logits.shape().to_vec() != [trained.ends.vocab()] {
            return Err(refused(StateError::Shape {
                name: LOGITS.to_owned(),
                found: logits.shape().to_vec(),
                needed: vec![trained.ends.vocab()],
            }));
        }
        let logits = logits.as_slice::<f32>().map(<[f32]>::to_vec);
        let logits = match logits {
            Ok(logits) => logits,
            Err(error) => return Err(refused(StateError::File(error.to_string()))),
        };
        match self.named.into_state(&trained.model) {
            Ok(state) => Ok((state, logits)),
            Err(cause) => Err(refused(cause)),
        }
    }
}
