//! What the links of retention gates are known to be.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use burn::tensor::{DType, Tensor, activation, s};
use miras_contract::{G, Inputs, assert_same, difference, noise, numbers, run_recurrence, tensor};
use miras_core::{Factor, STEP, Weights};
use miras_engine::{Rule, State, recurrence};
use miras_registry::{Choice, Registry};

/// A matrix, gradient descent and every gradient at its own token's memory, under `retention`;
/// the state is the weights' own unless `retention` says that it is anchored.
fn rule(retention: &str) -> Rule {
    let as_printed = if retention.contains("anchored") || retention == "kind = 'none'" {
        ""
    } else {
        "anchored = false"
    };
    let text = format!(
        "[memory]\nkind = 'matrix'\n[bias]\nkind = 'l2'\n[retention]\n{retention}\n{as_printed}\n\
         [algorithm]\nkind = 'gd'\nform = 'chunk_start'\nchunk = 1\nload_cap = 0\nread = 'exact'"
    );
    Choice::from_toml(&text, &Registry::builtin()).unwrap().rule
}

fn weights(name: &str) -> Tensor<4> {
    tensor(noise(name, G * 12), [1, G, 3, 4])
}

fn norm(x: Tensor<4>, p: f64) -> Tensor<4> {
    let sum = x.abs().powf_scalar(p).sum_dim(3).sum_dim(2);
    sum.powf_scalar(1.0 / p)
}

fn assert_close(what: &str, a: Tensor<4>, b: Tensor<4>, tolerance: f64) {
    let gap = difference(&numbers(a), &numbers(b));
    assert!(gap < tolerance, "{what}: {gap:e}");
}

#[test]
fn initial_states_stand_for_the_initial_weights() {
    for (retention, tolerance) in [
        ("kind = 'none'", 1e-12),
        ("kind = 'l2'", 1e-12),
        ("kind = 'ball'", 1e-12),
        ("kind = 'lq'", 1e-9),
        ("kind = 'lq'\nq = 2.5", 1e-9),
        ("kind = 'lq'\nq = 3.5", 1e-9),
        ("kind = 'lq'\nq = 5", 1e-9),
        ("kind = 'lq'\nlink = 'p_norm'", 1e-2),
        ("kind = 'lq'\nlink = 'p_norm'\nq = 1.5", 1e-2),
        ("kind = 'elastic_net'\nthreshold = 0.1", 1e-12),
        (
            "kind = 'elastic_net'\nthreshold = 0.001\nsmooth = true",
            1e-3,
        ),
    ] {
        let gate = rule(retention).retention;
        // Small maps, and the width and Xavier's range of the presets.
        let wide = tensor(noise("wide", G * 32 * 128), [1, G, 32, 128]).mul_scalar(0.19);
        for w in [weights("w"), wide] {
            let linked = gate.link().weights(gate.initial_state(w.clone()));
            assert_close(retention, linked, w, tolerance);
        }
    }
}

#[test]
fn a_norm_of_two_is_the_identity() {
    for link in ["paper", "p_norm"] {
        let with_q = |q: f64| rule(&format!("kind = 'lq'\nlink = '{link}'\nq = {q:?}")).retention;
        let a = weights("a");
        assert_close(
            link,
            with_q(2.0).link().weights(a.clone()),
            a.clone(),
            1e-12,
        );
        // Nor does the formula jump there.
        assert_close(link, with_q(2.000_01).link().weights(a.clone()), a, 1e-4);
    }
}

#[test]
fn the_papers_link_shrinks_weights_as_states_grow() {
    for q in [2.5, 4.0, 5.0] {
        let gate = rule(&format!("kind = 'lq'\nq = {q:?}\nfloor = 1e-6")).retention;
        let a = weights("a").mul_scalar(3.0);
        let expected = norm(a.clone(), q).powf_scalar(3.0 - q);
        assert_close("norm", norm(gate.link().weights(a), q), expected, 1e-8);
    }
}

#[test]
fn the_floor_keeps_weights_finite_as_a_state_fades() {
    let gate = rule("kind = 'lq'\nfloor = 0.1").retention;
    let faded = weights("a").mul_scalar(1e-9);
    assert_close(
        "faded",
        gate.link().weights(faded.clone()),
        faded.mul_scalar(100.0),
        1e-12,
    );
}

