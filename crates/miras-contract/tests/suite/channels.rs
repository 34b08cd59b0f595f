//! Channels, shared projections and erase keys against their formulas in plain loops.

use burn::tensor::{DType, Tensor};
use miras_contract::placed;
use miras_core::{GateMap, Gates, RETENTION, STEP};
use miras_engine::Rule;

use crate::support::{Inputs, choose, difference, numbers, run_dual};

const T: usize = 11;

/// Rows of `[1, g, t, d]` by memory and token.
fn rows(x: &Tensor<4>) -> Vec<Vec<Vec<f64>>> {
    let [_, g, t, d] = x.dims();
    let values = numbers(x.clone());
    let row = |g: usize, at: usize| values[(g * t + at) * d..][..d].to_vec();
    (0..g)
        .map(|g| (0..t).map(|at| row(g, at)).collect())
        .collect()
}

/// `W ← a ⊙ W − θ ⊙ (eᵀ (e W) − kᵀ v)`, `y = q W`, with every product written out; a gate has one
/// value, or one for each row (`key`) or column (`value`) of `W`.
fn in_loops(rule: &Rule, inputs: &Inputs, channels: [&str; 2]) -> Vec<f64> {
    in_loops_of(rule, inputs, channels, T)
}

fn in_loops_of(
    rule: &Rule,
    inputs: &Inputs,
    [decay, step]: [&str; 2],
    tokens_of_all: usize,
) -> Vec<f64> {
    let tokens = &inputs.tokens;
    let [q, k, v] = [&tokens.q, &tokens.k, &tokens.v].map(rows);
    let [a, theta] = [RETENTION, STEP].map(|name| rows(&tokens.gates.get(name)));
    let slope = rule.bias.slope().unwrap();
    let mut y = Vec::new();
    for g in 0..q.len() {
        let initial = rows(&inputs.initial.maps[0]).remove(g);
        let anchored = rule.retention.is_anchored();
        let (d_k, d_v) = (initial.len(), initial[0].len());
        let mut w = initial.clone();
        for t in 0..tokens_of_all {
            let key = &k[g][t];
            let (e, write) = key.split_at(key.len() - d_k);
            let e = if e.is_empty() { write } else { e };
            let of = |gate: &[f64], which: &str, i: usize, j: usize| match which {
                "key" => gate[i],
                "value" => gate[j],
                _ => gate[0],
            };
            let recalled: Vec<f64> = (0..d_v)
                .map(|j| (0..d_k).map(|i| e[i] * w[i][j]).sum())
                .collect();
            for i in 0..d_k {
                for j in 0..d_v {
                    let gradient = slope * e[i] * recalled[j] - write[i] * v[g][t][j];
                    let base = if anchored { initial[i][j] } else { 0.0 };
                    let kept = of(&a[g][t], decay, i, j).exp() * (w[i][j] - base) + base;
                    w[i][j] = kept - of(&theta[g][t], step, i, j) * gradient;
                }
            }
            y.extend((0..d_v).map(|j| (0..d_k).map(|i| q[g][t][i] * w[i][j]).sum::<f64>()));
        }
    }
    y
}

#[test]
fn channels_and_erase_keys_are_their_formulas() {
    for bias in ["dot", "l2", "erase"] {
        for decay in ["head", "key", "value"] {
            for step in ["head", "key", "value"] {
                for anchored in [false, true] {
                    let text = format!(
                        "[memory]\nkind = 'matrix'\n[bias]\nkind = '{bias}'\n\
                         [retention]\nchannels = '{decay}'\nanchored = {anchored}\n\
                         [algorithm]\nkind = 'gd'\nchannels = '{step}'\nchunk = 4\nform = 'exact'"
                    );
                    let Ok(choice) = choose(&text) else {
                        assert!(
                            bias != "dot" && (decay == "value" || step == "value"),
                            "{text}"
                        );
                        continue;
                    };
                    let inputs = Inputs::new(&choice.rule, T);
                    let ours = numbers(run_dual(&choice.rule, &inputs, &[6, 5]).y);
                    let truth = in_loops(&choice.rule, &inputs, [decay, step]);
                    let gap = difference(&ours, &truth);
                    assert!(gap < 1e-12, "{text}: {gap:e}");
                }
            }
        }
    }
}

