//! Seeded inputs in float64.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use miras_core::{GateMap, Gates};
use miras_engine::{Initial, Place, Rule, Tokens};

/// Memories at once.
pub const G: usize = 2;
/// The width of each.
pub const D: usize = 3;

/// From this many tokens on gates keep more, so that the first tokens of a chunk still matter to
/// the last.
const LONG: usize = 64;

/// How large a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Memories at once.
    pub memories: usize,
    /// Features of each one's keys and queries.
    pub d_k: usize,
    /// Features of its values.
    pub d_v: usize,
    /// Tokens.
    pub tokens: usize,
}

impl Size {
    /// The size at which every combination is compared, with `tokens` tokens.
    pub fn small(tokens: usize) -> Self {
        Self {
            memories: G,
            d_k: D,
            d_v: D,
            tokens,
        }
    }
}

/// Numbers in (−1, 1) from a name, the same on every machine.
pub fn noise(name: &str, count: usize) -> Vec<f64> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn device() -> Device {
    Device::flex().autodiff()
}

/// Numbers as a tensor in float64 on the CPU, part of a graph.
pub fn tensor(values: Vec<f64>, shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), (&device(), DType::F64))
}

/// The values of a tensor on another device, or as another number type.
pub fn placed(x: &Tensor<4>, (device, dtype): (&Device, DType)) -> Tensor<4> {
    Tensor::from_data(x.to_data().convert_dtype(dtype), (device, dtype))
}

/// Memories that are the heads of a layer.
pub fn places(memories: usize) -> Vec<Place> {
    Place::of_heads(&"memory".into(), memories, 1)
}

pub(crate) fn random(name: &str, shape: [usize; 4], low: f64, high: f64) -> Tensor<4> {
    let values = noise(name, shape.iter().product());
    let scaled = values.iter().map(|x| low + (x + 1.0) / 2.0 * (high - low));
    tensor(scaled.collect(), shape)
}

/// Everything a rule reads, as leaves of a graph.
#[derive(Clone)]
pub struct Inputs {
    /// Queries, keys, values and gates.
    pub tokens: Tokens,
    /// Initial weights and gains.
    pub initial: Initial,
}

impl Inputs {
    /// Seeded inputs of `t` tokens at the small size; some keys are repeated, as in real text.
    pub fn new(rule: &Rule, t: usize) -> Self {
        Self::sized(rule, Size::small(t))
    }

    /// The same at any size.
    ///
    /// # Panics
    /// If the memory has no program at these widths.
    pub fn sized(rule: &Rule, size: Size) -> Self {
        let Size {
            memories,
            d_k,
            d_v,
            tokens: t,
        } = size;
        let program = rule.memory.program(d_k, d_v);
        let program = program.unwrap_or_else(|error| panic!("{size:?}: {error}"));
        let kept = if t < LONG { (0.3, 0.95) } else { (0.9, 0.999) };
        let unit = |x: Tensor<4>| {
            let norm = x.clone().powi_scalar(2).sum_dim(3).sqrt();
            x / norm
        };
        let repeated = (8..t).step_by(8).map(|to| (to, to - 7));
        let repeated: Vec<_> = [(2, 1), (4, 1), (5, 3)]
            .into_iter()
            .chain(repeated)
            .collect();
        let keys = |name: &str| {
            let mut keys = noise(name, memories * t * d_k);
            for g in 0..memories {
                for &(to, from) in repeated.iter().filter(|(to, _)| *to < t) {
                    for d in 0..d_k {
                        keys[(g * t + to) * d_k + d] = keys[(g * t + from) * d_k + d];
                    }
                }
            }
            unit(tensor(keys, [1, memories, t, d_k]))
        };
        let k = match rule.keys() {
            1 => keys("k"),
            _ => Tensor::cat(vec![keys("erase"), keys("k")], 3),
        };
        let mut gates = Gates::new();
        for spec in rule.gates() {
            let shape = [1, memories, t, spec.width(d_k, d_v)];
            let value = |low: f64, high: f64| random(spec.name, shape, low, high);
            // Inside each map's range: steps that do not diverge, shares that keep something.
            let value = match spec.map {
                GateMap::Constant(constant) => value(constant, constant),
                GateMap::Sigmoid { max } => value(0.05 * max, 0.5 * max),
                GateMap::LogSigmoid | GateMap::DecayRate | GateMap::HeadDecay => {
                    value(kept.0, kept.1).log()
                }
                GateMap::Softplus { .. } => value(0.3, 1.2),
            };
            gates = gates.with(spec.name, value);
        }
        let maps = (program.maps().iter())
            .map(|map| {
                let bound = 1.2 / (map.d_in as f64).sqrt();
                random(&map.name, [1, memories, map.d_in, map.d_out], -bound, bound)
            })
            .collect();
        let gains = (program.gains().iter())
            .map(|gain| random(&gain.name, [1, memories, 1, gain.d], 0.5, 1.5))
            .collect();
        Self {
            tokens: Tokens {
                q: unit(random("q", [1, memories, t, d_k], -1.0, 1.0)),
                k,
                v: random("v", [1, memories, t, d_v], -1.0, 1.0),
                gates,
            },
            initial: Initial {
                program: Arc::new(program),
                maps,
                gains,
                places: places(memories),
            },
        }
    }

    /// The same values through `f`, by which one makes leaves, or changes some.
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        let all = |x: &[Tensor<4>]| x.iter().cloned().map(&f).collect();
        Self {
            tokens: Tokens {
                q: f(self.tokens.q.clone()),
                k: f(self.tokens.k.clone()),
                v: f(self.tokens.v.clone()),
                gates: self.tokens.gates.map(&f),
            },
            initial: Initial {
                program: self.initial.program.clone(),
                maps: all(&self.initial.maps),
                gains: all(&self.initial.gains),
                places: self.initial.places.clone(),
            },
        }
    }

    /// The same values, each a leaf of a new graph.
    #[must_use]
    pub fn leaves(&self) -> Self {
        self.map(|x| x.detach().require_grad())
    }

    /// All tensors with their names.
    pub fn named(&self) -> Vec<(String, Tensor<4>)> {
        let tokens = &self.tokens;
        let mut all = vec![
            ("q".to_string(), tokens.q.clone()),
            ("k".to_string(), tokens.k.clone()),
            ("v".to_string(), tokens.v.clone()),
        ];
        for (name, gate) in tokens.gates.iter() {
            all.push((name.to_string(), gate.clone()));
        }
        for (l, map) in self.initial.maps.iter().enumerate() {
            all.push((format!("map {l}"), map.clone()));
        }
        for (i, gain) in self.initial.gains.iter().enumerate() {
            all.push((format!("gain {i}"), gain.clone()));
        }
        all
    }
}