#[test]
fn kl_weights_stay_on_the_simplex() {
    let rule = rule("kind = 'kl'\nsigned = false\nscale = 1.7\ndecay = 0.9");
    let inputs = Inputs::new(&rule, 40);
    let state = State::new(&rule, &inputs.initial);
    let (_, State { maps, .. }) =
        recurrence::forward(&rule, &inputs.initial, &state, &inputs.tokens);
    let weights = rule.retention.link().weights(maps[0].weights.clone());
    assert!(numbers(weights.clone()).iter().all(|w| *w >= 0.0));
    let sums = weights.sum_dim(3);
    let expected = sums.ones_like().mul_scalar(1.7);
    assert_close("sums", sums, expected, 1e-12);
}

/// `W_t = c·softmax(a_t log W_{t−1} − θ_t ∇ℓ(W_{t−1}))`, MIRAS Eq. 27 as it is printed.
#[test]
fn logits_are_the_papers_recurrence_of_weights() {
    recurrence_of_weights(false);
}

/// With `(1 − a_t) log W_init` inside of the softmax.
#[test]
fn anchored_logits_are_pulled_to_the_initial_weights() {
    recurrence_of_weights(true);
}

fn recurrence_of_weights(anchored: bool) {
    let rule = rule(&format!(
        "kind = 'kl'\nsigned = false\nscale = 1.7\ndecay = 0.9\nanchored = {anchored}"
    ));
    let inputs = Inputs::new(&rule, 12);
    let ours = run_recurrence(&rule, &inputs);
    let Inputs { tokens, initial } = &inputs;

    let first = rule
        .retention
        .link()
        .weights(rule.retention.initial_state(initial.maps[0].clone()));
    let mut w = first.clone();
    let mut outputs = Vec::new();
    for t in 0..tokens.len() {
        let token = tokens.range(t, t + 1);
        let at = Weights {
            maps: &[w.clone()],
            gains: &[],
        };
        let factors = (rule.memory).factors(&initial.program, &at, token.k, &mut |y| {
            rule.bias.gradient_at(y, token.v.clone(), &token.gates)
        });
        let Factor { x, d } = &factors[0];
        let gradient = x.clone().transpose().matmul(d.clone());
        let decay = (rule.retention).log_decay(&token.gates, &token.gates.get(STEP));
        let decay = decay.exp();
        let mut inside = w.div_scalar(1.7).log() * decay.clone() - gradient * token.gates.get(STEP);
        if anchored {
            let pull = decay.neg().add_scalar(1.0);
            inside = inside + first.clone().div_scalar(1.7).log() * pull;
        }
        w = activation::softmax(inside, 3).mul_scalar(1.7);
        outputs.push(token.q.matmul(w.clone()));
    }
    let theirs = Tensor::cat(outputs, 2);
    // The logarithm of a softmax differs from its logits by a number a row, which a_t scales: the
    // softmax does not see it.
    assert_close("outputs", ours.y, theirs, 1e-12);
}

/// `W_t = σ(a_t logit(W_{t−1}) − θ_t ∇ℓ(W_{t−1}))`, MIRAS §5.2 variant 5 as it is printed.
#[test]
fn sigmoids_are_the_papers_recurrence_of_weights() {
    let rule = rule("kind = 'sigmoid'\nsigned = false\nscale = 1.0\ndecay = 0.9");
    let inputs = Inputs::new(&rule, 12);
    let Inputs { tokens, initial } = &inputs;
    let ours = run_recurrence(&rule, &inputs);
    let logit = |w: Tensor<4>| (w.clone() / w.neg().add_scalar(1.0)).log();
    let mut w = activation::sigmoid(rule.retention.initial_state(initial.maps[0].clone()));
    let mut outputs = Vec::new();
    for t in 0..tokens.len() {
        let token = tokens.range(t, t + 1);
        let error = token.k.clone().matmul(w.clone()) - token.v.clone();
        let decay = rule.retention.log_decay(&token.gates, &token.q).exp();
        let gradient = token.k.clone().transpose().matmul(error);
        w = activation::sigmoid(logit(w) * decay - gradient * token.gates.get(STEP));
        outputs.push(token.q.matmul(w.clone()));
    }
    assert_close("outputs", ours.y, Tensor::cat(outputs, 2), 1e-12);
}

