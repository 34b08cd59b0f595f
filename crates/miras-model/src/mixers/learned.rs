//! What a memory of a layer has learned beside the queries, keys and values that it shares with
//! others: its gates, and what its sequences begin with.

use std::{collections::BTreeMap, sync::Arc};

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{Device, Tensor, s},
};
use miras_core::{GainSpec, GateSpec, Gates, MapSpec, Program, RETENTION};
use miras_engine::{Initial, Place, Rule};
use miras_registry::StartKind;

use super::memory_spec::{KEY, MemorySpec};
use crate::{
    ParameterGroup, ParameterGroups,
    heads::{per_memory, repeat_heads},
    init::Init,
};

/// The gates of memories, one a head, and what they begin with.
pub(super) struct Learned<'a> {
    /// All projected gates side by side, `[d, Σ h·width]`.
    pub(super) gates: Option<&'a Linear>,
    /// Those of channels, where they have a rank.
    pub(super) low_rank: &'a [LowRank],
    /// Learned rates per head, `[h]`, of the gates that have one.
    pub(super) rates: &'a [Param<Tensor<1>>],
    /// Initial weights, `[h, d_in, d_out]`; empty where they are 0.
    pub(super) initial: &'a [Param<Tensor<3>>],
    /// Gains, `[h, 1, d]`.
    pub(super) gains: &'a [Param<Tensor<3>>],
    pub(super) specs: &'a [GateSpec],
    pub(super) program: &'a Arc<Program>,
    /// Its name.
    pub(super) layer: &'a Arc<str>,
    pub(super) heads: usize,
    pub(super) writes: usize,
}

impl Learned<'_> {
    /// The gates of everything that the tokens `x` write; `k` is made of the keys' projection. A token
    /// decays the memory once, before its first write.
    pub(super) fn gate_values(&self, x: &Tensor<3>, k: &Tensor<4>) -> Gates {
        let ([b, t, _], writes) = (x.dims(), self.writes);
        let (h, g, t) = (self.heads, b * self.heads, t * writes);
        let widths = (self.program.d_k(), self.program.d_v());
        let full = self.gates.map(|gates| {
            let projected = gates.forward(x.clone());
            projected.reshape([b, t, self.columns()])
        });
        let (mut low_rank, mut from) = (self.low_rank.iter(), 0);
        let mut projections = BTreeMap::new();
        for spec in self.specs.iter().filter(|spec| spec.has_projection()) {
            let width = spec.width(widths.0, widths.1);
            let factors = spec.channels.and_then(|_| low_rank.next());
            let z = if let Some(factors) = factors {
                factors.forward(x.clone())
            } else {
                let full = full
                    .clone()
                    .expect("made for the gates that have no factors");
                from += h * width;
                full.slice(s![.., .., from - h * width..from])
            };
            let z = z.reshape([b, t, h, width]).swap_dims(1, 2);
            projections.insert(spec.name, z.reshape([1, g, t, width]));
        }
        let mut rates = self.rates.iter();
        let mut gates = Gates::new();
        for spec in self.specs {
            let z: Tensor<4> = if spec.map.is_projected() {
                match spec.source {
                    Some(KEY) => k.clone().add_scalar(spec.bias),
                    source => projections[source.unwrap_or(spec.name)].clone(),
                }
            } else {
                Tensor::zeros([1, g, t, spec.width(widths.0, widths.1)], &x.device())
            };
            let rate = if spec.map.has_rate() {
                rates.next()
            } else {
                None
            };
            let rate = rate.map(|rate| per_memory(rate.val().reshape([h, 1, 1]), b));
            let mut value = spec.map.apply(z, rate);
            if spec.name == RETENTION && writes > 1 {
                let width = value.dims()[3];
                let value_of_first = value.reshape([g, t / writes, writes, width]);
                let first = value_of_first.clone().slice(s![.., .., 0..1, ..]);
                let others = value_of_first.slice(s![.., .., 1.., ..]).zeros_like();
                value = Tensor::cat(vec![first, others], 2).reshape([1, g, t, width]);
            }
            gates = gates.with(spec.name, value);
        }
        gates
    }

    /// Columns of the gates' projection for each write.
    fn columns(&self) -> usize {
        let (d_k, d_v) = (self.program.d_k(), self.program.d_v());
        let is_full = |spec: &&GateSpec| self.low_rank.is_empty() || spec.channels.is_none();
        let projected = (self.specs.iter())
            .filter(|spec| spec.has_projection())
            .filter(is_full);
        self.heads * projected.map(|spec| spec.width(d_k, d_v)).sum::<usize>()
    }

    /// What the memories of `b` batch rows begin with.
    pub(super) fn initial(&self, b: usize, device: &Device) -> Initial {
        let per_row = |params: &[Param<Tensor<3>>]| {
            (params.iter())
                .map(|param| per_memory(param.val(), b))
                .collect()
        };
        let mut maps: Vec<Tensor<4>> = per_row(self.initial);
        if maps.is_empty() {
            let zeros =
                |map: &MapSpec| Tensor::zeros([1, b * self.heads, map.d_in, map.d_out], device);
            maps = self.program.maps().iter().map(zeros).collect();
        }
        Initial {
            program: self.program.clone(),
            maps,
            gains: per_row(self.gains),
            places: Place::of_heads(self.layer, self.heads, b),
        }
    }

    pub(super) fn groups(&self, groups: &mut ParameterGroups) {
        let factors = self.low_rank.iter().flat_map(|gate| [&gate.down, &gate.up]);
        for linear in self.gates.into_iter().chain(factors) {
            groups.put(ParameterGroup::Gate, &linear.weight);
            if let Some(bias) = &linear.bias {
                groups.put(ParameterGroup::Gate, bias);
            }
        }
        for rate in self.rates {
            groups.put(ParameterGroup::Gate, rate);
        }
        for parameter in self.initial.iter().chain(self.gains) {
            groups.put(ParameterGroup::Memory, parameter);
        }
    }
}

