//! The engine against numbers from `scripts/reference.py`: naive per-token
//! loops in numpy, written from the papers, with gradients by central differences.

use std::{collections::BTreeMap, fs, path::Path};

use crate::support::{choose, difference, numbers, program, tensor};
use burn::tensor::Tensor;
use miras_core::{Gates, MOMENTUM, MapState, RETENTION, STEP, THRESHOLD};
use miras_engine::{Initial, Rule, State, Tokens, dual, recurrence};
use serde_json::{Value, json};

/// Values agree to rounding; gradients to the accuracy of a difference quotient.
const VALUES: f64 = 1e-11;
const GRADIENTS: f64 = 1e-8;

#[test]
fn outputs_states_and_gradients_equal_the_numpy_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let mut files: Vec<_> = (fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 40, "goldens are missing");
    for file in files {
        let golden: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let name = golden["name"].as_str().unwrap();
        let rule = choose(&config(&golden)).unwrap().rule;
        for (form, run) in [("dual", true), ("recurrence", false)] {
            compare(&format!("{name}, {form}"), &golden, &rule, run);
        }
    }
}

/// The golden's rule as the TOML that a user would write: most of its keys are ours.
fn config(golden: &Value) -> String {
    let [mut memory, mut bias, mut retention, mut algorithm] =
        ["memory", "bias", "retention", "algorithm"].map(|axis| golden[axis].clone());
    if memory["kind"] == "matrix" {
        memory = json!({ "kind": "matrix" });
    } else {
        memory["norm"] = (memory["norm"] == "layer").into();
    }
    // Huber's threshold is a gate.
    if let Some(scope) = bias.as_object_mut().unwrap().remove("variant") {
        bias["scope"] = scope;
    }
    match retention["kind"].as_str().unwrap() {
        "none" => retention = json!({ "kind": "none" }),
        "kl" => retention["signed"] = false.into(),
        _ => {}
    }
    if algorithm["load_cap"].is_null() {
        algorithm["load_cap"] = 0.into();
    }
    algorithm["grad_cap"] = 0.into();
    let tables = json!({
        "memory": memory, "bias": bias, "retention": retention, "algorithm": algorithm,
    });
    toml::to_string(&tables).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(floats).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// `[rows, columns]` of a matrix, or a row vector.
fn matrix(value: &Value) -> Tensor<4> {
    let rows = value.as_array().unwrap();
    let shape = match &rows[0] {
        Value::Array(columns) => [1, 1, rows.len(), columns.len()],
        _ => [1, 1, 1, rows.len()],
    };
    tensor(floats(value), shape).require_grad()
}

/// `[tokens, 1]`, or `[tokens, channels]`.
fn gate(value: &Value) -> Tensor<4> {
    if value[0].is_array() {
        return matrix(value);
    }
    let values = floats(value);
    let shape = [1, 1, values.len(), 1];
    tensor(values, shape).require_grad()
}

fn compare(name: &str, golden: &Value, rule: &Rule, by_chunks: bool) {
    let inputs = &golden["inputs"];
    let list = |key: &str| {
        inputs
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let maps: Vec<Tensor<4>> = list("weights").iter().map(matrix).collect();
    let momentum: Vec<Tensor<4>> = list("momentum_state").iter().map(matrix).collect();
    let gain = inputs.get("gain").map(matrix);
    let [q, k, v] = ["q", "k", "v"].map(|key| matrix(&inputs[key]));
    let erase = inputs.get("erase").map(matrix);
    let [step, retention] = ["step", "retention"].map(|key| gate(&inputs[key]));
    let eta = inputs.get("momentum").map(gate);

    let mut gates = Gates::new()
        .with(STEP, step.clone())
        .with(RETENTION, retention.clone().log());
    if let Some(eta) = &eta {
        gates = gates.with(MOMENTUM, eta.clone().log());
    }
    if let Some(delta) = golden["bias"].get("delta").and_then(Value::as_f64) {
        gates = gates.with(THRESHOLD, step.ones_like().mul_scalar(delta));
    }
    let initial = Initial {
        program: program(rule, q.dims()[3]),
        maps: maps.clone(),
        gains: gain.iter().cloned().collect(),
        places: Vec::new(),
    };
    let mut state = State::new(rule, &initial);
    for (map, slot) in state.maps.iter_mut().zip(&momentum) {
        map.slots = vec![slot.clone()];
    }
    let tokens = Tokens {
        q: q.clone(),
        k: match &erase {
            Some(erase) => Tensor::cat(vec![erase.clone(), k.clone()], 3),
            None => k.clone(),
        },
        v: v.clone(),
        gates,
    };

    let (y, end) = if by_chunks {
        let out = dual::forward(rule, &initial, state, &tokens, false);
        let closed = out.state.open.is_none();
        (out.y, if closed { out.state.maps } else { Vec::new() })
    } else {
        let (y, state) = recurrence::forward(rule, &initial, &state, &tokens);
        (y, state.maps)
    };
    let outputs = &golden["outputs"];
    let check = |what: &str, ours: Vec<f64>, theirs: &Value, tolerance: f64| {
        let gap = difference(&ours, &floats(theirs));
        assert!(gap < tolerance, "{name}: {what} differs by {gap:e}");
    };
    check("y", numbers(y.clone()), &outputs["y"], VALUES);
    let linked = rule.weights(&end, &initial);
    for (l, (weights, MapState { slots, .. })) in linked.into_iter().zip(end).enumerate() {
        check(
            "final weights",
            numbers(weights),
            &outputs["weights"][l],
            VALUES,
        );
        for (i, slot) in slots.into_iter().enumerate() {
            // One array a map, or a list of them where an algorithm keeps several.
            let expected = match &outputs["momentum_state"] {
                Value::Null => &outputs["slots"][l][i],
                states => &states[l],
            };
            check("final slots", numbers(slot), expected, VALUES);
        }
    }

    let cotangent = matrix(&golden["cotangent"]).detach();
    let gradients = (y * cotangent).sum().backward();
    let mut leaves: BTreeMap<&str, Vec<Tensor<4>>> = BTreeMap::new();
    for (key, leaf) in [
        ("q", q),
        ("k", k),
        ("v", v),
        ("step", step),
        ("retention", retention),
    ] {
        leaves.insert(key, vec![leaf]);
    }
    leaves.insert("weights", maps);
    leaves.insert("momentum_state", momentum);
    leaves.extend(eta.map(|eta| ("momentum", vec![eta])));
    leaves.extend(gain.map(|gain| ("gain", vec![gain])));
    leaves.extend(erase.map(|erase| ("erase", vec![erase])));
    for (key, expected) in golden["gradients"].as_object().unwrap() {
        for (l, leaf) in leaves[key.as_str()].iter().enumerate() {
            let is_list = matches!(key.as_str(), "weights" | "momentum_state");
            let expected = if is_list { &expected[l] } else { expected };
            let ours = leaf
                .grad(&gradients)
                .map_or_else(|| vec![0.0; floats(expected).len()], numbers);
            check(&format!("gradient of {key}"), ours, expected, GRADIENTS);
        }
    }
}