/// The weights after 40 tokens whose steps are ten times as large as those of other tests.
fn weights_after_large_steps(rule: &Rule) -> Vec<f64> {
    let mut inputs = Inputs::new(rule, 40);
    let step = inputs.tokens.gates.get(STEP).mul_scalar(10.0);
    inputs.tokens.gates = inputs.tokens.gates.with(STEP, step);
    let state = State::new(rule, &inputs.initial);
    let (_, State { maps, .. }) =
        recurrence::forward(rule, &inputs.initial, &state, &inputs.tokens);
    numbers(rule.retention.link().weights(maps[0].weights.clone()))
}

#[test]
fn sigmoid_weights_stay_within_their_bounds() {
    for (settings, low, high) in [
        ("signed = false\nscale = 1.0", 0.0, 1.0),
        ("signed = false\nscale = 0.3", 0.0, 0.3),
        ("signed = true\nscale = 0.3", -0.3, 0.3),
    ] {
        let rule = rule(&format!("kind = 'sigmoid'\n{settings}\ndecay = 0.9"));
        let weights = weights_after_large_steps(&rule);
        let is_within = weights.iter().all(|w| *w > low && *w < high);
        assert!(is_within, "{settings}: {weights:?}");
    }
    // Without a scale, the row's length decides: c = 2/√4.
    let gate = rule("kind = 'sigmoid'\nsigned = false").retention;
    let a = weights("a");
    let expected = activation::sigmoid(a.clone());
    assert_close("scale", gate.link().weights(a.clone()), expected, 1e-15);
    let signed = rule("kind = 'sigmoid'\nsigned = true").retention;
    let expected = a.clone().mul_scalar(0.5).tanh();
    assert_close("signed", signed.link().weights(a), expected, 1e-15);
}

#[test]
fn divergence_weights_are_positive_and_have_the_slope_of_their_state() {
    let rule = rule("kind = 'f_divergence'\nscale = 0.4\ndecay = 0.9");
    let weights = weights_after_large_steps(&rule);
    assert!(weights.iter().all(|w| *w > 0.0), "{weights:?}");
    // f'(W/w) = A, of states of all sizes.
    let link = rule.retention.link();
    for size in [0.0, 1e-3, 1.0, 30.0] {
        let a = self::weights("a").mul_scalar(size);
        let u = link.weights(a.clone()).div_scalar(0.4);
        assert_close("f'(W/w)", u.clone() - u.recip(), a, 1e-12);
    }
    // Single precision too, where √(A² + 4) + A is 0, and with the slope W/√(A² + 4) everywhere.
    let states = [-1e6, -1e4, -3.0, 0.0, 3.0, 1e4];
    for dtype in [DType::F32, DType::F64] {
        let a = tensor(states.to_vec(), [1, 1, 2, 3]).cast(dtype).detach();
        let a = a.require_grad();
        let w = link.weights(a.clone());
        let gradients = w.clone().sum().backward();
        let slopes = numbers(a.grad(&gradients).unwrap());
        for ((a, w), slope) in states.iter().zip(numbers(w)).zip(slopes) {
            let root = (a * a + 4.0).sqrt();
            assert!(w > 0.0, "{a} gives {w} in {dtype:?}");
            assert!(
                (slope * root / w - 1.0).abs() < 1e-5,
                "{a}: {slope} in {dtype:?}"
            );
        }
    }
}

#[test]
fn a_large_ball_is_decay() {
    let ball = rule("kind = 'ball'\nradius = 1e6\ndecay = 0.9");
    let l2 = rule("kind = 'l2'\ndecay = 0.9");
    let inputs = Inputs::new(&ball, 9);
    let (ours, theirs) = (run_recurrence(&ball, &inputs), run_recurrence(&l2, &inputs));
    assert_same("radius 1e6", &ours, &theirs, 1e-12);
}

