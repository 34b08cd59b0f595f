//! What the contract tests share: every combination of parts, and seeded inputs in float64.

use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use miras_config::{ConfigError, Layers};
use miras_core::{Axis, GateMap, GateSpec, Gates};
use miras_engine::{Form, Initial, Rule, State, Tokens, dual, recurrence};
use miras_registry::{Choice, Registry};

/// Memories at once, and the width of each.
pub(crate) const G: usize = 2;
pub(crate) const D: usize = 3;

/// A rule and how it was asked for.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) rule: Rule,
}

pub(crate) fn choose(text: &str) -> Result<Choice, ConfigError> {
    let mut layers = Layers::new();
    layers.text("case", text)?;
    Choice::take(&mut layers.merge()?, &Registry::builtin())
}

/// The parts of one axis, each with its variants as TOML tables.
fn tables(axis: Axis) -> Vec<Vec<(String, String)>> {
    (Registry::builtin().parts(axis).into_iter())
        .map(|part| {
            (part.variants.iter())
                .map(|variant| {
                    let name = format!("{} {}", part.kind, variant.replace('\n', ", "));
                    let text = format!("[{}]\nkind = '{}'\n{variant}\n", axis.table(), part.kind);
                    (name, text)
                })
                .collect()
        })
        .collect()
}

/// Every combination of kinds, as often as it takes for every variant of each of its parts to
/// have its turn, each with `algorithm` added to its algorithm's table: the valid ones as cases,
/// the others as errors.
///
/// In step, variants of the same number would always meet; so each axis begins one further on
/// for every combination of kinds.
pub(crate) fn combinations(algorithm: &str) -> Vec<Result<Case, ConfigError>> {
    let axes = Axis::ALL.map(tables);
    let mut all = Vec::new();
    let counts = axes.each_ref().map(Vec::len);
    for at in 0..counts.iter().product() {
        let mut rest = at;
        let kinds: Vec<_> = (axes.iter().zip(counts))
            .map(|(kinds, count)| {
                let variants = &kinds[rest % count];
                rest /= count;
                variants
            })
            .collect();
        let turns = kinds.iter().map(|variants| variants.len()).max();
        for turn in 0..turns.unwrap_or(0) {
            let chosen: Vec<_> = (kinds.iter().enumerate())
                .map(|(axis, variants)| &variants[(turn + at * axis) % variants.len()])
                .collect();
            let names: Vec<_> = chosen.iter().map(|(name, _)| name.as_str()).collect();
            let texts: Vec<_> = chosen.iter().map(|(_, text)| text.as_str()).collect();
            let name = format!("{} | {algorithm}", names.join(" | "));
            all.push(choose(&(texts.concat() + algorithm)).map(|choice| Case {
                name,
                rule: choice.rule,
            }));
        }
    }
    all
}

pub(crate) fn cases(algorithm: &str) -> Vec<Case> {
    combinations(algorithm).into_iter().flatten().collect()
}

/// Numbers in (−1, 1) from a name, the same on every machine.
pub(crate) fn noise(name: &str, count: usize) -> Vec<f64> {
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

pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn tensor(values: Vec<f64>, shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), (&device(), DType::F64))
}

fn random(name: &str, shape: [usize; 4], low: f64, high: f64) -> Tensor<4> {
    let values = noise(name, shape.iter().product());
    let scaled = values.iter().map(|x| low + (x + 1.0) / 2.0 * (high - low));
    tensor(scaled.collect(), shape)
}

/// Everything a rule reads, as leaves of a graph.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub(crate) tokens: Tokens,
    pub(crate) initial: Initial,
}

pub(crate) fn gate_specs(rule: &Rule) -> Vec<GateSpec> {
    let mut specs = rule.bias.gates();
    specs.extend(rule.retention.gates());
    specs.extend(rule.algorithm.gates());
    specs
}

impl Inputs {
    /// Seeded inputs of `t` tokens; some keys are repeated, as in real text.
    pub(crate) fn new(rule: &Rule, t: usize) -> Self {
        let unit = |x: Tensor<4>| {
            let norm = x.clone().powi_scalar(2).sum_dim(3).sqrt();
            x / norm
        };
        let mut keys = noise("k", G * t * D);
        for g in 0..G {
            for (to, from) in [(2, 1), (4, 1), (5, 3)] {
                for d in 0..D {
                    if to < t {
                        keys[(g * t + to) * D + d] = keys[(g * t + from) * D + d];
                    }
                }
            }
        }
        let mut gates = Gates::new();
        for spec in gate_specs(rule) {
            let shape = [1, G, t, 1];
            let value = |low: f64, high: f64| random(spec.name, shape, low, high);
            // Inside each map's range: steps that do not diverge, shares that keep something.
            let value = match spec.map {
                GateMap::Constant(constant) => value(constant, constant),
                GateMap::Sigmoid { max } => value(0.05 * max, 0.5 * max),
                GateMap::LogSigmoid | GateMap::DecayRate => value(0.3, 0.95).log(),
                GateMap::Softplus => value(0.3, 1.2),
            };
            gates = gates.with(spec.name, value);
        }
        let maps = (rule.memory.maps(D).into_iter())
            .map(|map| {
                let bound = 1.2 / (map.d_in as f64).sqrt();
                random(&map.name, [1, G, map.d_in, map.d_out], -bound, bound)
            })
            .collect();
        let gains = (rule.memory.gains(D).into_iter())
            .map(|gain| random(&gain.name, [1, G, 1, gain.d], 0.5, 1.5))
            .collect();
        Self {
            tokens: Tokens {
                q: unit(random("q", [1, G, t, D], -1.0, 1.0)),
                k: unit(tensor(keys, [1, G, t, D])),
                v: random("v", [1, G, t, D], -1.0, 1.0),
                gates,
            },
            initial: Initial { maps, gains },
        }
    }

