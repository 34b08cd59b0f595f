//! The operation against numbers from `scripts/reference.py`, which the engine is held to as well.

use std::{collections::BTreeMap, fs, path::Path};

use miras_kernels::{
    Activation, Bias, Binary, Caps, Form, Formula, Gradients, Inputs, Link, MapFormula, Node, Op,
    Order, Output, OutputGradients, Over, Program, Read, Scan, Unary,
};
use serde_json::Value;

/// Those of parts that the operation has.
const NAMES: [&str; 17] = [
    "gated_deltanet",
    "linear_attention",
    "mamba2",
    "memora_mlp2_norm_residual_stale_chunk4",
    "memora_mlp2_norm_residual_stale_chunk4_anchored",
    "moneta_mlp2_norm_residual_identity_link_chunk4",
    "moneta_mlp2_norm_residual_lq4_frozen_chunk4",
    "moneta_mlp2_norm_residual_lq4_frozen_chunk4_anchored",
    "titans_linear_momentum",
    "titans_mlp2_carried_chunk4",
    "titans_mlp2_chunk1",
    "titans_mlp2_chunk4",
    "titans_mlp2_huber_coordinate_chunk4",
    "titans_mlp2_huber_norm_chunk4",
    "titans_mlp2_loadcap_chunk4",
    "titans_mlp3_norm_residual_chunk4",
    "yaad_mlp2_norm_residual_chunk4",
];

const VALUES: f64 = 5e-6;
const GRADIENTS: f64 = 2e-5;

#[test]
fn outputs_states_and_gradients_equal_the_numpy_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../miras-contract/tests/goldens");
    for name in NAMES {
        let text = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
        compare(name, &serde_json::from_str(&text).unwrap());
    }
}

fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(floats).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn singles(value: &Value) -> Vec<f32> {
    floats(value).into_iter().map(|x| x as f32).collect()
}

