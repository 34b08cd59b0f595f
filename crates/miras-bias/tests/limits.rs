//! What the biases must be in the limits where another formula is known.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use burn::tensor::{DType, Tensor};
use miras_config::ConfigError;
use miras_contract::{difference, noise, numbers, tensor};
use miras_core::{AttentionalBias, Axis, Gates, RETENTION, STEP, THRESHOLD};
use miras_engine::{Initial, State, Tokens, recurrence};
use miras_registry::{Choice, Registry};

/// Tokens and features of the tensors below.
const T: usize = 16;
const D: usize = 5;
const SHAPE: [usize; 4] = [1, 1, T, D];

fn choose(text: &str) -> Result<Choice, ConfigError> {
    Choice::from_toml(text, &Registry::builtin())
}

fn bias(text: &str) -> Arc<dyn AttentionalBias> {
    choose(&format!("[bias]\n{text}")).unwrap().rule.bias
}

/// Errors `e = y − v` of about `size`, as `y` and `v`.
fn errors(size: f64) -> [Tensor<4>; 2] {
    let e = tensor(noise("error", T * D), SHAPE).mul_scalar(size);
    let v = tensor(noise("value", T * D), SHAPE);
    [v.clone() + e, v]
}

/// The gates of a bias where they start.
fn gates(bias: &dyn AttentionalBias, like: &Tensor<4>) -> Gates {
    let z = like.clone().sum_dim(3).zeros_like().detach();
    (bias.gates().into_iter()).fold(Gates::new(), |gates, spec| {
        let value = spec.map.apply(z.clone().add_scalar(spec.bias), None);
        gates.with(spec.name, value)
    })
}

fn gradient(text: &str, [y, v]: &[Tensor<4>; 2]) -> Vec<f64> {
    let bias = bias(text);
    let gates = gates(&*bias, y);
    numbers(bias.gradient_at(y.clone(), v.clone(), &gates))
}

fn loss(text: &str, [y, v]: &[Tensor<4>; 2]) -> Option<Vec<f64>> {
    let bias = bias(text);
    let gates = gates(&*bias, y);
    bias.loss_at(y.clone(), v.clone(), &gates).map(numbers)
}

fn norms(rows: &[f64]) -> Vec<f64> {
    (rows.chunks(D))
        .map(|row| row.iter().map(|x| x * x).sum::<f64>().sqrt())
        .collect()
}

#[test]
fn huber_with_a_large_threshold_is_l2() {
    for size in [0.1, 1.0, 100.0] {
        let at = errors(size);
        for scope in ["norm", "coordinate", "mix"] {
            for gate in ["false", "true"] {
                let huber = format!(
                    "kind = 'huber'\nscope = '{scope}'\ndelta = 1e6\ninput_dependent = {gate}"
                );
                let gap = difference(&gradient(&huber, &at), &gradient("kind = 'l2'", &at));
                assert!(gap < 1e-12, "{scope}: {gap:e}");
                let l2 = loss("kind = 'l2'", &at).unwrap();
                match loss(&huber, &at) {
                    Some(huber) => assert!(difference(&huber, &l2) < 1e-11, "{scope}"),
                    None => assert_eq!(scope, "mix"),
                }
            }
        }
    }
}

