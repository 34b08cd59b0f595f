//! What private retention is known to be: l2 under the cap, plus noise that is a function of its place,
//! of the size that bounds what one write does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use burn::tensor::{Tensor, s};
use miras_contract::{
    D, Inputs, assert_same, difference, numbers, places, run_cut_off, run_dual, run_recurrence,
    run_truncated, tensor,
};
use miras_core::{MapState, STEP};
use miras_engine::{Initial, Place, Rule, State, dual, is_fused, recurrence};
use miras_random::Stream;
use miras_registry::{Choice, Registry};

const CHUNK: usize = 4;
/// Of gradients; some tokens are beyond it.
const CAP: f64 = 0.5;
const STEP_MAX: f64 = 0.8;
/// `θ_max c`.
const LARGEST_WRITE: f64 = STEP_MAX * CAP;

fn choose(
    memory: &str,
    retention: &str,
    algorithm: &str,
) -> Result<Rule, miras_config::ConfigError> {
    let text = format!(
        "[memory]\n{memory}\n[retention]\n{retention}\n[algorithm]\nkind = 'gd'\nchunk = {CHUNK}\n{algorithm}"
    );
    Ok(Choice::from_toml(&text, &Registry::builtin())?.rule)
}

fn rule(memory: &str, retention: &str) -> Rule {
    let algorithm =
        format!("form = 'chunk_start'\nload_cap = 0\ngrad_cap = {CAP}\nstep_max = {STEP_MAX}");
    choose(memory, retention, &algorithm).unwrap()
}

fn private(memory: &str, noise: f64, seed: u64) -> Rule {
    rule(
        memory,
        &format!("kind = 'private'\ndecay = 0.9\nnoise = {noise}\nnoise_seed = {seed}"),
    )
}

const MEMORIES: [&str; 2] = ["kind = 'matrix'", "kind = 'mlp'\ndepth = 2\nexpansion = 2"];

/// The noise on a map of each of these memories at a position, number by number.
fn drawn(seed: u64, places: &[Place], map: usize, position: usize, count: usize) -> Vec<f64> {
    let of_place = |place: &Place| {
        let index = [place.head, map, place.first + position].map(|x| x as u64);
        let mut stream = Stream::new(seed, &format!("noise of {}", place.layer), &index);
        (0..count).map(move |_| stream.normal()).collect::<Vec<_>>()
    };
    places.iter().flat_map(of_place).collect()
}

#[test]
fn without_noise_it_is_l2_under_the_cap() {
    for memory in MEMORIES {
        for anchored in [false, true] {
            let plain = format!("gate = 'fixed'\ndecay = 0.9\nanchored = {anchored}");
            let l2 = rule(memory, &format!("kind = 'l2'\n{plain}"));
            let none = rule(memory, &format!("kind = 'private'\n{plain}\nnoise = 0"));
            let some = rule(memory, &format!("kind = 'private'\n{plain}\nnoise = 0.1"));
            let inputs = Inputs::new(&l2, 9);
            let truth = run_recurrence(&l2, &inputs);
            assert_same(memory, &run_recurrence(&none, &inputs), &truth, 1e-15);
            let chunks = run_dual(&l2, &inputs, &[]);
            assert_same(memory, &run_dual(&none, &inputs, &[]), &chunks, 1e-15);
            // And it runs where l2 does, which noise does not.
            let program = &inputs.initial.program;
            assert_eq!(is_fused(&none, program, 8), is_fused(&l2, program, 8));
            assert!(is_fused(&l2, program, 8) && !is_fused(&some, program, 8));
            let noisy = numbers(run_recurrence(&some, &inputs).y);
            let gap = difference(&noisy, &numbers(truth.y));
            assert!(gap > 1e-2, "{memory}: noise changes outputs by {gap:e}");
        }
    }
}

