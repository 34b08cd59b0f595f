//! The file of a state: safetensors, with rows and position in its metadata.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{NamedState, StateError};

/// The only entry of the metadata, for several would be written in random order.
const FACTS: &str = "miras_state";

/// What the tensors do not say, written as TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    rows: usize,
    position: usize,
}

impl NamedState {
    /// The content of a file; equal states give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let facts = Facts {
            rows: self.rows,
            position: self.position,
        };
        let facts = toml::to_string(&facts).map_err(failed)?;
        let mut values = Vec::with_capacity(self.tensors.len());
        for (name, data) in &self.tensors {
            let data = data.clone().convert::<f32>();
            let floats = data.as_slice::<f32>().map_err(failed)?;
            let bytes: Vec<u8> = floats
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            values.push((name, data.shape().to_vec(), bytes));
        }
        let views = (values.iter())
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        let metadata = HashMap::from([(FACTS.to_owned(), facts)]);
        serialize(views, Some(metadata)).map_err(failed)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(failed)?;
        let facts = (header.metadata().as_ref())
            .and_then(|metadata| metadata.get(FACTS))
            .ok_or_else(|| failed(format!("its metadata have no `{FACTS}`")))?;
        let facts: Facts = toml::from_str(facts).map_err(failed)?;
        let file = SafeTensors::deserialize(bytes).map_err(failed)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                let dtype = view.dtype();
                return Err(failed(format!("`{name}` is of type {dtype:?}, not F32")));
            }
            let (values, _) = view.data().as_chunks();
            let values: Vec<f32> = values
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect();
            tensors.insert(name.to_owned(), TensorData::new(values, view.shape()));
        }
        Ok(Self {
            rows: facts.rows,
            position: facts.position,
            tensors,
        })
    }
}

fn failed(cause: impl ToString) -> StateError {
    StateError::File(cause.to_string())
}
