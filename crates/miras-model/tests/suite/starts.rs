//! What gates, projections and convolutions start with.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use miras_core::{Axis, GateMap, GateSpec, MOMENTUM, RETENTION, STEP, THRESHOLD};
use miras_registry::Registry;

use crate::naive::{Params, sigmoid};
use crate::small::{DIM, HEADS, initial, numbers, small, spec};

/// Features of each head.
const HEAD_DIM: usize = DIM / HEADS;

/// The value a gate of a part is documented to start with: that of the key which stands for
/// it, or else what its map makes of the bias that the part asks for.
fn documented_start(gate: &GateSpec, config: &toml::Table) -> f64 {
    let key = |name: &str| config.get(name).and_then(toml::Value::as_float);
    let fixed = config.get("step").and_then(toml::Value::as_str) == Some("fixed");
    let ascent = config.get("ascent").and_then(toml::Value::as_bool);
    let sign = if ascent == Some(true) { -1.0 } else { 1.0 };
    let documented = match gate.name {
        RETENTION => key("decay"),
        MOMENTUM => key("momentum"),
        THRESHOLD => key("delta"),
        STEP if fixed => key("step_max").map(|max| sign * max),
        STEP => key("step_max").map(|max| sign * max * sigmoid(-2.0)),
        _ => None,
    };
    documented.unwrap_or_else(|| {
        let bias = Tensor::from_data(TensorData::new(vec![gate.bias], [1; 4]), &Device::flex());
        value_of(gate, numbers(gate.map.apply(bias, None))[0])
    })
}

/// What a gate kept as a logarithm stands for, and others as they are.
fn value_of(gate: &GateSpec, kept: f64) -> f64 {
    match (gate.map, gate.name) {
        (GateMap::LogSigmoid | GateMap::DecayRate | GateMap::HeadDecay, _)
        | (GateMap::Constant(_), RETENTION | MOMENTUM) => kept.exp(),
        _ => kept,
    }
}

/// A gate's value for each head where the input is 0, in a model just built.
fn start(spec: &GateSpec, params: &Params, at: &mut usize, rate: &mut usize) -> Vec<f64> {
    let mixer = "blocks.0.mixer";
    let tensor = |values: &[f64]| {
        let shape = [1, HEADS, 1, values.len() / HEADS];
        let data = TensorData::new(values.to_vec(), shape).convert::<f32>();
        Tensor::<4>::from_data(data, &Device::flex())
    };
    let z = if spec.has_projection() {
        let width = HEADS * spec.width(HEAD_DIM, HEAD_DIM);
        *at += width;
        let biases = params.get(&format!("{mixer}.gates.bias"));
        tensor(&biases[*at - width..*at])
    } else {
        tensor(&[0.3; HEADS])
    };
    let rates = spec.map.has_rate().then(|| {
        *rate += 1;
        tensor(params.get(&format!("{mixer}.rates.{}", *rate - 1)))
    });
    (numbers(spec.map.apply(z, rates)).into_iter())
        .map(|kept| value_of(spec, kept))
        .collect()
}

#[test]
fn gates_of_all_parts_start_where_their_settings_say() {
    let mut seen = BTreeMap::new();
    for axis in [Axis::Bias, Axis::Retention, Axis::Algorithm] {
        for part in Registry::builtin().parts(axis) {
            for variant in [""].iter().chain(part.variants) {
                let mut axes = format!("[{}]\nkind = '{}'\n{variant}\n", axis.table(), part.kind);
                // An ascent has no exact form.
                if variant.contains("ascent") {
                    axes += "form = 'chunk_start'\n";
                }
                axes += "[memory]\nkind = 'matrix'\n";
                // Decays per channel go with no slots.
                if axis == Axis::Retention {
                    axes += "[algorithm]\nkind = 'gd'\n";
                }
                let spec = small("", &axes);
                let rule = &spec.mixer.memories()[0].rule;
                let groups = [
                    (Axis::Bias, rule.bias.gates(), rule.bias.config()),
                    (
                        Axis::Retention,
                        rule.retention.gates(),
                        rule.retention.config(),
                    ),
                    (
                        Axis::Algorithm,
                        rule.algorithm.gates(),
                        rule.algorithm.config(),
                    ),
                ];
                let (_, params) = initial(&spec);
                let (mut at, mut rate) = (0, 0);
                for (owner, gates, config) in groups {
                    for gate in gates {
                        let expected = documented_start(&gate, &config);
                        let values = start(&gate, &params, &mut at, &mut rate);
                        for (head, value) in values.into_iter().enumerate() {
                            let expected = match gate.map {
                                GateMap::HeadDecay => {
                                    1.0 - (1.0 - expected) * 0.5_f64.powi(head as i32)
                                }
                                _ => expected,
                            };
                            assert!(
                                (value / expected - 1.0).abs() < 2e-6,
                                "{} of {axes}: {value}, not {expected}",
                                gate.name
                            );
                        }
                        if owner == axis && variant.is_empty() {
                            seen.insert(format!("{} {}", part.kind, gate.name), expected);
                        }
                    }
                }
            }
        }
    }
    let step = sigmoid(-2.0);
    for (gate, expected) in [
        ("huber threshold", 1.0),
        ("l2 retention", 0.993),
        ("gd step", step),
        ("momentum step", step),
        ("momentum momentum", 0.5),
    ] {
        assert_eq!(seen.get(gate), Some(&expected), "{gate}");
    }
    assert!((step - 0.119_202_922_022_117_55).abs() < 1e-12);
}

