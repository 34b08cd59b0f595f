//! A state as plain values under names, and back.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use crate::{LanguageModel, ModelState, StateError, StateOrigin, TokenMixer};

/// What a [`ModelState`] holds, as plain values: 32-bit floats under names.
///
/// | name | shape |
/// |---|---|
/// | `layers.L.tails.q`, `k`, `v`; `q` where queries are not keys | `[rows, taps − 1, width]` |
/// | `layers.L.maps.M.weights`, `layers.L.maps.M.slots.S` | `[1, rows·heads, d_in, d_out]` |
/// | `layers.L.open.sweeps.S.maps.M.x`, `d` | `[1, rows·heads, p·R, d_in]`, `d_out`: the gradients of the `p` tokens of an open chunk |
/// | `layers.L.open.gates.NAME` | `[1, rows·heads, p, 1]` |
/// | `layers.L.keys`, `values` | `[rows, heads, position, width of a head]` |
///
/// Which of them there are, and `p`, follow from the model and the position.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedState {
    /// Batch rows.
    pub rows: usize,
    /// Tokens seen.
    pub position: usize,
    /// The weights that made it, if that is known.
    pub origin: Option<StateOrigin>,
    /// The values.
    pub tensors: BTreeMap<String, TensorData>,
}

impl ModelState {
    /// The values under their names.
    pub fn into_named(self) -> Result<NamedState, StateError> {
        let mut tensors = BTreeMap::new();
        for (layer, state) in self.layers.iter().enumerate() {
            for (name, tensor) in state.iter() {
                let values = (tensor.values().try_into_vec_as::<f32>())
                    .map_err(|error| StateError::Device(error.to_string()))?;
                let data = TensorData::new(values, tensor.shape().dims().to_vec());
                tensors.insert(format!("{}.{name}", prefix(layer)), data);
            }
        }
        Ok(NamedState {
            rows: self.rows,
            position: self.position,
            origin: None,
            tensors,
        })
    }
}

impl NamedState {
    /// The state for a model, on its device; every value must have its place and every
    /// place its value.
    pub fn into_state(self, model: &LanguageModel) -> Result<ModelState, StateError> {
        let mut tensors = self.tensors;
        let device = model.device();
        let mut layers = Vec::with_capacity(model.blocks().len());
        for (layer, block) in model.blocks().iter().enumerate() {
            let layout = block.mixer().state_layout(self.rows, self.position);
            layers.push(layout.load(&prefix(layer), &mut tensors, &device)?);
        }
        if let Some(name) = tensors.into_keys().next() {
            return Err(StateError::Unknown(name));
        }
        Ok(ModelState {
            layers,
            rows: self.rows,
            position: self.position,
        })
    }
}

/// What the names of a layer's tensors begin with.
fn prefix(layer: usize) -> String {
    format!("layers.{layer}")
}
