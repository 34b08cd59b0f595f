//! The gate by surprise, in its limits and where chunks meet.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use burn::tensor::{Tensor, activation::sigmoid};
use miras_algorithm::SurpriseGate;
use miras_contract::{G, Inputs, assert_same, difference, numbers, run_dual, tensor};
use miras_core::{
    ChunkTokens, Factor, Program, RuleCost, STEP, StepRule, TokenWrite, decay_matrix,
};
use miras_engine::{Form, Read, Rule, State, dual};
use miras_registry::{Choice, Registry};

const T: usize = 9;

/// A gate that is neither open nor closed on these inputs.
const GATE: SurpriseGate = SurpriseGate {
    threshold: 0.4,
    softness: 0.2,
    average: 0.7,
    hard: false,
};

/// A deep memory in chunks of three tokens, under these rules.
fn ruled(rules: Vec<Arc<dyn StepRule>>) -> Rule {
    let text = "[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 3";
    let mut rule = Choice::from_toml(text, &Registry::builtin()).unwrap().rule;
    rule.settings.form = Form::ChunkStart {
        picard: 0,
        read: Read::Exact,
        rules,
    };
    rule
}

fn gated(gate: SurpriseGate) -> Rule {
    ruled(vec![Arc::new(gate)])
}

fn outputs(rule: &Rule, inputs: &Inputs) -> Vec<f64> {
    numbers(run_dual(rule, inputs, &[]).y)
}

#[test]
fn far_below_all_norms_the_threshold_changes_nothing() {
    let plain = ruled(Vec::new());
    let inputs = Inputs::new(&plain, T);
    for hard in [false, true] {
        let open = gated(SurpriseGate {
            threshold: -1e6,
            hard,
            ..GATE
        });
        let (found, truth) = (
            run_dual(&open, &inputs, &[]),
            run_dual(&plain, &inputs, &[]),
        );
        // What the gate carries stands behind all that the plain rule has.
        let values = found.values.iter().zip(&truth.values);
        for ((name, found), (_, truth)) in values {
            assert_eq!(found, truth, "{name}, hard = {hard}");
        }
    }
}

#[test]
fn far_above_all_norms_nothing_is_written() {
    let plain = ruled(Vec::new());
    let inputs = Inputs::new(&plain, T);
    let mut silent = inputs.clone();
    let zero = silent.tokens.gates.get(STEP).zeros_like();
    silent.tokens.gates = silent.tokens.gates.with(STEP, zero);
    let truth = outputs(&plain, &silent);
    assert_ne!(truth, outputs(&plain, &inputs));
    for hard in [false, true] {
        let closed = gated(SurpriseGate {
            threshold: 1e6,
            hard,
            ..GATE
        });
        assert_eq!(outputs(&closed, &inputs), truth, "hard = {hard}");
    }
}

/// `θ σ((‖g‖ − τ)/α)`, with nothing carried.
#[derive(Debug)]
struct OfTheNorm;

impl StepRule for OfTheNorm {
    fn of_chunk(
        &self,
        step: Tensor<4>,
        chunk: &ChunkTokens<'_>,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let above = chunk.gradient_norms().sub_scalar(GATE.threshold);
        step * sigmoid(above.div_scalar(GATE.softness))
    }

    fn of_token(
        &self,
        _step: Tensor<4>,
        _written: &[TokenWrite],
        _program: &Program,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        panic!("the chunk form alone is asked for")
    }

    fn computes(&self) -> RuleCost {
        RuleCost::GradientNorms
    }

    fn config(&self) -> (&'static str, f64) {
        ("of_the_norm", 1.0)
    }
}

#[test]
fn without_an_average_it_is_a_gate_of_the_norm_alone() {
    let own = ruled(vec![Arc::new(OfTheNorm)]);
    let inputs = Inputs::new(&own, T);
    let rule = gated(SurpriseGate {
        average: 0.0,
        ..GATE
    });
    assert!(State::new(&rule, &inputs.initial).carried.is_empty());
    let found = run_dual(&rule, &inputs, &[]);
    assert_same("β = 0", &found, &run_dual(&own, &inputs, &[]), 1e-12);
    // And β matters.
    let gap = difference(&outputs(&gated(GATE), &inputs), &numbers(found.y));
    assert!(gap > 1e-3, "{gap:e}");
}

/// What is carried over the edge of a chunk is read by the next one.
#[test]
fn a_chunk_begins_with_the_average_of_those_before_it() {
    let rule = gated(GATE);
    let inputs = Inputs::new(&rule, T);
    let start = State::new(&rule, &inputs.initial);
    let first = dual::forward(
        &rule,
        &inputs.initial,
        start,
        &inputs.tokens.range(0, 3),
        false,
    );
    assert!(
        numbers(first.state.carried[0].clone())
            .iter()
            .all(|s| *s > 0.0)
    );
    let rest = |state: State| {
        let tokens = inputs.tokens.range(3, T);
        numbers(dual::forward(&rule, &inputs.initial, state, &tokens, false).y)
    };
    let forgotten = State {
        carried: vec![first.state.carried[0].zeros_like()],
        ..first.state.clone()
    };
    let gap = difference(&rest(forgotten), &rest(first.state));
    assert!(gap > 1e-3, "{gap:e}");
}

/// One token's norm is `|x| |d|`.
fn tokens() -> (Factor, Tensor<4>) {
    let x = tensor((0..G * T).map(|at| 0.1 * at as f64).collect(), [1, G, T, 1]).require_grad();
    let d = tensor(vec![1.0; G * T], [1, G, T, 1]);
    (Factor { x: x.clone(), d }, x)
}

/// The gate of each token under a step of 1, and its derivative by the norms.
fn gate_and_slope(gate: SurpriseGate) -> [Vec<f64>; 2] {
    let (factor, x) = tokens();
    let program = ruled(Vec::new()).memory.program(3, 3).unwrap();
    let one = tensor(vec![1.0; G * T], [1, G, T, 1]);
    let chunk = ChunkTokens {
        program: &program,
        factors: &[factor],
        step: &one,
        damping: &one,
        decay: &decay_matrix(one.zeros_like()),
    };
    let before = tensor(vec![0.0; G], [1, G, 1, 1]);
    let carried = gate.carry().map(|carry| carry.after_each(before, &chunk));
    let w = gate.of_chunk(one.clone(), &chunk, carried.as_ref());
    let slope = x.grad(&w.clone().sum().backward()).unwrap();
    [numbers(w), numbers(slope)]
}

#[test]
fn a_hard_gate_is_0_or_1_with_the_derivatives_of_the_soft_one() {
    for average in [0.0, 0.7] {
        let soft = SurpriseGate { average, ..GATE };
        let [of_soft, slope] = gate_and_slope(soft);
        let [of_hard, straight] = gate_and_slope(SurpriseGate { hard: true, ..soft });
        assert!(difference(&straight, &slope) < 1e-12, "β = {average}");
        let rounded: Vec<f64> = (of_soft.iter())
            .map(|soft| f64::from(*soft > 0.5))
            .collect();
        assert_eq!(of_hard, rounded, "β = {average}");
        assert!(
            of_hard.contains(&0.0) && of_hard.contains(&1.0),
            "β = {average}"
        );
    }
}