/// A gate that starts at 0.993 whichever way it is mapped.
#[test]
fn retention_starts_at_the_same_decay_as_sigmoid_and_as_rate() {
    for gate in ["sigmoid", "rate"] {
        let axes = format!("[retention]\nkind = 'l2'\ngate = '{gate}'\n");
        let spec = small("", &axes);
        let retention = &spec.mixer.memories()[0].rule.retention;
        let (_, params) = initial(&spec);
        let (mut at, mut rate) = (0, 0);
        for value in start(&retention.gates()[0], &params, &mut at, &mut rate) {
            assert!((value - 0.993).abs() < 1e-6, "{gate}: {value}");
        }
    }
}

const WIDE: usize = 64;

fn wide(keys: &str) -> Params {
    initial(&spec(&format!("[model]\ndim = {WIDE}\n{keys}"))).1
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Each of `values` is within `bound` of `center`, and they fill that range.
fn assert_uniform(what: &str, values: &[f64], center: f64, bound: f64) {
    let worst = values
        .iter()
        .fold(0.0_f64, |a, x| a.max((x - center).abs()));
    assert!(worst <= bound * 1.0001, "{what} strays by {worst}");
    assert!(worst > 0.8 * bound, "{what} strays by {worst} alone");
    let off = (mean(values) - center).abs();
    assert!(off < 0.3 * bound, "{what} is off by {off} on average");
}

#[test]
fn recall_starts_keys_like_queries_and_convolutions_near_the_identity() {
    for mixer in ["memory", "attention"] {
        let params = wide(&format!("init = 'recall'\n[mixer]\nkind = '{mixer}'"));
        for layer in 0..4 {
            let name = format!("blocks.{layer}.mixer");
            let weight = |which: &str| params.get(&format!("{name}.{which}.weight"));
            assert_eq!(weight("q"), weight("k"), "{name}");
            assert_ne!(weight("q"), weight("v"), "{name}");
            assert_uniform(&name, weight("q"), 0.0, (WIDE as f64).sqrt().recip());
            for (on, previous) in [0.0, 0.7, 0.0].into_iter().enumerate() {
                let taps = params.get(&format!("{name}.convs.{on}.taps"));
                assert_eq!(taps.len(), 4 * WIDE);
                for (tap, center) in [1.0, previous, 0.0, 0.0].into_iter().enumerate() {
                    let what = format!("{name}, convolution {on}, tap {tap}");
                    assert_uniform(&what, &taps[tap * WIDE..][..WIDE], center, 0.15);
                }
            }
        }
    }
}

#[test]
fn standard_starts_everything_apart() {
    for mixer in ["memory", "attention"] {
        let params = wide(&format!("init = 'standard'\n[mixer]\nkind = '{mixer}'"));
        let mut drawn = Vec::new();
        for layer in 0..4 {
            let name = format!("blocks.{layer}.mixer");
            for which in ["q", "k", "v", "output"] {
                let weight = params.get(&format!("{name}.{which}.weight"));
                let what = format!("{name}.{which}");
                assert_uniform(&what, weight, 0.0, (WIDE as f64).sqrt().recip());
                drawn.push(weight);
            }
            for on in 0..3 {
                let taps = params.get(&format!("{name}.convs.{on}.taps"));
                assert_uniform(&format!("{name}, convolution {on}"), taps, 0.0, 0.5);
                drawn.push(taps);
            }
        }
        for (at, one) in drawn.iter().enumerate() {
            assert!(!drawn[..at].contains(one), "two parameters are equal");
        }
    }
}

#[test]
fn the_rest_starts_at_its_documented_spread() {
    let params = wide("");
    let deviation = |values: &[f64]| mean(&values.iter().map(|x| x * x).collect::<Vec<_>>()).sqrt();
    let embedding = deviation(params.get("embedding"));
    assert!((embedding - 1.0).abs() < 0.1, "{embedding}");
    for (name, values) in &params.0 {
        if name.ends_with("gates.weight") {
            let found = deviation(values);
            assert!((found / 0.02 - 1.0).abs() < 0.1, "{name}: {found}");
        } else if name.ends_with("gamma") || name.contains("gains") {
            assert!(values.iter().all(|x| (x - 1.0).abs() < 1e-9), "{name}");
        }
    }
}