#[test]
fn huber_of_the_norm_writes_no_more_than_its_threshold() {
    for size in [0.1, 1.0, 1e3] {
        let at = errors(size);
        let [y, v] = at.clone();
        let sizes = norms(&numbers(y - v));
        for gate in ["false", "true"] {
            let huber = format!("kind = 'huber'\ndelta = 0.7\ninput_dependent = {gate}");
            for (written, size) in norms(&gradient(&huber, &at)).iter().zip(&sizes) {
                let expected = size.min(0.7);
                assert!(
                    (written - expected).abs() < 1e-9,
                    "{written}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn huber_mix_is_the_error_inside_and_signs_outside() {
    let at = errors(1.0);
    let [y, v] = at.clone();
    let e = numbers(y - v);
    let sizes = norms(&e);
    for (sharpness, nu) in [("", 10.0), ("sharpness = 300.0", 300.0)] {
        for gate in ["false", "true"] {
            let mix = format!(
                "kind = 'huber'\nscope = 'mix'\ndelta = 1.2\ninput_dependent = {gate}\n{sharpness}"
            );
            let expected: Vec<f64> = (e.iter().enumerate())
                .map(|(i, e)| {
                    let is_inside = sizes[i / D] <= 1.2;
                    if is_inside { *e } else { 1.2 * (nu * e).tanh() }
                })
                .collect();
            assert!(difference(&gradient(&mix, &at), &expected) < 1e-12);
        }
    }
    let inside = sizes.iter().filter(|size| **size <= 1.2).count();
    assert!((3..=T - 3).contains(&inside), "{inside} of {T} are inside");
}

#[test]
fn the_threshold_of_the_mix_is_learned_through_the_tokens_beyond_it() {
    let [y, v] = errors(1.0);
    let delta = Tensor::full([1, 1, T, 1], 1.2, (&y.device(), DType::F64)).require_grad();
    let gates = Gates::new().with(THRESHOLD, delta.clone());
    let bias = bias("kind = 'huber'\nscope = 'mix'");
    let e = y.clone() - v.clone();
    let gradients = bias.gradient_at(y, v, &gates).sum().backward();
    let ours = numbers(delta.grad(&gradients).unwrap());
    let signs = numbers(e.clone().mul_scalar(10.0).tanh().sum_dim(3));
    let sizes = norms(&numbers(e));
    for ((ours, sign), size) in ours.iter().zip(signs).zip(sizes) {
        let expected = if size > 1.2 { sign } else { 0.0 };
        assert!((ours - expected).abs() < 1e-12, "{ours}, not {expected}");
    }
}

#[test]
fn the_second_power_is_twice_l2() {
    let at = errors(3.0);
    let twice: Vec<f64> = (gradient("kind = 'l2'", &at).iter())
        .map(|e| 2.0 * e)
        .collect();
    assert_eq!(gradient("kind = 'lp'\np = 2.0", &at), twice);
}

#[test]
fn powers_are_those_of_the_modulus_as_epsilon_falls() {
    let at = errors(2.0);
    let [y, v] = at.clone();
    let e = numbers(y - v);
    for p in [1.0, 1.5, 3.0, 4.0] {
        let slopes: Vec<f64> = (e.iter())
            .map(|e| p * e.signum() * e.abs().powf(p - 1.0))
            .collect();
        let sums: Vec<f64> = (e.chunks(D))
            .map(|row| row.iter().map(|e| e.abs().powf(p)).sum())
            .collect();
        let mut last = f64::INFINITY;
        for epsilon in ["1e-4", "1e-8", "1e-12"] {
            let lp = format!("kind = 'lp'\np = {p:?}\nepsilon = {epsilon}");
            let gap = difference(&gradient(&lp, &at), &slopes)
                .max(difference(&loss(&lp, &at).unwrap(), &sums));
            assert!(gap < 0.1 * last, "p = {p}: {gap:e} after {last:e}");
            last = gap;
        }
        assert!(last < 1e-6, "p = {p}: {last:e}");

        // The smooth sign is one where the error is large beside 1/sharpness.
        let paper =
            format!("kind = 'lp'\nform = 'paper'\np = {p:?}\nepsilon = 1e-12\nsharpness = 1000.0");
        for ((ours, slope), e) in gradient(&paper, &at).iter().zip(&slopes).zip(&e) {
            let gap = (ours - slope).abs();
            assert!(
                gap < 1e-7 || e.abs() < 0.02,
                "p = {p}, paper: {gap:e} at {e}"
            );
        }
        assert!(loss(&paper, &at).is_none());
    }
}

#[test]
fn l1_is_the_modulus_far_from_zero() {
    let at = errors(1e3);
    let [y, v] = at.clone();
    let e = numbers(y - v);
    let expected: Vec<f64> = (e.chunks(D))
        .map(|row| {
            row.iter()
                .map(|e| e.abs() - std::f64::consts::LN_2 / 50.0)
                .sum()
        })
        .collect();
    let l1 = "kind = 'l1'\nsharpness = 50.0";
    assert!(difference(&loss(l1, &at).unwrap(), &expected) < 1e-12);
    let signs: Vec<f64> = e.iter().map(|e| e.signum()).collect();
    assert!(difference(&gradient(l1, &at), &signs) < 1e-12);
}

#[test]
fn l1_of_sharpness_one_is_log_cosh() {
    let at = errors(3.0);
    let [y, v] = at.clone();
    let e = numbers(y - v);
    let l1 = "kind = 'l1'\nsharpness = 1.0";
    let slopes: Vec<f64> = e.iter().map(|e| e.tanh()).collect();
    assert!(difference(&gradient(l1, &at), &slopes) < 1e-12);
    let sums: Vec<f64> = (e.chunks(D))
        .map(|row| row.iter().map(|e| e.cosh().ln()).sum())
        .collect();
    assert!(difference(&loss(l1, &at).unwrap(), &sums) < 1e-12);
}

#[test]
fn a_small_tolerance_is_l1() {
    for size in [0.1, 1.0, 100.0] {
        let at = errors(size);
        for sharpness in ["10.0", "40.0"] {
            let l1 = format!("kind = 'l1'\nsharpness = {sharpness}");
            let (slopes, sums) = (gradient(&l1, &at), loss(&l1, &at).unwrap());
            for (epsilon, most) in [("1e-3", 1e-3), ("1e-4", 1e-5), ("1e-6", 1e-9)] {
                let ours = format!(
                    "kind = 'epsilon_insensitive'\nepsilon = {epsilon}\nsharpness = {sharpness}"
                );
                let gap = difference(&gradient(&ours, &at), &slopes);
                assert!(gap < most, "{epsilon}, gradient: {gap:e}");
                let gap = difference(&loss(&ours, &at).unwrap(), &sums);
                assert!(gap < most, "{epsilon}, loss: {gap:e}");
            }
        }
    }
}

/// `Σ max(|e| − ε, 0)` and its slope, but where `|e|` is near ε.
#[test]
fn sharp_signs_give_the_loss_of_support_vector_regression() {
    let at = errors(1.0);
    let [y, v] = at.clone();
    let e = numbers(y - v);
    let (epsilon, sharpness) = (0.3, 1000.0);
    let ours =
        format!("kind = 'epsilon_insensitive'\nepsilon = {epsilon:?}\nsharpness = {sharpness:?}");
    let mut within = 0;
    for (slope, e) in gradient(&ours, &at).iter().zip(&e) {
        let expected = if e.abs() > epsilon { e.signum() } else { 0.0 };
        let is_near = (e.abs() - epsilon).abs() < 0.01;
        assert!(
            (slope - expected).abs() < 1e-8 || is_near,
            "{slope}, not {expected}, at {e}"
        );
        within += usize::from(e.abs() < epsilon);
    }
    assert!(
        within > 0 && within < T * D,
        "{within} within the tolerance"
    );
    let sums: Vec<f64> = (e.chunks(D))
        .map(|row| row.iter().map(|e| (e.abs() - epsilon).max(0.0)).sum())
        .collect();
    // At the kink, log cosh is `log 2 / 2ν` off for each feature.
    let gap = difference(&loss(&ours, &at).unwrap(), &sums);
    assert!(
        gap < D as f64 * std::f64::consts::LN_2 / (2.0 * sharpness),
        "{gap:e}"
    );
    let zero = [at[1].clone(), at[1].clone()];
    assert!(difference(&loss(&ours, &zero).unwrap(), &[0.0; T]) < 1e-12);
}

#[test]
fn a_radius_of_zero_is_l2_and_a_larger_one_adds_its_length() {
    let at = errors(1.0);
    let l2 = gradient("kind = 'l2'", &at);
    assert_eq!(gradient("kind = 'robust'\nradius = 0", &at), l2);
    assert_eq!(
        loss("kind = 'robust'\nradius = 0.0", &at),
        loss("kind = 'l2'", &at)
    );
    assert_eq!(bias("kind = 'robust'\nradius = 0.0").slope(), Some(1.0));
    assert_eq!(bias("kind = 'robust'").slope(), None);

    // ½(|e| + Δ)², whose gradient has the norm |e| + Δ.
    let robust = "kind = 'robust'\nradius = 0.4";
    let written = norms(&gradient(robust, &at));
    let losses = loss(robust, &at).unwrap();
    for ((size, written), loss) in norms(&l2).iter().zip(written).zip(losses) {
        assert!((written - (size + 0.4)).abs() < 1e-5);
        assert!((loss - 0.5 * (size + 0.4).powi(2)).abs() < 1e-5);
    }
}

#[test]
fn the_divergence_of_equal_distributions_is_zero() {
    let [_, v] = errors(1.0);
    let at = [v.clone().add_scalar(3.0), v];
    assert!(difference(&gradient("kind = 'kl'", &at), &[0.0; T * D]) < 1e-15);
    assert!(difference(&loss("kind = 'kl'", &at).unwrap(), &[0.0; T]) < 1e-14);
    for at in [errors(1.0), errors(1e3)] {
        assert!(
            loss("kind = 'kl'", &at)
                .unwrap()
                .iter()
                .all(|loss| *loss > 0.0)
        );
        let written = norms(&gradient("kind = 'kl'", &at));
        assert!(written.iter().all(|norm| *norm <= 2.0_f64.sqrt()));
    }
}

/// In single precision, where squares of small errors vanish, as well as in double.
#[test]
fn values_and_outer_gradients_of_every_bias_are_finite_at_small_and_large_errors() {
    let sizes = [0.0, 1e-30, 1e-12, 1e-6, 1e-3, 1.0, 1e3];
    for part in Registry::builtin().parts(Axis::Bias) {
        for variant in part.variants.iter().chain(&[""]) {
            let bias = bias(&format!("kind = '{}'\n{variant}", part.kind));
            for dtype in [DType::F32, DType::F64] {
                for size in sizes {
                    let name = format!("{} {variant} at {size:e} in {dtype:?}", part.kind);
                    are_finite(&name, &*bias, size, dtype);
                }
            }
        }
    }
}

fn are_finite(name: &str, bias: &dyn AttentionalBias, size: f64, dtype: DType) {
    let leaf = |x: Tensor<4>| x.cast(dtype).detach().require_grad();
    // One pair of the first token is equal whatever the size.
    let mut e = noise("error", T * D);
    e[0] = 0.0;
    let v = leaf(tensor(noise("value", T * D), SHAPE).mul_scalar(1e-3));
    let y = v.clone() + tensor(e, SHAPE).mul_scalar(size).cast(dtype);
    let y = leaf(if bias.has_erase_key() {
        Tensor::cat(vec![y.clone(), y], 3)
    } else {
        y
    });
    let gates = gates(bias, &y).map(leaf);

    let gradient = bias.gradient_at(y.clone(), v.clone(), &gates);
    let loss = bias.loss_at(y.clone(), v.clone(), &gates);
    let finite = |what: &str, x: Tensor<4>| {
        let values = numbers(x);
        assert!(
            values.iter().all(|x| x.is_finite()),
            "{name}: {what} {values:?}"
        );
    };
    finite("gradient", gradient.clone());
    let shape = gradient.dims();
    let weight = tensor(noise("weight", shape.iter().product()), shape).cast(dtype);
    let mut functional = (gradient * weight).sum();
    if let Some(loss) = loss {
        finite("loss", loss.clone());
        functional = functional + loss.sum();
    }
    let outer = functional.backward();
    for (what, leaf) in [("y", &y), ("v", &v)].into_iter().chain(gates.iter()) {
        if let Some(gradient) = leaf.grad(&outer) {
            finite(&format!("outer gradient of {what}"), gradient);
        }
    }
}

/// How far a matrix is from recalling what it was taught, the pair `outlier` left out, whose
/// value was `factor` times as large as the others.
fn recall_error(bias: &str, seed: usize, outlier: usize, factor: f64) -> f64 {
    let (t, d) = (8, 16);
    let text = format!(
        "[memory]\nkind = 'matrix'\n[bias]\n{bias}\n[retention]\nkind = 'none'\n\
         [algorithm]\nkind = 'gd'\nform = 'chunk_start'\nchunk = 1\nload_cap = 0\ngrad_cap = 0"
    );
    let rule = choose(&text).unwrap().rule;
    let random = |what: &str| tensor(noise(&format!("{what} {seed}"), t * d), [1, 1, t, d]);
    let unit = |x: Tensor<4>| x.clone() / x.powi_scalar(2).sum_dim(3).sqrt();
    let (k, v) = (unit(random("key")), unit(random("value")));
    let mut scale = vec![1.0; t];
    scale[outlier] = factor;
    let written = v.clone() * tensor(scale, [1, 1, t, 1]);

    let step = v.clone().sum_dim(3).zeros_like().add_scalar(0.3);
    let log_keep = step.zeros_like();
    let gates = gates(&*rule.bias, &v)
        .with(STEP, step)
        .with(RETENTION, log_keep);
    let initial = Initial {
        program: Arc::new(rule.memory.program(d, d).unwrap()),
        maps: vec![tensor(vec![0.0; d * d], [1, 1, d, d])],
        gains: Vec::new(),
        places: Vec::new(),
    };
    let tokens = Tokens {
        q: k.clone(),
        k: k.clone(),
        v: written,
        gates,
    };
    let state = State::new(&rule, &initial);
    let (_, State { maps, .. }) = recurrence::forward(&rule, &initial, &state, &tokens);
    let recalled = k.matmul(maps[0].weights.clone());
    let errors = numbers((recalled - v).powi_scalar(2).sum_dim(3).sqrt());
    let others = (errors.iter().enumerate()).filter(|(t, _)| *t != outlier);
    others.map(|(_, error)| error).sum::<f64>() / (t - 1) as f64
}

#[test]
fn an_outlier_costs_huber_less_than_l2_and_the_third_power_more() {
    for seed in 0..5 {
        for outlier in [1, 4, 6] {
            let damage = |bias: &str| {
                let with = recall_error(bias, seed, outlier, 100.0);
                let without = recall_error(bias, seed, outlier, 1.0);
                with - without
            };
            let l2 = damage("kind = 'l2'");
            let cubic = damage("kind = 'lp'\np = 3.0");
            assert!(l2 > 0.1 && cubic > 10.0 * l2, "l2 {l2}, cubic {cubic}");
            for scope in ["norm", "coordinate", "mix"] {
                let huber = damage(&format!("kind = 'huber'\nscope = '{scope}'\ndelta = 1.0"));
                assert!(huber < 0.3 * l2, "{scope} {huber}, l2 {l2}");
            }
        }
    }
}

#[test]
fn settings_out_of_range_name_their_key_and_a_remedy() {
    for (text, key, remedy) in [
        ("kind = 'lp'\np = 0.9", "bias.p", "huber"),
        ("kind = 'lp'\np = 0.0", "bias.p", "huber"),
        ("kind = 'lp'\np = 8.1", "bias.p", "MONETA"),
        ("kind = 'lp'\np = nan", "bias.p", "MONETA"),
        ("kind = 'lp'\np = inf", "bias.p", "MONETA"),
        ("kind = 'lp'\nepsilon = 0.0", "bias.epsilon", "1e-6"),
        ("kind = 'lp'\nepsilon = nan", "bias.epsilon", "1e-6"),
        ("kind = 'lp'\nepsilon = inf", "bias.epsilon", "1e-6"),
        (
            "kind = 'lp'\nsharpness = 5.0",
            "bias.sharpness",
            "form = \"paper\"",
        ),
        (
            "kind = 'lp'\nform = 'paper'\nsharpness = 0.0",
            "bias.sharpness",
            "10",
        ),
        ("kind = 'l1'\nsharpness = 0.0", "bias.sharpness", "10"),
        ("kind = 'l1'\nsharpness = -1.0", "bias.sharpness", "10"),
        ("kind = 'l1'\nsharpness = nan", "bias.sharpness", "10"),
        ("kind = 'l1'\nsharpness = inf", "bias.sharpness", "10"),
        (
            "kind = 'epsilon_insensitive'\nepsilon = 0.0",
            "bias.epsilon",
            "l1",
        ),
        (
            "kind = 'epsilon_insensitive'\nepsilon = -0.1",
            "bias.epsilon",
            "l1",
        ),
        (
            "kind = 'epsilon_insensitive'\nepsilon = nan",
            "bias.epsilon",
            "0.3",
        ),
        (
            "kind = 'epsilon_insensitive'\nepsilon = inf",
            "bias.epsilon",
            "0.3",
        ),
        (
            "kind = 'epsilon_insensitive'\nsharpness = 0.0",
            "bias.sharpness",
            "10",
        ),
        ("kind = 'robust'\nradius = -0.1", "bias.radius", "l2"),
        ("kind = 'robust'\nradius = nan", "bias.radius", "l2"),
        ("kind = 'robust'\nradius = inf", "bias.radius", "l2"),
        (
            "kind = 'huber'\nsharpness = 5.0",
            "bias.sharpness",
            "scope = \"mix\"",
        ),
        (
            "kind = 'huber'\nscope = 'coordinate'\nsharpness = 5.0",
            "bias.sharpness",
            "leave",
        ),
        (
            "kind = 'huber'\nscope = 'mix'\nsharpness = nan",
            "bias.sharpness",
            "10",
        ),
        (
            "kind = 'huber'\nscope = 'mix'\ndelta = 0.0",
            "bias.delta",
            "l2",
        ),
        (
            "kind = 'huber'\nscope = 'mix'\ndelta = nan",
            "bias.delta",
            "l2",
        ),
    ] {
        let error = choose(&format!("[bias]\n{text}")).unwrap_err().to_string();
        let (_, help) = error.split_once("= help: ").unwrap_or_default();
        assert!(error.contains(key), "{text}: {error}");
        assert!(help.contains(remedy), "{text}: {error}");
    }
}

#[test]
fn settings_are_complete_and_read_back_as_they_were() {
    for part in Registry::builtin().parts(Axis::Bias) {
        for variant in part.variants.iter().chain(&[""]) {
            let first = bias(&format!("kind = '{}'\n{variant}", part.kind)).config();
            let second = bias(&format!("kind = '{}'\n{first}", part.kind)).config();
            assert_eq!(first, second, "{} {variant}", part.kind);
            for key in first.keys() {
                let is_documented = part.keys.iter().any(|(name, _)| name == key);
                assert!(is_documented, "{} has no word on {key}", part.kind);
            }
        }
    }
    let mix = bias("kind = 'huber'\nscope = 'mix'").config();
    assert_eq!(mix["sharpness"].as_float(), Some(10.0));
    assert!(!bias("kind = 'huber'").config().contains_key("sharpness"));
}