/// A gate of channels whose projection has a low rank.
#[derive(Module, Debug)]
pub(super) struct LowRank {
    /// `[d, r]`.
    down: Linear,
    /// `[r, h·width]`, with the bias.
    up: Linear,
}

impl LowRank {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.up.forward(self.down.forward(x))
    }
}

/// A memory for the queries, keys and values of another one.
#[derive(Module, Debug)]
pub(super) struct LocalMemory {
    gates: Option<Linear>,
    low_rank: Vec<LowRank>,
    rates: Vec<Param<Tensor<1>>>,
    initial: Vec<Param<Tensor<3>>>,
    gains: Vec<Param<Tensor<3>>>,
    heads: usize,
    writes: usize,
    #[module(skip)]
    rule: Rule,
    #[module(skip)]
    program: Arc<Program>,
    #[module(skip)]
    specs: Vec<GateSpec>,
    #[module(skip)]
    name: Arc<str>,
}

impl LocalMemory {
    pub(super) fn from_spec(init: &mut Init, name: &str, spec: &MemorySpec) -> Self {
        let (program, specs, heads) = (Arc::new(spec.program()), spec.gates(), spec.keys.heads);
        Self {
            gates: gate_projection(init, name, spec, &program),
            low_rank: low_rank(init, name, spec, &program),
            rates: rates(init, &specs, heads),
            initial: initial_weights(init, name, spec, &program),
            gains: gains(init, program.gains(), heads),
            heads,
            writes: spec.keys.writes,
            rule: spec.choice.rule.clone(),
            program,
            specs,
            name: name.into(),
        }
    }

    /// As [`Learned::gate_values`].
    pub(super) fn gate_values(&self, x: &Tensor<3>, k: &Tensor<4>) -> Gates {
        self.learned().gate_values(x, k)
    }

    /// What the memories of `b` batch rows begin each shard with, those that begin at these tokens; those
    /// of a row and head are adjacent.
    pub(super) fn initial(&self, b: usize, shards: &[usize], device: &Device) -> Initial {
        let initial = self.learned().initial(b, device);
        let (g, firsts) = (b * self.heads, shards);
        let shards = firsts.len();
        let of_shards = |x: Tensor<4>| repeat_heads(x, g, g * shards);
        Initial {
            program: initial.program,
            maps: initial.maps.into_iter().map(of_shards).collect(),
            gains: initial.gains.into_iter().map(of_shards).collect(),
            places: (initial.places.iter())
                .flat_map(|place| firsts.iter().map(|first| place.later(*first)))
                .collect(),
        }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn groups(&self, groups: &mut ParameterGroups) {
        self.learned().groups(groups);
    }

    fn learned(&self) -> Learned<'_> {
        Learned {
            gates: self.gates.as_ref(),
            low_rank: &self.low_rank,
            rates: &self.rates,
            initial: &self.initial,
            gains: &self.gains,
            specs: &self.specs,
            program: &self.program,
            layer: &self.name,
            heads: self.heads,
            writes: self.writes,
        }
    }
}