/// The recurrence without noise, chunk by chunk, with the draws added by hand.
#[test]
fn noise_is_its_formula_at_the_end_of_each_full_chunk() {
    let (noise, seed) = (0.3, 5);
    for memory in MEMORIES {
        let (noisy, plain) = (private(memory, noise, seed), private(memory, 0.0, seed));
        assert!((noisy.noise_deviation() - noise * LARGEST_WRITE).abs() < 1e-15);
        let Inputs { tokens, initial } = Inputs::new(&noisy, 10).map(Tensor::inner);
        let mut state = State::new(&plain, &initial);
        let mut outputs = Vec::new();
        for (from, to) in [(0, 4), (4, 8), (8, 10)] {
            let chunk = tokens.range(from, to);
            let (y, end) = recurrence::forward(&plain, &initial, &state, &chunk);
            outputs.push(y);
            let maps = end.maps.iter().enumerate().map(|(at, map)| {
                let shape = map.weights.dims();
                let draws = drawn(seed, &initial.places, at, to, shape[2] * shape[3]);
                let draws = draws.iter().map(|x| x * noise * LARGEST_WRITE).collect();
                MapState {
                    weights: map.weights.clone() + tensor(draws, shape).inner(),
                    slots: Vec::new(),
                }
            });
            state = match to - from {
                CHUNK => State {
                    maps: maps.collect(),
                    ..end
                },
                _ => end,
            };
        }
        let truth = numbers(Tensor::cat(outputs, 2));
        let start = || State::new(&noisy, &initial);
        let (y, end) = recurrence::forward(&noisy, &initial, &start(), &tokens);
        let gap = difference(&numbers(y), &truth);
        assert!(gap < 1e-12, "{memory}: {gap:e}");
        for (found, truth) in end.maps.iter().zip(&state.maps) {
            let [found, truth] = [found, truth].map(|map| numbers(map.weights.clone()));
            assert!(difference(&found, &truth) < 1e-12, "{memory}");
        }
        let chunks = dual::forward(&noisy, &initial, start(), &tokens, false).y;
        assert!(difference(&numbers(chunks), &truth) < 1e-9, "{memory}");
    }
}

/// A pass that is long enough for its chunks to be computed again, in pieces that are truncated and
/// computed beside each other: each has the noise of its own position.
#[test]
fn long_and_truncated_passes_have_the_noise_of_their_positions() {
    for memory in MEMORIES {
        let rule = private(memory, 0.1, 1);
        let inputs = Inputs::new(&rule, 9 * CHUNK);
        let truth = run_recurrence(&rule, &inputs);
        assert_same(memory, &run_dual(&rule, &inputs, &[]), &truth, 1e-9);
        let pieces = run_dual(&rule, &inputs, &[3, 22, 11]);
        assert_same(memory, &pieces, &truth, 1e-9);
        for every in [CHUNK, 2 * CHUNK, 3 * CHUNK] {
            let truth = run_cut_off(&rule, &inputs, every);
            let run = run_truncated(&rule, &inputs, every);
            assert_same(&format!("{memory} every {every}"), &run, &truth, 1e-9);
        }
    }
}

/// The state after `tokens` tokens that write nothing, of memories that begin with nothing: noise alone.
fn noise_alone(rule: &Rule, places: &[Place], tokens: usize) -> Vec<f64> {
    let all = Inputs::new(rule, tokens).map(Tensor::inner);
    let initial = Initial {
        maps: all.initial.maps.iter().map(Tensor::zeros_like).collect(),
        places: places.to_vec(),
        ..all.initial
    };
    let mut tokens = all.tokens;
    let step = tokens.gates.get(STEP).zeros_like();
    tokens.gates = tokens.gates.with(STEP, step);
    let state = State::new(rule, &initial);
    let end = dual::forward(rule, &initial, state, &tokens, false).state;
    let first = |map: &MapState| numbers(map.weights.clone().slice(s![.., ..1]));
    end.maps.iter().flat_map(first).collect()
}