#[test]
fn weights_are_within_the_ball_and_point_as_their_state() {
    let gate = rule("kind = 'ball'\nradius = 0.7").retention;
    for size in [0.1, 1.0, 50.0] {
        let a = weights("a").mul_scalar(size);
        let linked = gate.link().weights(a.clone());
        let expected = norm(a.clone(), 2.0).clamp_max(0.7);
        assert_close("norm", norm(linked.clone(), 2.0), expected, 1e-9);
        let along = a.clone() / norm(a, 2.0);
        assert_close(
            "direction",
            linked.clone() / norm(linked, 2.0),
            along,
            1e-12,
        );
    }
    let rule = rule("kind = 'ball'\nradius = 0.7\ndecay = 0.9");
    for map in weights_after_large_steps(&rule).chunks(9) {
        let norm = map.iter().map(|w| w * w).sum::<f64>().sqrt();
        assert!(norm < 0.7 + 1e-9, "{norm}");
    }
}

#[test]
fn a_number_added_to_a_row_of_logits_changes_nothing() {
    let gate = rule("kind = 'kl'\nsigned = false").retention;
    let z = weights("z");
    let shift = z.clone().slice(s![.., .., .., 0..1]);
    assert_close(
        "shifted",
        gate.link().weights(z.clone() + shift),
        gate.link().weights(z),
        1e-12,
    );
}

#[test]
fn nothing_moves_without_decay_and_step() {
    for retention in [
        "kind = 'lq'\ngate = 'fixed'\ndecay = 1",
        "kind = 'kl'\ngate = 'fixed'\ndecay = 1",
        "kind = 'elastic_net'\ngate = 'fixed'\ndecay = 1",
        "kind = 'ball'\ngate = 'fixed'\ndecay = 1\nradius = 0.5",
        "kind = 'sigmoid'\ngate = 'fixed'\ndecay = 1",
        "kind = 'f_divergence'\ngate = 'fixed'\ndecay = 1",
    ] {
        let rule = rule(retention);
        let mut inputs = Inputs::new(&rule, 5);
        let zero = inputs.tokens.gates.get(STEP).zeros_like();
        inputs.tokens.gates = inputs.tokens.gates.with(STEP, zero);
        let state = State::new(&rule, &inputs.initial);
        let (_, State { maps, .. }) =
            recurrence::forward(&rule, &inputs.initial, &state, &inputs.tokens);
        let before = state.maps[0].weights.clone();
        assert_close(retention, maps[0].weights.clone(), before, 1e-12);
    }
}

#[test]
fn an_elastic_net_without_threshold_is_decay() {
    let net = rule("kind = 'elastic_net'\nthreshold = 0\ndecay = 0.9");
    let l2 = rule("kind = 'l2'\ndecay = 0.9");
    let inputs = Inputs::new(&net, 9);
    let y = run_recurrence(&net, &inputs).y;
    assert_close("outputs", y, run_recurrence(&l2, &inputs).y, 1e-12);
}

#[test]
fn an_elastic_net_makes_small_weights_exactly_zero() {
    let gate = rule("kind = 'elastic_net'\nthreshold = 0.3").retention;
    let a = weights("a");
    let linked = numbers(gate.link().weights(a.clone()));
    let mut zeros = 0;
    for (a, w) in numbers(a).into_iter().zip(linked) {
        let expected = if a.abs() < 0.3 {
            0.0
        } else {
            a - 0.3 * a.signum()
        };
        assert!((w - expected).abs() < 1e-15, "{a} gives {w}");
        zeros += usize::from(w == 0.0);
    }
    assert!(zeros > 0);
}

#[test]
fn a_signed_pair_has_both_signs_and_no_mean() {
    let gate = rule("kind = 'kl'\nsigned = true\nscale = 2").retention;
    let w = gate.link().weights(weights("z").mul_scalar(2.0));
    let values = numbers(w.clone());
    assert!(values.iter().any(|w| *w > 0.1) && values.iter().any(|w| *w < -0.1));
    let sums = w.sum_dim(3);
    let zero = sums.zeros_like();
    assert_close("row sums", sums, zero, 1e-12);
}
