//! A state as plain values under names, and back.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use miras_core::{Factor, Gates, MapState};
use miras_engine::{Open, State};
use serde::{Deserialize, Serialize};

use crate::{
    AttentionMixer, AttentionState, LanguageModel, MemoryMixer, MemoryState, Mixer, MixerState,
    ModelState, ShortConv, StateError, state::Tails,
};

/// What a [`ModelState`] holds, as plain values: 32-bit floats under names.
///
/// | name | shape |
/// |---|---|
/// | `layers.L.tails.q`, `k`, `v` | `[rows, taps − 1, width]` |
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

/// The weights that a state was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateOrigin {
    /// The run that they are from.
    pub run: String,
    /// Its optimiser steps.
    pub step: u64,
    /// SHA-256 of the file of the weights.
    pub weights: String,
}

/// What the convolutions are on.
const TAILS: [&str; 3] = ["q", "k", "v"];

impl ModelState {
    /// The values under their names.
    pub fn into_named(self) -> Result<NamedState, StateError> {
        let mut tensors = BTreeMap::new();
        for (name, shape, values) in self.tensors() {
            let values = (values.try_into_vec_as::<f32>())
                .map_err(|error| StateError::Device(error.to_string()))?;
            tensors.insert(name, TensorData::new(values, shape));
        }
        Ok(NamedState {
            rows: self.rows,
            position: self.position,
            origin: None,
            tensors,
        })
    }

    /// 0 if every value is finite, else NaN; stays on the device.
    pub fn finiteness(&self) -> Tensor<1> {
        let probes = (self.tensors().into_iter()).map(|(_, _, x)| x.mul_scalar(0.0).sum());
        Tensor::cat(probes.collect(), 0).sum()
    }

    /// Every tensor: its name, its shape, its values in a row.
    fn tensors(&self) -> Vec<(String, Vec<usize>, Tensor<1>)> {
        let mut list = List::default();
        for (layer, state) in self.layers.iter().enumerate() {
            list.prefix = format!("layers.{layer}");
            match state {
                MixerState::Memory(state) => {
                    list.tails(&state.tails);
                    list.memory(&state.memory);
                }
                MixerState::Attention(state) => {
                    list.tails(&state.tails);
                    list.push("keys", &state.keys);
                    list.push("values", &state.values);
                }
            }
        }
        list.found
    }
}

#[derive(Default)]
struct List {
    prefix: String,
    found: Vec<(String, Vec<usize>, Tensor<1>)>,
}

impl List {
    fn push<const D: usize>(&mut self, name: &str, x: &Tensor<D>) {
        let shape = x.dims().to_vec();
        let count = shape.iter().product::<usize>();
        let name = format!("{}.{name}", self.prefix);
        self.found.push((name, shape, x.clone().reshape([count])));
    }

    fn tails(&mut self, tails: &Tails) {
        for (of, tail) in TAILS.iter().zip(tails) {
            if let Some(tail) = tail {
                self.push(&format!("tails.{of}"), tail);
            }
        }
    }

    fn memory(&mut self, state: &State) {
        for (at, map) in state.maps.iter().enumerate() {
            self.push(&format!("maps.{at}.weights"), &map.weights);
            for (slot, values) in map.slots.iter().enumerate() {
                self.push(&format!("maps.{at}.slots.{slot}"), values);
            }
        }
        let Some(open) = &state.open else { return };
        for (sweep, factors) in open.sweeps.iter().enumerate() {
            for (at, Factor { x, d }) in factors.iter().enumerate() {
                self.push(&format!("open.sweeps.{sweep}.maps.{at}.x"), x);
                self.push(&format!("open.sweeps.{sweep}.maps.{at}.d"), d);
            }
        }
        for (gate, values) in open.gates.iter() {
            self.push(&format!("open.gates.{gate}"), values);
        }
    }
}