fn has_nothing_of(one: &[f64], other: &[f64]) -> bool {
    one.iter().zip(other).all(|(a, b)| (a - b).abs() > 1e-12)
}

#[test]
fn noise_changes_with_seed_layer_head_map_and_position_and_with_nothing_else() {
    let deep = "kind = 'mlp'\ndepth = 2\nexpansion = 1\nresidual = false";
    let base = private(deep, 0.3, 1);
    let of = |layer: &str, head: usize, first: usize| {
        let place = Place {
            layer: layer.into(),
            head,
            first,
        };
        vec![place.clone(), place]
    };
    let truth = noise_alone(&base, &of("blocks.0", 0, 0), CHUNK);
    assert_eq!(truth, noise_alone(&base, &of("blocks.0", 0, 0), CHUNK));
    let mut known = vec![truth.clone()];
    for other in [
        noise_alone(&private(deep, 0.3, 2), &of("blocks.0", 0, 0), CHUNK),
        noise_alone(&base, &of("blocks.1", 0, 0), CHUNK),
        noise_alone(&base, &of("blocks.0", 1, 0), CHUNK),
        noise_alone(&base, &of("blocks.0", 0, CHUNK), CHUNK),
    ] {
        for known in &known {
            assert!(
                has_nothing_of(known, &other),
                "two draws have a number in common"
            );
        }
        known.push(other);
    }
    // Maps of one shape.
    let (first, second) = truth.split_at(truth.len() / 2);
    assert_eq!(first.len(), second.len());
    assert!(has_nothing_of(first, second));
    // What comes first is only a position: that of a chunk's end.
    let later = noise_alone(&base, &of("blocks.0", 0, CHUNK), CHUNK);
    let expected = drawn(1, &of("blocks.0", 0, 0), 0, 2 * CHUNK, D * D);
    let scaled: Vec<f64> = (expected[..D * D].iter())
        .map(|x| x * 0.3 * LARGEST_WRITE)
        .collect();
    assert!(difference(&later[..D * D], &scaled) < 1e-12);
}

