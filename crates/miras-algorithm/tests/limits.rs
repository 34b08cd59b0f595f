//! What the algorithms must be in the limits where another formula is known.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use burn::tensor::{Tensor, s};
use miras_contract::{
    D, G, Inputs, Run, assert_same, difference, noise, numbers, run_dual, run_recurrence, tensor,
};
use miras_core::{
    AlgorithmKind, ChunkWrite, Gates, MOMENTUM, MapState, MemoryAlgorithm, RETENTION, STEP,
};
use miras_engine::{Rule, State, recurrence};
use miras_registry::{Choice, Registry};

fn rule(text: &str) -> Rule {
    let choice = Choice::from_toml(text, &Registry::builtin());
    choice.unwrap_or_else(|error| panic!("{error}")).rule
}

/// A matrix under l2 by an algorithm at chunk ends.
fn at_chunk_ends(algorithm: &str) -> Rule {
    rule(&format!(
        "[memory]\nkind = 'matrix'\n[algorithm]\n{algorithm}"
    ))
}

/// With the gates of every token alike.
fn with_gates(inputs: &Inputs, gates: &[(&'static str, f64)]) -> Inputs {
    let mut inputs = inputs.clone();
    for (name, value) in gates {
        let constant = inputs.tokens.gates.get(name).zeros_like();
        let constant = constant.add_scalar(*value);
        inputs.tokens.gates = inputs.tokens.gates.with(name, constant);
    }
    inputs
}

/// A map after the writes of these chunks, from 0 on; every token has the step size `step`.
fn after(algorithm: &dyn MemoryAlgorithm, step: f64, writes: &[Tensor<4>]) -> MapState {
    let AlgorithmKind::ChunkEnd(algorithm_at_end) = algorithm.kind() else {
        panic!("an algorithm that acts at chunk ends");
    };
    let zeros = writes[0].zeros_like();
    let one = zeros.clone().slice(s![.., .., ..1, ..1]).add_scalar(1.0);
    let constant = |value: f64| one.clone().repeat_dim(2, 4).mul_scalar(value);
    let gates = Gates::new()
        .with(STEP, constant(step))
        .with(MOMENTUM, constant(0.5_f64.ln()));
    let start = MapState {
        weights: zeros.clone(),
        slots: vec![zeros; algorithm.slots()],
    };
    writes.iter().fold(start, |map, write| {
        let chunk = ChunkWrite {
            step: 0,
            carry: one.clone(),
            write: write.clone(),
            gates: &gates,
        };
        algorithm_at_end.step(map, &chunk)
    })
}

/// The update of a single chunk that wrote `write`.
fn update(settings: &str, step: f64, write: &Tensor<4>) -> Tensor<4> {
    let algorithm = at_chunk_ends(settings).algorithm;
    after(&*algorithm, step, std::slice::from_ref(write)).weights
}

const INSIDE: &str =
    "kind = 'muon'\nplacement = 'inside'\nmomentum = 0.0\nstep_max = 1.0\nepsilon = 1e-6";

fn matrix(name: &str, rows: usize, columns: usize) -> Tensor<4> {
    tensor(noise(name, rows * columns), [1, 1, rows, columns])
}

/// `I − 2vvᵀ/|v|²`.
fn reflection(name: &str, d: usize) -> Tensor<4> {
    let v = matrix(name, d, 1);
    let outer = v.clone().matmul(v.clone().transpose());
    let length = v.powi_scalar(2).sum_dim(2);
    let identity: Vec<f64> = (0..d * d).map(|at| f64::from(at % (d + 1) == 0)).collect();
    tensor(identity, [1, 1, d, d]) - outer.mul_scalar(2.0) / length
}

#[test]
fn muon_brings_singular_values_near_one_and_keeps_their_vectors() {
    for (rows, columns) in [(6, 6), (4, 7), (7, 4)] {
        let (left, right) = (reflection("left", rows), reflection("right", columns));
        let most = rows.min(columns);
        let mut values = vec![0.0; rows * columns];
        for i in 0..most {
            values[i * columns + i] = 1.0 / (1.0 + i as f64).powi(2);
        }
        let middle = tensor(values, [1, 1, rows, columns]);
        let write = left.clone().matmul(middle).matmul(right.clone());
        let update = update(INSIDE, 1.0, &write).neg();
        // Reflections are their own inverses.
        let values = numbers(left.matmul(update).matmul(right));
        for (at, value) in values.into_iter().enumerate() {
            let is_singular = at / columns == at % columns;
            let range = if is_singular { 0.65..1.25 } else { -1e-9..1e-9 };
            assert!(
                range.contains(&value),
                "{rows} x {columns}: {value} at {at}"
            );
        }
    }
}

#[test]
fn muon_does_not_see_the_size_of_a_write() {
    let write = matrix("write", 5, 3);
    for settings in [
        INSIDE,
        "kind = 'muon'\nepsilon = 1e-6",
        "kind = 'muon'\nmomentum = 0.0\nepsilon = 1e-6",
    ] {
        let unit = numbers(update(settings, 0.1, &write));
        for size in [1e-3, 30.0] {
            let scaled = numbers(update(settings, 0.1, &write.clone().mul_scalar(size)));
            // ε is beside a norm of about a thousandth.
            let gap = difference(&scaled, &unit);
            assert!(gap < 1e-5, "{settings}, {size}: {gap:e}");
        }
        let nothing = numbers(update(settings, 0.1, &write.zeros_like()));
        assert!(nothing.iter().all(|x| *x == 0.0), "{settings}: {nothing:?}");
    }
}

/// With equal steps of all tokens the placements differ in the size of the update alone.
#[test]
fn muon_steps_by_the_mean_step_outside_and_by_the_largest_inside() {
    for momentum in ["momentum = 0.0", "momentum = 0.5"] {
        let writes = [matrix("first", 4, 3), matrix("second", 4, 3)];
        let of = |placement: &str, step: f64| {
            let settings = format!(
                "kind = 'muon'\nplacement = '{placement}'\nstep_max = 0.7\nepsilon = 1e-6\n{momentum}"
            );
            let writes = writes.clone().map(|write| write.mul_scalar(step));
            after(&*at_chunk_ends(&settings).algorithm, step, &writes).weights
        };
        let inside = numbers(of("inside", 0.35));
        let outside = numbers(of("outside", 0.35).mul_scalar(2.0));
        assert!(difference(&inside, &outside) < 1e-9, "{momentum}");
    }
}

/// `S = ηS' − G` and its orthogonalised form, chunk by chunk.
#[test]
fn muon_orthogonalises_the_momentum() {
    let [first, second] = [matrix("first", 3, 3), matrix("second", 3, 3)];
    let settings =
        "kind = 'muon'\nplacement = 'inside'\nstep_max = 1.0\nepsilon = 1e-6\nmomentum = 0.3";
    let algorithm = at_chunk_ends(settings).algorithm;
    let state = after(&*algorithm, 1.0, &[first.clone(), second.clone()]);
    // The gate's value is that of `after`, wherever it starts.
    let momentum = first.clone().mul_scalar(0.5) + second;
    let slot = numbers(state.slots[0].clone().neg());
    assert!(difference(&slot, &numbers(momentum.clone())) < 1e-12);
    let expected = update(INSIDE, 1.0, &first) + update(INSIDE, 1.0, &momentum);
    assert!(difference(&numbers(state.weights), &numbers(expected)) < 1e-9);
}

/// Chunk by chunk the state is that of a memory whose lengths change, with each column of its weights
/// brought back by hand; also where it is the distance from the initial weights.
#[test]
fn muon_that_renormalises_keeps_the_length_of_every_column() {
    for retention in [
        "kind = 'none'",
        "kind = 'l2'",
        "kind = 'l2'\nanchored = false",
    ] {
        let of = |renormalise: bool| {
            rule(&format!(
                "[memory]\nkind = 'gated_mlp'\n[bias]\nkind = 'l2'\n[retention]\n{retention}\n[algorithm]\nkind = 'muon'\nstep_max = 0.5\nplacement = 'inside'\nrenormalise = {renormalise}\nchunk = 3"
            ))
        };
        let (kept, free) = (of(true), of(false));
        let Inputs { tokens, initial } = Inputs::new(&kept, 6);
        let anchored = kept.retention.is_anchored();
        let by_hand = |state: State| {
            let maps = (state.maps.iter().zip(&initial.maps)).map(|(map, start)| {
                let [_, g, rows, columns] = start.dims();
                let (weights, start) = (numbers(map.weights.clone()), numbers(start.clone()));
                let length = |w: &dyn Fn(usize) -> f64, at: usize| {
                    let of_column = (0..rows).map(|row| {
                        let (head, column) = (at / columns, at % columns);
                        w((head * rows + row) * columns + column).powi(2)
                    });
                    of_column.sum::<f64>().sqrt()
                };
                let whole = |at: usize| weights[at] + if anchored { start[at] } else { 0.0 };
                let new = (0..weights.len()).map(|at| {
                    let column = at / (rows * columns) * columns + at % columns;
                    let by = length(&|at| start[at], column) / (length(&whole, column) + 1e-5);
                    whole(at) * by - if anchored { start[at] } else { 0.0 }
                });
                MapState {
                    weights: tensor(new.collect(), [1, g, rows, columns]),
                    slots: map.slots.clone(),
                }
            });
            State {
                maps: maps.collect(),
                ..state
            }
        };
        let mut truth = State::new(&free, &initial);
        for from in [0, 3] {
            let chunk = tokens.range(from, from + 3);
            truth = by_hand(recurrence::forward(&free, &initial, &truth, &chunk).1);
        }
        let start = State::new(&kept, &initial);
        let (_, found) = recurrence::forward(&kept, &initial, &start, &tokens);
        for (found, truth) in found.maps.into_iter().zip(truth.maps) {
            let gap = difference(&numbers(found.weights), &numbers(truth.weights));
            assert!(gap < 1e-9, "{retention}: {gap:e}");
        }
    }
}

/// A state whose columns have no lengths to keep, or none to be told by, is refused.
#[test]
fn lengths_are_kept_where_there_are_any() {
    let refusal = |memory: &str, retention: &str| {
        let text = format!(
            "[memory]\n{memory}\n[retention]\nkind = '{retention}'\n[algorithm]\nkind = 'muon'\nrenormalise = true"
        );
        let choice = Choice::from_toml(&text, &Registry::builtin());
        choice.unwrap_err().to_string()
    };
    let link = refusal("kind = 'matrix'", "kl");
    assert!(link.contains("algorithm.renormalise"), "{link}");
    let sign = refusal("kind = 'vector'", "l2");
    assert!(sign.contains("is one number"), "{sign}");
    let zero = refusal("kind = 'matrix'\nstart = 'zero'", "l2");
    assert!(zero.contains("which are 0"), "{zero}");
}

#[test]
fn adam_without_averages_steps_by_the_sign() {
    let writes = [matrix("first", 4, 5), matrix("second", 4, 5)];
    for settings in [
        "kind = 'adam'\nbeta1 = 0.0\nbeta2 = 0.0\nepsilon = 1e-6",
        "kind = 'rmsprop'\nbeta = 0.0\nepsilon = 1e-6",
    ] {
        let algorithm = at_chunk_ends(settings).algorithm;
        let found = numbers(after(&*algorithm, 0.2, &writes).weights);
        let signs = writes.clone().map(|write| write.sign().mul_scalar(-0.2));
        let [first, second] = signs;
        let gap = difference(&found, &numbers(first + second));
        assert!(gap < 1e-6, "{settings}: {gap:e}");
    }
}

/// Algorithm 1 of the paper, number by number, for chunks of one token.
#[test]
fn adam_is_that_of_the_paper() {
    let (step, beta1, beta2, epsilon) = (0.3, 0.8, 0.9, 0.1);
    let gradients: Vec<_> = ["first", "second", "third"]
        .map(|name| matrix(name, 2, 3))
        .into();
    let writes: Vec<_> = (gradients.iter().cloned())
        .map(|gradient| gradient.mul_scalar(step))
        .collect();
    for (settings, beta1) in [
        (
            "kind = 'adam'\nbeta1 = 0.8\nbeta2 = 0.9\nepsilon = 0.1",
            beta1,
        ),
        ("kind = 'rmsprop'\nbeta = 0.9\nepsilon = 0.1", 0.0),
    ] {
        let found = numbers(after(&*at_chunk_ends(settings).algorithm, step, &writes).weights);
        let gradients: Vec<_> = gradients.iter().cloned().map(numbers).collect();
        let expected: Vec<f64> = (0..6)
            .map(|at| {
                let (mut weight, mut m, mut v) = (0.0, 0.0, 0.0);
                for (n, gradient) in (1..).zip(&gradients) {
                    let g = gradient[at];
                    m = beta1 * m + (1.0 - beta1) * g;
                    v = beta2 * v + (1.0 - beta2) * g * g;
                    let m = m / (1.0 - f64::powi(beta1, n));
                    let v: f64 = v / (1.0 - f64::powi(beta2, n));
                    weight -= step * m / (v + epsilon * epsilon).sqrt();
                }
                weight
            })
            .collect();
        let gap = difference(&found, &expected);
        assert!(gap < 1e-9, "{settings}: {gap:e}");
    }
}

fn same(what: &str, rule: &Rule, truth: &Rule, inputs: &Inputs) {
    let truth: Run = run_recurrence(truth, inputs);
    assert_same(what, &run_dual(rule, inputs, &[]), &truth, 1e-9);
}

#[test]
fn one_step_at_chunk_ends_is_gradient_descent_with_stale_reads() {
    for memory in ["kind = 'matrix'", "kind = 'mlp'\ndepth = 2"] {
        let of = |algorithm: &str| {
            rule(&format!(
                "[memory]\n{memory}\n[algorithm]\nform = 'chunk_start'\nread = 'stale'\nchunk = 3\n{algorithm}"
            ))
        };
        let plain = of("kind = 'gd'");
        let inputs = Inputs::new(&plain, 9);
        same(
            memory,
            &of("kind = 'multi_step'\nsteps = 1"),
            &plain,
            &inputs,
        );
    }
}

/// Steps without end find the least squares of a chunk, whose solution recalls its values.
#[test]
fn many_steps_recall_the_values_of_a_chunk() {
    let rule = rule(
        "[memory]\nkind = 'matrix'\n[retention]\nkind = 'none'\n[algorithm]\nkind = 'multi_step'\n\
         steps = 64\nchunk = 2\nload_cap = 0",
    );
    let inputs = Inputs::new(&rule, 2);
    let mut inputs = with_gates(&inputs, &[(STEP, 0.7)]);
    let keys = (0..G * 2).flat_map(|t| [f64::from(t % 2 == 0), f64::from(t % 2 == 1), 0.0]);
    inputs.tokens.k = tensor(keys.collect(), [1, G, 2, D]);
    let run = run_dual(&rule, &inputs, &[]);
    let (_, state) = run
        .values
        .iter()
        .find(|(name, _)| name == "state 0")
        .unwrap();
    let recalled = inputs.tokens.k.matmul(tensor(state.clone(), [1, G, D, D]));
    let gap = difference(&numbers(recalled), &numbers(inputs.tokens.v));
    assert!(gap < 1e-9, "{gap:e}");
}

const EXACT: &str = "[memory]\nkind = 'matrix'\n[retention]\nkind = 'l2'\n[algorithm]\n";

#[test]
fn a_window_of_one_token_is_the_rule_of_single_tokens() {
    for memory in ["kind = 'matrix'", "kind = 'mlp'"] {
        for form in [
            "chunk = 3\nform = 'chunk_start'",
            "chunk = 1\nform = 'chunk_start'",
        ] {
            let of = |algorithm: &str| {
                rule(&format!(
                    "[memory]\n{memory}\n[algorithm]\n{form}\nstep_max = 0.5\n{algorithm}"
                ))
            };
            for (omega, plain) in [
                ("kind = 'omega'\nwindow = 1", "kind = 'gd'"),
                (
                    "kind = 'omega'\nwindow = 1\nmomentum = 0.5",
                    "kind = 'momentum'",
                ),
                ("kind = 'muon'\nwindow = 1", "kind = 'muon'"),
            ] {
                let (omega, plain) = (of(omega), of(plain));
                let inputs = Inputs::new(&plain, 9);
                same(
                    &format!("{memory}, {form}, {omega:?}"),
                    &omega,
                    &plain,
                    &inputs,
                );
            }
        }
    }
}

/// One token a chunk: every step takes the gradients of its whole window anew.
#[test]
fn a_window_is_the_mean_of_its_tokens_gradients() {
    let window = 3;
    let rule = rule(&format!(
        "[memory]\nkind = 'matrix'\n[retention]\nkind = 'l2'\nanchored = false\n\
         [algorithm]\nkind = 'omega'\nwindow = {window}\nmomentum = 0.5\n\
         form = 'chunk_start'\nchunk = 1\nload_cap = 0"
    ));
    let inputs = Inputs::new(&rule, 7);
    let (tokens, start) = (&inputs.tokens, &inputs.initial.maps[0]);
    let mut state = start.clone();
    let mut surprise = start.zeros_like();
    let mut outputs = Vec::new();
    for t in 0..7 {
        let first = usize::saturating_sub(t + 1, window);
        let mut write = start.zeros_like();
        for i in first..=t {
            let token = tokens.range(i, i + 1);
            let error = token.k.clone().matmul(state.clone()) - token.v;
            let step = token.gates.get(STEP).mul_scalar(1.0 / window as f64);
            write = write + token.k.transpose().matmul(error) * step;
        }
        let token = tokens.range(t, t + 1);
        surprise = surprise * token.gates.get(MOMENTUM).exp() - write;
        state = state * token.gates.get(RETENTION).exp() + surprise.clone();
        outputs.push(token.q.matmul(state.clone()));
    }
    let truth = numbers(Tensor::cat(outputs, 2));
    for run in [
        run_recurrence(&rule, &inputs),
        run_dual(&rule, &inputs, &[]),
        run_dual(&rule, &inputs, &[2, 4, 1]),
    ] {
        let gap = difference(&numbers(run.y), &truth);
        assert!(gap < 1e-12, "{gap:e}");
    }
}

/// At the weights that the last token reads, the derivative of all errors so far and of the distance from
/// the initial weights is 0.
#[test]
fn newton_is_at_the_least_squared_error() {
    let ridge = 0.7;
    let rule = rule(&format!(
        "[memory]\nkind = 'matrix'\n[algorithm]\nkind = 'newton'\nridge = {ridge}\niterations = 60\nchunk = 3"
    ));
    let mut inputs = Inputs::new(&rule, 7);
    let d = inputs.initial.maps[0].dims()[2];
    // The last tokens read a row of the weights each, and write nothing.
    let unit: Vec<f64> = (0..G * d * d)
        .map(|at| f64::from((at % (d * d)).is_multiple_of(d + 1)))
        .collect();
    let unit = tensor(unit, [1, G, d, d]);
    let first = 7 - d;
    let q = inputs.tokens.q.slice(s![.., .., ..first, ..]);
    inputs.tokens.q = Tensor::cat(vec![q, unit.clone()], 2);
    let zeros = |name: &'static str| {
        let gate = inputs.tokens.gates.get(name);
        let last = gate.clone().slice(s![.., .., first.., ..]).zeros_like();
        Tensor::cat(vec![gate.slice(s![.., .., ..first, ..]), last], 2)
    };
    let (step, keep) = (zeros(STEP), zeros(RETENTION));
    inputs.tokens.gates = (inputs.tokens.gates.clone())
        .with(STEP, step.clone())
        .with(RETENTION, keep.clone());
    let weights = run_dual(&rule, &inputs, &[])
        .y
        .slice(s![.., .., first.., ..]);
    let kept = keep.cumsum(2);
    let left = (kept.clone().slice(s![.., .., 6..7, ..]) - kept).exp();
    let error = inputs.tokens.k.clone().matmul(weights.clone()) - inputs.tokens.v.clone();
    let slope = inputs
        .tokens
        .k
        .clone()
        .transpose()
        .matmul(error * step * left)
        + (weights - inputs.initial.maps[0].clone()).mul_scalar(ridge);
    let slope = numbers(slope.abs().max().reshape([1, 1, 1, 1]))[0];
    assert!(slope < 1e-12, "{slope:e}");
}

#[test]
fn nesterov_without_momentum_is_gradient_descent() {
    let nesterov = rule(&format!("{EXACT}kind = 'nesterov'"));
    let gd = rule(&format!("{EXACT}kind = 'gd'"));
    let inputs = with_gates(&Inputs::new(&nesterov, 7), &[(MOMENTUM, -30.0)]);
    let found = numbers(run_dual(&nesterov, &inputs, &[]).y);
    let gap = difference(&found, &numbers(run_recurrence(&gd, &inputs).y));
    assert!(gap < 1e-9, "{gap:e}");
}

/// The classical form: `S_t = ηS_{t−1} − θ∇ℓ(W_{t−1} + ηS_{t−1})`, `W_t = W_{t−1} + S_t`, read at
/// `W_t + ηS_t`.
#[test]
fn nesterov_takes_gradients_where_the_momentum_leads() {
    let (step, momentum) = (0.3, 0.6_f64);
    let rule = rule(&format!("{EXACT}kind = 'nesterov'"));
    let gates = [(STEP, step), (MOMENTUM, momentum.ln()), (RETENTION, 0.0)];
    let inputs = with_gates(&Inputs::new(&rule, 8), &gates);
    let tokens = &inputs.tokens;
    let mut weights = inputs.initial.maps[0].clone();
    let mut surprise = weights.zeros_like();
    let mut outputs = Vec::new();
    for t in 0..8 {
        let token = tokens.range(t, t + 1);
        let ahead = weights.clone() + surprise.clone().mul_scalar(momentum);
        let error = token.k.clone().matmul(ahead) - token.v;
        let gradient = token.k.transpose().matmul(error);
        surprise = surprise.mul_scalar(momentum) - gradient.mul_scalar(step);
        weights = weights + surprise.clone();
        let ahead = weights.clone() + surprise.clone().mul_scalar(momentum);
        outputs.push(token.q.matmul(ahead));
    }
    let gap = difference(
        &numbers(run_dual(&rule, &inputs, &[]).y),
        &numbers(Tensor::cat(outputs, 2)),
    );
    assert!(gap < 1e-9, "{gap:e}");
}

/// Just below the bound that `stable_share` gives, a unit key that comes again stays bounded, and
/// above it, it does not.
#[test]
fn nesterov_is_stable_up_to_its_share() {
    let algorithm = rule(&format!("{EXACT}kind = 'nesterov'")).algorithm;
    let AlgorithmKind::Linear(algorithm) = algorithm.kind() else {
        panic!("nesterov moves the memory at every token");
    };
    let (momentum, decay) = (0.999, 0.9);
    let bound = algorithm.stable_share() * (1.0 + decay);
    let one = |value: f64| tensor(vec![value], [1, 1, 1, 1]);
    let gates = Gates::new().with(MOMENTUM, one(f64::ln(momentum)));
    let error_after = |step: f64| {
        let mut map = MapState {
            weights: one(1.0),
            slots: vec![one(0.0)],
        };
        for _ in 0..400 {
            let write = map.weights.clone().mul_scalar(step);
            map = algorithm.step(map, one(decay), write, &gates);
        }
        numbers(map.weights)[0].abs()
    };
    assert!(error_after(0.95 * bound) < 2.0);
    assert!(error_after(1.05 * bound) > 1e3);
}

/// The proximal step in closed form: the minimum of `½|kW − v|² + |W − W'|²/(2θ)` is where its
/// gradient `kᵀ(kW − v) + (W − W')/θ` is 0.
#[test]
fn implicit_steps_of_a_matrix_are_proximal() {
    let rule = rule(
        "[memory]\nkind = 'matrix'\n[retention]\nkind = 'l2'\norder = 'before'\n\
         anchored = false\n[algorithm]\nkind = 'gd'\nimplicit = 1.0\nstep_max = 50.0",
    );
    let mut inputs = Inputs::new(&rule, 1);
    inputs.tokens.k = inputs.tokens.k.mul_scalar(1.7);
    let decay = inputs.tokens.gates.get(RETENTION).exp();
    let before = inputs.initial.maps[0].clone() * decay;
    let run = run_dual(&rule, &inputs, &[]);
    let (_, state) = run
        .values
        .iter()
        .find(|(name, _)| name == "state 0")
        .unwrap();
    let state = tensor(state.clone(), [1, G, D, D]);
    let tokens = &inputs.tokens;
    let error = tokens.k.clone().matmul(state.clone()) - tokens.v.clone();
    let slope = tokens.k.clone().transpose().matmul(error);
    let pull = (state - before) / tokens.gates.get(STEP);
    let gap = difference(&numbers(slope), &numbers(pull.neg()));
    assert!(gap < 1e-9, "{gap:e}");
}

#[test]
fn implicit_steps_equal_the_recurrence_in_every_form() {
    for bias in ["l2", "dot", "huber", "erase"] {
        for form in [
            "form = 'exact'\nchunk = 3",
            "form = 'chunk_start'\nchunk = 3",
            "form = 'chunk_start'\nchunk = 3\npicard = 1",
        ] {
            for kind in ["gd", "gd'\nchannels = 'key", "momentum"] {
                let text = format!(
                    "[memory]\nkind = 'matrix'\n[bias]\nkind = '{bias}'\n[algorithm]\nkind = '{kind}'\n\
                     implicit = 0.7\n{form}"
                );
                let Ok(choice) = Choice::from_toml(&text, &Registry::builtin()) else {
                    continue;
                };
                let inputs = Inputs::new(&choice.rule, 9);
                same(&text, &choice.rule, &choice.rule, &inputs);
            }
        }
    }
}

#[test]
fn small_implicit_steps_are_those_of_gradient_descent() {
    let implicit = rule(&format!("{EXACT}kind = 'gd'\nimplicit = 1.0"));
    let gd = rule(&format!("{EXACT}kind = 'gd'"));
    let inputs = with_gates(&Inputs::new(&gd, 7), &[(STEP, 1e-5)]);
    let numbers_of = |rule: &Rule| numbers(run_dual(rule, &inputs, &[]).y);
    // The difference is of the second order.
    assert!(difference(&numbers_of(&implicit), &numbers_of(&gd)) < 1e-8);
    let inputs = with_gates(&inputs, &[(STEP, 0.5)]);
    let numbers_of = |rule: &Rule| numbers(run_dual(rule, &inputs, &[]).y);
    assert!(difference(&numbers_of(&implicit), &numbers_of(&gd)) > 1e-3);
}