/// Small weights, biases where the parts want their gates to start.
pub(super) fn gate_projection(
    init: &mut Init,
    name: &str,
    spec: &MemorySpec,
    program: &Program,
) -> Option<Linear> {
    let gates = spec.gates();
    let full = gates
        .iter()
        .filter(|gate| gate.has_projection() && !spec.has_factors(gate));
    let biases: Vec<f64> = full
        .flat_map(|gate| biases_of(gate, spec, program))
        .collect();
    let biases = biases.repeat(spec.keys.writes);
    if biases.is_empty() {
        return None;
    }
    let shape = [spec.dim(), biases.len()];
    Some(Linear {
        weight: init.normal(&format!("{name}.gates"), shape, SMALL),
        bias: Some(init.values([biases.len()], biases)),
    })
}

/// The deviation of the weights of a gate's projection at the start.
const SMALL: f64 = 0.02;

/// The same of the gates that have a rank, with factors whose product has weights as small.
pub(super) fn low_rank(
    init: &mut Init,
    name: &str,
    spec: &MemorySpec,
    program: &Program,
) -> Vec<LowRank> {
    let (d, rank, gates) = (spec.dim(), spec.keys.gate_rank, spec.gates());
    (gates.iter().filter(|gate| spec.has_factors(gate)))
        .map(|gate| {
            let biases = biases_of(gate, spec, program).repeat(spec.keys.writes);
            let deviation = SMALL * (d as f64 / rank as f64).sqrt();
            let name = |factor| format!("{name}.{}.{factor}", gate.name);
            let (down, up) = (name("down"), name("up"));
            LowRank {
                down: Linear {
                    weight: init.normal(&down, [d, rank], 1.0 / (d as f64).sqrt()),
                    bias: None,
                },
                up: Linear {
                    weight: init.normal(&up, [rank, biases.len()], deviation),
                    bias: Some(init.values([biases.len()], biases)),
                },
            }
        })
        .collect()
}

/// Where the projections of a gate of all heads start, for one write.
fn biases_of(gate: &GateSpec, spec: &MemorySpec, program: &Program) -> Vec<f64> {
    let width = gate.width(program.d_k(), program.d_v());
    vec![gate.bias; spec.keys.heads * width]
}

/// The rates of the gates that have one, as they start.
pub(super) fn rates(init: &mut Init, specs: &[GateSpec], heads: usize) -> Vec<Param<Tensor<1>>> {
    (specs.iter().filter(|spec| spec.map.has_rate()))
        .map(|spec| init.values([heads], (0..heads).map(|h| spec.rate(h)).collect()))
        .collect()
}

/// The weights that memories begin with; none where those are 0.
pub(super) fn initial_weights(
    init: &mut Init,
    name: &str,
    spec: &MemorySpec,
    program: &Program,
) -> Vec<Param<Tensor<3>>> {
    match spec.choice.start {
        StartKind::Zero => Vec::new(),
        StartKind::Learned => weights(init, name, program.maps(), spec.keys.heads),
    }
}

/// The weights of the maps of every head.
pub(super) fn weights(
    init: &mut Init,
    name: &str,
    maps: &[MapSpec],
    heads: usize,
) -> Vec<Param<Tensor<3>>> {
    (maps.iter())
        .map(|map| {
            let bound = (6.0 / (map.d_in + map.d_out) as f64).sqrt();
            let shape = [heads, map.d_in, map.d_out];
            init.uniform(&format!("{name}.initial.{}", map.name), shape, bound)
        })
        .collect()
}

/// The gains of every head, as they start.
pub(super) fn gains(init: &mut Init, specs: &[GainSpec], heads: usize) -> Vec<Param<Tensor<3>>> {
    (specs.iter())
        .map(|gain| init.constant([heads, 1, gain.d], gain.initial))
        .collect()
}