impl NamedState {
    /// The state for a model, on its device; every value must have its place and every
    /// place its value.
    pub fn into_state(self, model: &LanguageModel) -> Result<ModelState, StateError> {
        let mut places = Places {
            rows: self.rows,
            position: self.position,
            prefix: String::new(),
            tensors: self.tensors,
            device: model.device(),
        };
        let layers = (model.blocks().iter().enumerate())
            .map(|(layer, block)| {
                places.prefix = format!("layers.{layer}");
                Ok(match block.mixer() {
                    Mixer::Memory(mixer) => MixerState::Memory(places.memory_mixer(mixer)?),
                    Mixer::Attention(mixer) => {
                        MixerState::Attention(places.attention_mixer(mixer)?)
                    }
                })
            })
            .collect::<Result<_, StateError>>()?;
        if let Some(name) = places.tensors.into_keys().next() {
            return Err(StateError::Unknown(name));
        }
        Ok(ModelState {
            layers,
            rows: self.rows,
            position: self.position,
        })
    }
}

/// The values that have not found their place yet.
struct Places {
    rows: usize,
    position: usize,
    prefix: String,
    tensors: BTreeMap<String, TensorData>,
    device: Device,
}

impl Places {
    fn take<const D: usize>(
        &mut self,
        name: &str,
        needed: [usize; D],
    ) -> Result<Tensor<D>, StateError> {
        let name = format!("{}.{name}", self.prefix);
        let Some(data) = self.tensors.remove(&name) else {
            return Err(StateError::Missing(name));
        };
        if data.shape().to_vec() != needed {
            return Err(StateError::Shape {
                name,
                found: data.shape().to_vec(),
                needed: needed.to_vec(),
            });
        }
        Ok(Tensor::from_data(data, &self.device))
    }

    fn tails(&mut self, convs: &[ShortConv]) -> Result<Tails, StateError> {
        let mut tails = Tails::default();
        for ((of, conv), tail) in TAILS.iter().zip(convs).zip(&mut tails) {
            if let Some(shape) = conv.tail(self.rows) {
                *tail = Some(self.take(&format!("tails.{of}"), shape)?);
            }
        }
        Ok(tails)
    }

    fn memory_mixer(&mut self, mixer: &MemoryMixer) -> Result<MemoryState, StateError> {
        let rule = mixer.rule();
        let tails = self.tails(&mixer.convs)?;
        // A number that no shape has stands for one that cannot be counted.
        let g = self.rows.saturating_mul(mixer.heads);
        let specs = rule.memory.maps(mixer.head_dim);
        let mut maps = Vec::with_capacity(specs.len());
        for (at, map) in specs.iter().enumerate() {
            let shape = [1, g, map.d_in, map.d_out];
            maps.push(MapState {
                weights: self.take(&format!("maps.{at}.weights"), shape)?,
                slots: (0..rule.algorithm.slots())
                    .map(|slot| self.take(&format!("maps.{at}.slots.{slot}"), shape))
                    .collect::<Result<_, _>>()?,
            });
        }
        let tokens = State::open_after(rule, self.position);
        let open = if tokens == 0 {
            None
        } else {
            let rows = tokens * rule.memory.rows();
            let mut sweeps = Vec::new();
            for sweep in 0..=rule.settings.sweeps {
                let mut factors = Vec::with_capacity(specs.len());
                for (at, map) in specs.iter().enumerate() {
                    let name = format!("open.sweeps.{sweep}.maps.{at}");
                    factors.push(Factor {
                        x: self.take(&format!("{name}.x"), [1, g, rows, map.d_in])?,
                        d: self.take(&format!("{name}.d"), [1, g, rows, map.d_out])?,
                    });
                }
                sweeps.push(factors);
            }
            let mut gates = Gates::new();
            for spec in &mixer.specs {
                let values = self.take(&format!("open.gates.{}", spec.name), [1, g, tokens, 1])?;
                gates = gates.with(spec.name, values);
            }
            Some(Open { sweeps, gates })
        };
        Ok(MemoryState {
            tails,
            memory: State { maps, open },
        })
    }

    fn attention_mixer(&mut self, mixer: &AttentionMixer) -> Result<AttentionState, StateError> {
        let shape = [self.rows, mixer.heads, self.position, mixer.head_dim];
        Ok(AttentionState {
            tails: self.tails(&mixer.convs)?,
            keys: self.take("keys", shape)?,
            values: self.take("values", shape)?,
        })
    }
}