    /// The same values through `f`, by which one makes leaves, or changes some.
    pub(crate) fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        let all = |x: &[Tensor<4>]| x.iter().cloned().map(&f).collect();
        Self {
            tokens: Tokens {
                q: f(self.tokens.q.clone()),
                k: f(self.tokens.k.clone()),
                v: f(self.tokens.v.clone()),
                gates: self.tokens.gates.map(&f),
            },
            initial: Initial {
                maps: all(&self.initial.maps),
                gains: all(&self.initial.gains),
            },
        }
    }

    pub(crate) fn leaves(&self) -> Self {
        self.map(|x| x.detach().require_grad())
    }

    /// All tensors with their names.
    pub(crate) fn named(&self) -> Vec<(String, Tensor<4>)> {
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

/// Outputs and final state of a run, with the gradients of a fixed random functional of both.
pub(crate) struct Run {
    pub(crate) y: Tensor<4>,
    /// Outputs and states, by name.
    pub(crate) values: Vec<(String, Vec<f64>)>,
    pub(crate) gradients: Vec<(String, Option<Vec<f64>>)>,
}

pub(crate) fn numbers(x: Tensor<4>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

fn finish(inputs: &Inputs, y: Tensor<4>, maps: &[miras_core::MapState]) -> Run {
    let mut named = vec![("y".to_string(), y.clone())];
    for (l, map) in maps.iter().enumerate() {
        named.push((format!("state {l}"), map.weights.clone()));
        for slot in &map.slots {
            named.push((format!("slot {l}"), slot.clone()));
        }
    }
    let mut loss: Option<Tensor<1>> = None;
    for (name, x) in &named {
        let weight = random(&format!("weight of {name}"), x.dims(), -1.0, 1.0);
        let term = (x.clone() * weight).sum();
        loss = Some(loss.map_or(term.clone(), |loss| loss + term));
    }
    let gradients: Gradients = loss.unwrap().backward();
    Run {
        y,
        values: (named.into_iter())
            .map(|(name, x)| (name, numbers(x)))
            .collect(),
        gradients: (inputs.named().into_iter())
            .map(|(name, x)| (name, x.grad(&gradients).map(numbers)))
            .collect(),
    }
}

pub(crate) fn run_recurrence(rule: &Rule, inputs: &Inputs) -> Run {
    let inputs = inputs.leaves();
    let state = State::new(rule, &inputs.initial);
    let (y, maps) = recurrence::forward(rule, &inputs.initial, &state, &inputs.tokens);
    finish(&inputs, y, &maps)
}

/// The chunk form, called on pieces of the given lengths with carried state (empty: one call).
pub(crate) fn run_dual(rule: &Rule, inputs: &Inputs, pieces: &[usize]) -> Run {
    let inputs = inputs.leaves();
    let mut state = State::new(rule, &inputs.initial);
    let mut outputs = Vec::new();
    let whole = [inputs.tokens.len()];
    let mut at = 0;
    for length in if pieces.is_empty() { &whole } else { pieces } {
        let tokens = inputs.tokens.range(at, at + length);
        let out = dual::forward(rule, &inputs.initial, state, &tokens, false);
        outputs.push(out.y);
        state = out.state;
        at += length;
    }
    assert_eq!(at, inputs.tokens.len(), "the pieces cover the sequence");
    // The state of a chunk that is still open is that of its start: compare closed ones only.
    let closed = state.open.is_none() || rule.settings.form == Form::Exact;
    let maps = if closed { state.maps } else { Vec::new() };
    finish(&inputs, Tensor::cat(outputs, 2), &maps)
}

/// The largest difference, relative to the size of the reference (at least 1).
pub(crate) fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1.0_f64, |s, x| s.max(x.abs()));
    (a.iter().zip(b)).fold(0.0, |worst: f64, (a, b)| {
        let gap = (a - b).abs() / scale;
        if gap.is_nan() {
            f64::INFINITY
        } else {
            worst.max(gap)
        }
    })
}

/// Panics unless both runs agree in everything both have.
pub(crate) fn assert_same(name: &str, run: &Run, truth: &Run, tolerance: f64) {
    let mut compared = 0;
    for ((what, a), (also, b)) in run.values.iter().zip(&truth.values) {
        assert_eq!(what, also);
        let gap = difference(a, b);
        assert!(gap < tolerance, "{name}: {what} differs by {gap:e}");
        compared += 1;
    }
    assert!(compared > 0);
    for ((what, a), (_, b)) in run.gradients.iter().zip(&truth.gradients) {
        let zeros = |like: &Option<Vec<f64>>| vec![0.0; like.as_ref().map_or(0, Vec::len)];
        let (a, b) = match (a, b) {
            (None, None) => continue,
            (a, b) => (
                a.clone().unwrap_or_else(|| zeros(b)),
                b.clone().unwrap_or_else(|| zeros(a)),
            ),
        };
        let gap = difference(&a, &b);
        assert!(
            gap < tolerance,
            "{name}: gradient of {what} differs by {gap:e}"
        );
    }
}