/// Gates at the floor of their logarithm and gates near 1 in one chunk of single precision, whose
/// cumulative products span more than its range.
#[test]
fn decays_of_any_range_stay_finite_and_right() {
    let text = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'l2'\n[retention]\nchannels = 'key'\n\
                [algorithm]\nkind = 'gd'\nchunk = 64";
    let rule = choose(text).unwrap().rule;
    let mut inputs = Inputs::new(&rule, 64);
    let log = inputs.tokens.gates.get(RETENTION);
    let floor = log.clone().lower_elem((0.4_f64).ln());
    let log = log.mask_fill(floor, -30.0);
    inputs.tokens.gates = inputs.tokens.gates.with(RETENTION, log);
    let truth = in_loops_of(&rule, &inputs, ["key", "head"], 64);
    let single = inputs.map(|x| placed(&x, (&x.device(), DType::F32)));
    let run = run_dual(&rule, &single, &[]);
    let gap = difference(&numbers(run.y), &truth);
    assert!(gap < 1e-5, "{gap:e}");
    for (name, gradient) in run.gradients {
        let finite = gradient.is_none_or(|values| values.iter().all(|x| x.is_finite()));
        assert!(finite, "{name}");
    }
}

#[test]
fn equal_channels_are_one_decay_and_one_step() {
    let text = |channels: &str| {
        format!(
            "[memory]\nkind = 'matrix'\n[retention]\nchannels = '{channels}'\n\
             [algorithm]\nkind = 'gd'\nchannels = '{channels}'\nchunk = 4"
        )
    };
    let of_heads = choose(&text("head")).unwrap().rule;
    let inputs = Inputs::new(&of_heads, T);
    let truth = numbers(run_dual(&of_heads, &inputs, &[]).y);
    let of_channels = choose(&text("key")).unwrap().rule;
    let mut wide = inputs.clone();
    let d_k = inputs.tokens.q.dims()[3];
    wide.tokens.gates = (inputs.tokens.gates.iter()).fold(Gates::new(), |gates, (name, gate)| {
        gates.with(name, gate.clone().repeat_dim(3, d_k))
    });
    let gap = difference(&numbers(run_dual(&of_channels, &wide, &[]).y), &truth);
    assert!(gap < 1e-12, "{gap:e}");
}

#[test]
fn a_shared_projection_belongs_to_a_gate_that_has_one() {
    let text = |retention: &str| {
        format!(
            "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\n{retention}\n\
             [algorithm]\nkind = 'gd'\nstep = 'rate'\nstep_max = 0.5"
        )
    };
    let rule = choose(&text("gate = 'rate'")).unwrap().rule;
    let gates = rule.gates();
    let step = gates.iter().find(|gate| gate.name == STEP).unwrap();
    assert_eq!(step.source, Some(RETENTION));
    assert_eq!(step.map, GateMap::Softplus { scale: 0.5 });
    for (retention, why) in [
        ("kind = 'none'", "the gate `retention`, which is not there"),
        ("gate = 'fixed'", "the gate `retention`, which has none"),
        (
            "gate = 'rate'\nchannels = 'key'",
            "the gate `retention`, which is of other channels",
        ),
        (
            "gate = 'sigmoid'",
            "the gate `retention`, which is that of no rate",
        ),
    ] {
        let error = choose(&text(retention)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn channels_that_have_no_form_are_refused_with_the_reason() {
    for (text, key, why) in [
        (
            "[retention]\nchannels = 'key'\n[algorithm]\nkind = 'gd'",
            "retention.channels",
            "a matrix from keys to values",
        ),
        (
            "[memory]\nkind = 'matrix'\n[retention]\nchannels = 'key'",
            "retention.channels",
            "keeps more than the weights",
        ),
        (
            "[memory]\nkind = 'matrix'\n[retention]\nkind = 'kl'\n[algorithm]\nkind = 'gd'\nchannels = 'key'",
            "algorithm.channels",
            "behind this retention's link",
        ),
        (
            "[memory]\nkind = 'matrix'\n[retention]\nchannels = 'value'\n[algorithm]\nkind = 'gd'\nform = 'exact'",
            "algorithm.form",
            "decays or steps per channel of the values",
        ),
        (
            "[memory]\nkind = 'matrix'\n[retention]\ngate = 'fixed'\nchannels = 'key'",
            "retention.channels",
            "the same for all channels",
        ),
    ] {
        let error = choose(text).unwrap_err().to_string();
        assert!(
            error.contains(key) && error.contains(why),
            "{text}\n{error}"
        );
        assert!(error.contains("= help: "), "{error}");
    }
}