/// Over many seeds, of a fixed list: mean 0 and the documented deviation, within four standard errors.
#[test]
fn noise_has_the_documented_deviation() {
    for noise in [0.25, 2.0] {
        let draws: Vec<f64> = (0..400)
            .flat_map(|seed| {
                let rule = private("kind = 'matrix'", noise, seed);
                noise_alone(&rule, &places(2), CHUNK)
            })
            .collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let deviation = (draws.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        let expected = noise * LARGEST_WRITE;
        assert!(
            mean.abs() < 4.0 * expected / n.sqrt(),
            "mean {mean} of {n} draws of deviation {expected}"
        );
        assert!(
            (deviation - expected).abs() < 4.0 * expected / (2.0 * n).sqrt(),
            "deviation {deviation} of {n} draws, expected {expected}"
        );
    }
}

/// How far the states after one chunk are apart, over all maps, where the write of a token is there and
/// where it is left out; the largest over tokens and memories.
fn moved(rule: &Rule) -> f64 {
    let mut inputs = Inputs::new(rule, CHUNK).map(Tensor::inner);
    // Gradients beyond the cap that point to and fro along one key, and the largest steps.
    let signs = tensor(vec![20.0, -20.0, 20.0, -20.0], [1, 1, CHUNK, 1]).inner();
    let first = |x: &Tensor<4>| x.clone().slice(s![.., .., ..1, ..]).repeat_dim(2, CHUNK);
    inputs.tokens.k = first(&inputs.tokens.k);
    inputs.tokens.v = first(&inputs.tokens.v) * signs;
    let step = (inputs.tokens.gates.get(STEP).zeros_like()).add_scalar(STEP_MAX);
    let end = |step: Tensor<4>| {
        let mut tokens = inputs.tokens.clone();
        tokens.gates = tokens.gates.with(STEP, step);
        let start = State::new(rule, &inputs.initial);
        recurrence::forward(rule, &inputs.initial, &start, &tokens).1
    };
    let with = end(step.clone());
    let apart = (0..CHUNK).map(|t| {
        let without = end(step.clone().slice_assign(
            s![.., .., t..=t, ..],
            step.clone().slice(s![.., .., t..=t, ..]).zeros_like(),
        ));
        let squares = with.maps.iter().zip(without.maps).map(|(a, b)| {
            let gap = a.weights.clone() - b.weights;
            gap.powi_scalar(2).sum_dim(3).sum_dim(2)
        });
        let squares = numbers(squares.reduce(|a, b| a + b).unwrap());
        squares.into_iter().fold(0.0, f64::max).sqrt()
    });
    apart.fold(0.0, f64::max)
}

/// The sensitivity that the accounting stands on; what is refused beside noise exceeds it.
#[test]
fn a_write_moves_the_state_by_no_more_than_the_unit_of_the_noise() {
    for memory in MEMORIES {
        for noise in [0.0, 0.3] {
            let found = moved(&private(memory, noise, 1));
            assert!(found <= LARGEST_WRITE * (1.0 + 1e-9), "{memory}: {found}");
            // A bound that is nearly reached is no accident.
            assert!(found > 0.9 * LARGEST_WRITE, "{memory}: {found}");
        }
    }
    let l2 = "kind = 'l2'\ngate = 'fixed'\ndecay = 0.9";
    let form = format!("form = 'chunk_start'\nstep_max = {STEP_MAX}");
    for caps in [
        "load_cap = 0".to_owned(),
        format!("load_cap = 0.9\ngrad_cap = {CAP}"),
    ] {
        let others = choose(MEMORIES[0], l2, &format!("{form}\n{caps}")).unwrap();
        let found = moved(&others);
        assert!(found > 1.1 * LARGEST_WRITE, "{caps}: {found}");
    }
}

#[test]
fn what_its_bound_does_not_hold_for_is_refused() {
    let private = "kind = 'private'";
    for (retention, algorithm, words) in [
        ("gate = 'sigmoid'", "", "a decay that depends on the input"),
        ("gate = 'rate'", "", "a decay that depends on the input"),
        ("noise = -1", "", "from 0 to 1e6"),
        ("noise = nan", "", "from 0 to 1e6"),
        ("decay = 1.5", "", "decay is the share"),
        ("", "form = 'exact'", "does not know chunks"),
        ("", "picard = 1", "Picard iterations"),
        (
            "",
            "load_cap = 0.5",
            "under load_cap a token changes the steps of later ones",
        ),
        ("", "surprise_threshold = 0.5", "surprise_average = 0"),
        ("", "grad_cap = 0", "without a cap there is none"),
        ("", "step = 'rate'", "this step size has none"),
    ] {
        for memory in MEMORIES {
            if algorithm == "form = 'exact'" && memory != MEMORIES[0] {
                continue;
            }
            let all = format!("{private}\n{retention}");
            let found = choose(memory, &all, algorithm).unwrap_err().to_string();
            assert!(found.contains(words), "{found}");
        }
    }
    // With an average over no token but its own the gate is one of tokens; a cap on states is one of
    // what has noise already.
    for algorithm in [
        "surprise_threshold = 0.5\nsurprise_average = 0",
        "state_cap = 2",
        "implicit = 0.5",
        "step = 'fixed'",
    ] {
        let rule = choose(MEMORIES[0], private, algorithm).unwrap();
        assert!((rule.noise_deviation() - 3.0).abs() < 1e-12, "{algorithm}");
    }
    for kind in ["momentum", "omega", "muon", "adam", "multi_step", "newton"] {
        let text = format!(
            "[memory]\nkind = 'matrix'\n[retention]\n{private}\n[algorithm]\nkind = '{kind}'"
        );
        let found = Choice::from_toml(&text, &Registry::builtin()).unwrap_err();
        let found = found.to_string();
        assert!(found.contains("algorithm.kind = \"gd\""), "{kind}: {found}");
    }
}