fn logarithms(value: &Value) -> Vec<f32> {
    floats(value).into_iter().map(|x| x.ln() as f32).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn program(golden: &Value, d: usize) -> Program {
    let memory = &golden["memory"];
    let [depth, expansion] = ["depth", "expansion"].map(|key| memory[key].as_u64().unwrap());
    let (depth, hidden) = (depth as usize, expansion as usize * d);
    let width = |at: usize| if at == 0 || at == depth { d } else { hidden };
    let maps: Vec<_> = (0..depth).map(|l| [width(l), width(l + 1)]).collect();
    let kind = match memory["activation"].as_str().unwrap() {
        "silu" => Activation::Silu,
        _ => Activation::Gelu,
    };
    let mut nodes = vec![Node::Linear { map: 0, x: 0 }];
    for map in 1..depth {
        let x = nodes.len();
        nodes.push(Node::Activation { kind, x });
        nodes.push(Node::Linear { map, x: x + 1 });
    }
    if memory["norm"] == "layer" {
        let x = nodes.len();
        nodes.push(Node::LayerNorm { gain: 0, x });
    }
    if memory["residual"] == true {
        let b = nodes.len();
        nodes.push(Node::Sum { a: 0, b });
    }
    Program::new(d, &maps, &nodes).unwrap()
}

fn bias(golden: &Value) -> Bias {
    let bias = &golden["bias"];
    let norm = [
        Op::Output,
        Op::Value,
        Op::Binary(Binary::Sub, 0, 1),
        Op::Unary(Unary::Square, 2),
        Op::Sum(3, Over::Row),
        Op::Unary(Unary::Shift(1e-12), 4),
        Op::Unary(Unary::Sqrt, 5),
        Op::Gate(0),
    ];
    let ops = match bias["kind"].as_str().unwrap() {
        "dot" => return Bias::Affine { slope: 0.0 },
        "l2" => return Bias::Affine { slope: 1.0 },
        "lp" => {
            let [p, epsilon] = ["p", "epsilon"].map(|key| bias[key].as_f64().unwrap() as f32);
            let rest = [
                Op::Unary(Unary::Shift(epsilon), 3),
                Op::Unary(Unary::Power(0.5 * p - 1.0), 4),
                Op::Unary(Unary::Scale(p), 2),
                Op::Binary(Binary::Mul, 5, 6),
            ];
            [&norm[..4], &rest].concat()
        }
        _ => {
            let rest = match bias["variant"].as_str().unwrap() {
                "norm" => vec![
                    Op::Binary(Binary::Div, 7, 6),
                    Op::Unary(Unary::AtMost(1.0), 8),
                    Op::Binary(Binary::Mul, 2, 9),
                ],
                "coordinate" => vec![
                    Op::Unary(Unary::Scale(-1.0), 7),
                    Op::Binary(Binary::Min, 2, 7),
                    Op::Binary(Binary::Max, 9, 8),
                ],
                _ => vec![
                    Op::Unary(Unary::Scale(bias["sharpness"].as_f64().unwrap() as f32), 2),
                    Op::Unary(Unary::Tanh, 8),
                    Op::Binary(Binary::Mul, 7, 9),
                    Op::Select {
                        a: 6,
                        b: 7,
                        yes: 2,
                        no: 10,
                    },
                ],
            };
            [&norm[..], &rest].concat()
        }
    };
    Bias::Formula(Formula::new(&ops).unwrap())
}

fn scan(golden: &Value, d: usize) -> Scan {
    let (algorithm, retention) = (&golden["algorithm"], &golden["retention"]);
    let form = if algorithm["form"] == "exact" {
        let order = match retention["order"].as_str() {
            Some("before") => Order::Before,
            _ => Order::After,
        };
        Form::Exact { order }
    } else {
        let cap = |key: &str| algorithm[key].as_f64().map(|cap| cap as f32);
        Form::ChunkStart {
            read: match algorithm["read"].as_str() {
                Some("frozen") => Read::Frozen,
                Some("stale") => Read::Stale,
                _ => Read::Exact,
            },
            caps: Caps {
                load: cap("load_cap"),
                ..Caps::default()
            },
        }
    };
    Scan {
        program: program(golden, d),
        bias: bias(golden),
        chunk: algorithm["chunk"].as_u64().unwrap() as usize,
        keep_every: 2,
        link: link(retention),
        anchored: retention["anchored"] == true,
        momentum: algorithm["kind"] == "momentum",
        form,
    }
}

/// `‖A‖_q^{2−q} A`, `√d_out softmax(A)` by rows, or `A`.
fn link(retention: &Value) -> Link {
    match norm(retention) {
        Some([q, floor]) => {
            let [q, floor] = [q, floor].map(|x| x as f32);
            let scale = MapFormula::new(&[
                Op::Argument,
                Op::Unary(Unary::Square, 0),
                Op::Unary(Unary::Power(q / 2.0), 1),
                Op::Sum(2, Over::All),
                Op::Unary(Unary::Power(1.0 / q), 3),
                Op::Unary(Unary::AtLeast(floor), 4),
                Op::Unary(Unary::Power(2.0 - q), 5),
            ]);
            Link::Scale(scale.unwrap())
        }
        None if retention["kind"] == "kl" => {
            let rows = MapFormula::new(&[Op::Argument, Op::Softmax(0), Op::TimesRowLength(1, 0.5)]);
            Link::General(rows.unwrap())
        }
        None => Link::Identity,
    }
}

/// q and the floor of a norm that is not the identity.
fn norm(retention: &Value) -> Option<[f64; 2]> {
    let [q, floor] = ["q", "floor"].map(|key| retention[key].as_f64());
    (retention["kind"] == "lq").then_some([q?, floor?])
}

fn power_sum(x: &[f64], q: f64) -> f64 {
    x.iter().map(|x| x.abs().powf(q)).sum()
}

/// The weights of a state.
fn weights(retention: &Value, a: &[f64], d_out: usize) -> Vec<f64> {
    match norm(retention) {
        Some([q, floor]) => {
            let by = power_sum(a, q).powf(1.0 / q).max(floor).powf(2.0 - q);
            a.iter().map(|a| by * a).collect()
        }
        None if retention["kind"] == "kl" => {
            let row = |row: &[f64]| -> Vec<f64> {
                let by = (d_out as f64).sqrt() / row.iter().map(|x| x.exp()).sum::<f64>();
                row.iter().map(|x| by * x.exp()).collect()
            };
            a.chunks_exact(d_out).flat_map(row).collect()
        }
        None => a.to_vec(),
    }
}

/// The state of learned weights, and the gradient at them from that at the state.
fn first_state(
    retention: &Value,
    learned: &[f64],
    [d_in, d_out]: [usize; 2],
    of: &[f64],
) -> [Vec<f64>; 2] {
    if let Some([q, _]) = norm(retention) {
        // W n^r of the norm n = s^(1/q), where s is the sum of powers.
        let (r, s) = ((q - 2.0) / (3.0 - q), power_sum(learned, q));
        let along: f64 = learned.iter().zip(of).map(|(w, of)| w * of).sum();
        let by = s.powf(r / q);
        let more = along * r * by / s;
        let gradient = (learned.iter().zip(of))
            .map(|(w, of)| by * of + more * w.abs().powf(q - 1.0) * w.signum());
        return [learned.iter().map(|w| by * w).collect(), gradient.collect()];
    }
    let by = match retention["kind"].as_str() {
        Some("kl") => ((d_in + d_out) as f64 / 2.0).sqrt(),
        _ => 1.0,
    };
    [learned, of].map(|x| x.iter().map(|x| by * x).collect())
}

/// The gradients at all learned weights from those at their states.
fn of_learned(
    retention: &Value,
    learned: &[Vec<f64>],
    shapes: &[[usize; 2]],
    of_states: &[f32],
) -> Vec<f32> {
    let mut rest = of_states;
    let mut all = Vec::new();
    for (w, shape) in learned.iter().zip(shapes) {
        let (of, after) = rest.split_at(w.len());
        rest = after;
        let of: Vec<f64> = of.iter().map(|x| f64::from(*x)).collect();
        let [_, gradient] = first_state(retention, w, *shape, &of);
        all.extend(gradient.into_iter().map(|x| x as f32));
    }
    all
}

fn slices(all: &[Vec<f32>]) -> Vec<&[f32]> {
    all.iter().map(|x| &x[..]).collect()
}

/// Runs whole chunks, then the tokens of an open one as a chunk of their own.
fn compare(name: &str, golden: &Value) {
    let given = &golden["inputs"];
    let [q, k, v, step, cotangent] = [
        &given["q"],
        &given["k"],
        &given["v"],
        &given["step"],
        &golden["cotangent"],
    ]
    .map(singles);
    let [log_decay, log_momentum] = [&given["retention"], &given["momentum"]].map(logarithms);
    let tokens = step.len();
    let d = q.len() / tokens;
    let whole_chunks = scan(golden, d);
    let whole = tokens / whole_chunks.chunk * whole_chunks.chunk;
    let rest = Scan {
        chunk: (tokens - whole).max(1),
        ..whole_chunks.clone()
    };

    let retention = &golden["retention"];
    let shapes: Vec<_> = whole_chunks.program.maps().collect();
    let given_weights: Vec<_> = list(&given["weights"]).iter().map(floats).collect();
    let learned: Vec<Vec<f32>> = (given_weights.iter().zip(&shapes))
        .map(|(w, shape)| {
            let [state, _] = first_state(retention, w, *shape, w);
            state.into_iter().map(|x| x as f32).collect()
        })
        .collect();
    let zeros: Vec<_> = learned.iter().map(|x| vec![0.0; x.len()]).collect();
    let carried: Vec<_> = list(&given["momentum_state"]).iter().map(singles).collect();
    let delta = golden["bias"]["delta"].as_f64().unwrap_or(0.0) as f32;
    let gates = vec![vec![delta; tokens]; whole_chunks.bias.gates()];
    let gain = singles(&given["gain"]);
    let (first, slots, anchors) = {
        let slots = if carried.is_empty() { &zeros } else { &carried };
        let slots = if whole_chunks.momentum {
            &slots[..]
        } else {
            &[]
        };
        if whole_chunks.anchored {
            (&zeros, slots, &learned[..])
        } else {
            (&learned, slots, &[][..])
        }
    };
    let part = |from: usize, to: usize| Inputs {
        q: &q[from * d..to * d],
        k: &k[from * d..to * d],
        v: &v[from * d..to * d],
        log_decay: &log_decay[from..to],
        step: &step[from..to],
        log_momentum: log_momentum.get(from..to).unwrap_or_default(),
        bias_gates: gates.iter().map(|gate| &gate[from..to]).collect(),
        anchors: slices(anchors),
        gains: if gain.is_empty() {
            Vec::new()
        } else {
            vec![&gain]
        },
        ..Inputs::default()
    };

    let begin = Inputs {
        weights: slices(first),
        slots: slices(slots),
        ..part(0, whole)
    };
    let (output, tape) = whole_chunks.forward(&begin, true);
    let mut y = output.y.clone();
    let go_on = Inputs {
        weights: slices(&output.weights),
        slots: slices(&output.slots),
        ..part(whole, tokens)
    };
    let (last, last_tape) = rest.forward(&go_on, true);
    y.extend(&last.y);
    near(name, "y", &y, &golden["outputs"]["y"], VALUES);
    if whole == tokens {
        compare_states(name, golden, &output, anchors, &shapes);
    }

    let of = OutputGradients {
        y: &cotangent[whole * d..],
        ..OutputGradients::default()
    };
    let late = rest.backward(&go_on, &last_tape, &of);
    let of = OutputGradients {
        y: &cotangent[..whole * d],
        weights: slices(&late.weights),
        slots: slices(&late.slots),
    };
    let early = whole_chunks.backward(&begin, &tape, &of);
    let mut ours = joined(early, &late, whole_chunks.anchored);
    let of_weights = of_learned(retention, &given_weights, &shapes, &ours["weights"]);
    ours.insert("weights", of_weights);
    compare_gradients(name, golden, &ours);
}

/// The weights and slots after the last token.
fn compare_states(
    name: &str,
    golden: &Value,
    output: &Output,
    anchors: &[Vec<f32>],
    shapes: &[[usize; 2]],
) {
    let theirs = &golden["outputs"];
    for (l, state) in output.weights.iter().enumerate() {
        let anchor = anchors.get(l).map_or(&[][..], |anchor| anchor);
        let anchor = anchor.iter().copied().chain(std::iter::repeat(0.0));
        let linked: Vec<f64> = state
            .iter()
            .zip(anchor)
            .map(|(a, b)| f64::from(a + b))
            .collect();
        let ours = weights(&golden["retention"], &linked, shapes[l][1]);
        let ours: Vec<f32> = ours.into_iter().map(|x| x as f32).collect();
        near(name, "weights", &ours, &theirs["weights"][l], VALUES);
    }
    for (l, ours) in output.slots.iter().enumerate() {
        near(name, "slots", ours, &theirs["momentum_state"][l], VALUES);
    }
}

fn compare_gradients(name: &str, golden: &Value, ours: &BTreeMap<&str, Vec<f32>>) {
    for (key, theirs) in golden["gradients"].as_object().unwrap() {
        if key == "retention" && golden["retention"]["kind"] == "none" {
            // Kept whole without a gate, to which the gradient here would belong.
            continue;
        }
        let mut ours = ours[key.as_str()].clone();
        if matches!(key.as_str(), "retention" | "momentum") {
            // From the logarithm's to the gate's.
            for (ours, gate) in ours.iter_mut().zip(singles(&golden["inputs"][key])) {
                *ours /= gate;
            }
        }
        near(name, key, &ours, theirs, GRADIENTS);
    }
}

/// Gradients of both parts by the names of the golden files.
fn joined(early: Gradients, late: &Gradients, anchored: bool) -> BTreeMap<&'static str, Vec<f32>> {
    let both = |a: Vec<f32>, b: &Vec<f32>| [a, b.clone()].concat();
    let add = |a: Vec<Vec<f32>>, b: &[Vec<f32>]| -> Vec<f32> {
        let (a, b) = (a.concat(), b.concat());
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    };
    BTreeMap::from([
        ("q", both(early.q, &late.q)),
        ("k", both(early.k, &late.k)),
        ("v", both(early.v, &late.v)),
        ("step", both(early.step, &late.step)),
        ("retention", both(early.log_decay, &late.log_decay)),
        ("momentum", both(early.log_momentum, &late.log_momentum)),
        ("gain", add(early.gains, &late.gains)),
        ("momentum_state", early.slots.concat()),
        (
            "weights",
            if anchored {
                add(early.anchors, &late.anchors)
            } else {
                early.weights.concat()
            },
        ),
    ])
}

fn near(name: &str, what: &str, ours: &[f32], theirs: &Value, tolerance: f64) {
    let theirs = floats(theirs);
    assert_eq!(ours.len(), theirs.len(), "{name}: {what}");
    let square = |x: f64| x * x;
    let error: f64 = (ours.iter().zip(&theirs))
        .map(|(a, b)| square(f64::from(*a) - b))
        .sum();
    let size: f64 = theirs.iter().map(|x| square(*x)).sum();
    let error = (error / size).sqrt();
    assert!(error < tolerance, "{name}: {what} off by {error:e}");
}
