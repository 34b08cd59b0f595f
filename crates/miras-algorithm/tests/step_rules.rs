//! Rules of the step size, over their list: what the chunk form computes is what the recurrence does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;

use burn::tensor::{Tensor, s};
use miras_algorithm::STEP_RULES;
use miras_contract::{D, G, Inputs, difference, numbers, tensor};
use miras_core::{ChunkTokens, Factor, STEP, StepRulePart, TokenWrite, decay_matrix};
use miras_engine::Rule;
use miras_registry::{Choice, Registry};

const T: usize = 7;

fn rule(memory: &str) -> Rule {
    let text = format!("[memory]\n{memory}\n[algorithm]\nform = 'chunk_start'\nload_cap = 0");
    Choice::from_toml(&text, &Registry::builtin()).unwrap().rule
}

/// The gradients of a chunk's tokens at its start, and their gates.
fn chunk(rule: &Rule) -> (Inputs, Vec<Factor>) {
    let inputs = Inputs::new(rule, T);
    let weights = miras_core::Weights {
        maps: &inputs.initial.maps,
        gains: &inputs.initial.gains,
    };
    let tokens = &inputs.tokens;
    let program = &inputs.initial.program;
    let factors = rule.factors(
        program,
        &weights,
        tokens.k.clone(),
        &tokens.v,
        &tokens.gates,
    );
    (inputs, factors)
}

fn token(x: &Tensor<4>, t: usize) -> Tensor<4> {
    let each = x.dims()[2] / T;
    x.clone().slice(s![.., .., t * each..(t + 1) * each, ..])
}

/// The steps of all tokens under a rule, token after token and all at once.
fn both_forms(part: &StepRulePart, value: f64, memory: &str) -> [Vec<f64>; 2] {
    let rule = rule(memory);
    let (inputs, factors) = chunk(&rule);
    let program = &inputs.initial.program;
    let step = inputs.tokens.gates.get(STEP);
    let log_decay = rule.retention.log_decay(&inputs.tokens.gates, &step);
    let damping = step.ones_like().mul_scalar(0.5);
    let capped = part.plain(value);

    let chunk = ChunkTokens {
        program,
        factors: &factors,
        step: &step,
        damping: &damping,
        decay: &decay_matrix(log_decay.clone()),
    };
    // What a sequence has carried so far.
    let before = (capped.carry()).map(|carry| {
        let n = carry.numbers();
        tensor(vec![0.3; G * n], [1, G, 1, n])
    });
    let carried = |before: &Tensor<4>| capped.carry().unwrap().after_each(before.clone(), &chunk);
    let carried = before.as_ref().map(carried);
    let at_once = capped.of_chunk(step.clone(), &chunk, carried.as_ref());
    let mut before = before;
    let mut written: Vec<TokenWrite> = Vec::new();
    let mut one_by_one = Vec::new();
    for t in 0..T {
        let decay = token(&log_decay, t).exp();
        for earlier in &mut written {
            earlier.left = earlier.left.clone() * decay.clone();
        }
        let of_token = |Factor { x, d }: &Factor| Factor {
            x: token(x, t),
            d: token(d, t),
        };
        written.push(TokenWrite {
            factors: factors.iter().map(of_token).collect(),
            step: token(&step, t),
            damping: token(&damping, t),
            left: decay.ones_like(),
        });
        before = before.map(|before| capped.carry().unwrap().after_token(before, &written));
        one_by_one.push(capped.of_token(token(&step, t), &written, program, before.as_ref()));
    }
    [numbers(at_once), numbers(Tensor::cat(one_by_one, 2))]
}

const MEMORIES: [&str; 3] = [
    "kind = 'matrix'",
    "kind = 'mlp'\ndepth = 2",
    "kind = 'conv'",
];

#[test]
fn a_chunk_has_the_steps_of_its_tokens() {
    for part in STEP_RULES {
        for memory in MEMORIES {
            for value in [0.05, 0.5, 4.0] {
                let [at_once, one_by_one] = both_forms(part, value, memory);
                let gap = difference(&at_once, &one_by_one);
                assert!(gap < 1e-12, "{} = {value}, {memory}: {gap:e}", part.key);
            }
        }
    }
}

/// A small value of a cap of the step shrinks it and a large one does not; one of the state
/// leaves steps alone.
#[test]
fn small_values_bind_and_large_ones_do_not() {
    for part in STEP_RULES.iter().filter(|part| !part.plain(1.0).is_gate()) {
        let [asked, _] = both_forms(part, 1e9, MEMORIES[0]);
        let [bound, _] = both_forms(part, 1e-3, MEMORIES[0]);
        let state = tensor(vec![0.5; G * D * D], [1, G, D, D]);
        let of_state = numbers(part.plain(1e-3).of_state(state.clone()));
        let leaves_the_state = of_state == numbers(state);
        assert_eq!(bound == asked, !leaves_the_state, "{}", part.key);
        assert!(
            bound
                .iter()
                .zip(&asked)
                .all(|(bound, asked)| bound <= asked)
        );
    }
}

/// A gate of a small value lets all be written, and one of a large value next to nothing.
#[test]
fn small_values_of_a_gate_open_it_and_large_ones_close_it() {
    let rule = rule(MEMORIES[0]);
    let asked = numbers(chunk(&rule).0.tokens.gates.get(STEP));
    let gates = STEP_RULES.iter().filter(|part| part.plain(1.0).is_gate());
    let mut seen = 0;
    for part in gates {
        let [open, _] = both_forms(part, 1e-6, MEMORIES[0]);
        assert!(difference(&open, &asked) < 1e-12, "{}", part.key);
        let [closed, _] = both_forms(part, 1e6, MEMORIES[0]);
        let pairs = closed.iter().zip(&asked);
        assert!(
            pairs
                .into_iter()
                .all(|(closed, asked)| *closed < 0.13 * asked),
            "{}",
            part.key
        );
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn keys_are_named_once_and_explained() {
    let mut seen = BTreeSet::new();
    for part in STEP_RULES {
        for (key, meaning) in part.keys() {
            assert!(!meaning.is_empty(), "{key}");
            assert!(seen.insert(key), "{key} is named twice");
        }
        assert_eq!(part.plain(0.25).settings().len(), part.settings.len());
        assert_eq!(part.plain(0.25).config(), (part.key, 0.25));
    }
}
