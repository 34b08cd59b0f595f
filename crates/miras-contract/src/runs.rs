//! The two sides that are compared: the recurrence token by token, and the chunk form.

use burn::tensor::{Gradients, Tensor};
use miras_core::LocalRules;
use miras_engine::{Form, Read, Rule, State, dual, recurrence};

use crate::inputs::{Inputs, placed, random};

/// Outputs and final state of a run, with the gradients of a fixed random functional of both.
pub struct Run {
    /// The outputs.
    pub y: Tensor<4>,
    /// Outputs and states, by name.
    pub values: Vec<(String, Vec<f64>)>,
    /// Of every input, by name; none where it plays no part.
    pub gradients: Vec<(String, Option<Vec<f64>>)>,
}

/// The values of a tensor.
pub fn numbers(x: Tensor<4>) -> Vec<f64> {
    x.into_data()
        .convert::<f64>()
        .try_into_vec()
        .expect("converted to float64")
}

/// `end` is the state after the last token, where it is known.
fn finish(inputs: &Inputs, y: Tensor<4>, end: Option<State>) -> Run {
    let mut named = vec![("y".to_string(), y.clone())];
    if let Some(State { maps, carried, .. }) = end {
        for (l, map) in maps.iter().enumerate() {
            named.push((format!("state {l}"), map.weights.clone()));
            for slot in &map.slots {
                named.push((format!("slot {l}"), slot.clone()));
            }
        }
        for (at, values) in carried.into_iter().enumerate() {
            named.push((format!("carried {at}"), values));
        }
    }
    let mut loss: Option<Tensor<1>> = None;
    for (name, x) in &named {
        let weight = random(&format!("weight of {name}"), x.dims(), -1.0, 1.0);
        let weight = placed(&weight, (&x.device(), x.dtype()));
        let term = (x.clone() * weight).sum();
        loss = Some(loss.map_or(term.clone(), |loss| loss + term));
    }
    let gradients: Gradients = loss.expect("a run has outputs").backward();
    Run {
        y,
        values: (named.into_iter())
            .map(|(name, x)| (name, numbers(x)))
            .collect(),
        gradients: (inputs.named().into_iter())
            .map(|(name, x)| (name, x.grad(&gradients).map(numbers)))
            .collect(),
    }
}

/// Token by token, as it is written in the papers.
pub fn run_recurrence(rule: &Rule, inputs: &Inputs) -> Run {
    let inputs = inputs.leaves();
    let state = State::new(rule, &inputs.initial);
    let (y, end) = recurrence::forward(rule, &inputs.initial, &state, &inputs.tokens);
    finish(&inputs, y, Some(end))
}

/// The same rule with every gradient at the memory that its own token meets, under those of its
/// step rules that are local. The recurrence runs it for any parts.
pub fn made_exact(rule: &Rule) -> Rule {
    let local = rule.settings.rules().iter().filter(|rule| rule.is_local());
    let rules = LocalRules::new(local.cloned().collect()).expect("local ones only");
    let mut exact = rule.clone();
    exact.settings.form = Form::Exact { rules };
    exact
}

/// The same rule with another number of Picard iterations and another read rule.
///
/// # Panics
/// If its form is exact, which has neither.
pub fn made_chunk_start(rule: &Rule, picard: usize, read: Read) -> Rule {
    assert!(!rule.settings.is_exact(), "a rule in the chunk-start form");
    let rules = rule.settings.rules().to_vec();
    let mut made = rule.clone();
    made.settings.form = Form::ChunkStart {
        picard,
        read,
        rules,
    };
    made
}

/// The chunk form, called on pieces of the given lengths with carried state (empty: one call).
pub fn run_dual(rule: &Rule, inputs: &Inputs, pieces: &[usize]) -> Run {
    let inputs = inputs.leaves();
    let mut state = State::new(rule, &inputs.initial);
    let mut outputs = Vec::new();
    let whole = [inputs.tokens.len()];
    let mut at = 0;
    for length in if pieces.is_empty() { &whole } else { pieces } {
        let tokens = inputs.tokens.range(at, at + length);
        let out = dual::forward(rule, &inputs.initial, state, &tokens, false);
        outputs.push(out.y);
        state = out.state;
        at += length;
    }
    assert_eq!(at, inputs.tokens.len(), "the pieces cover the sequence");
    finish(&inputs, Tensor::cat(outputs, 2), closed(rule, state))
}

/// The chunk form, cut off from its graph every `every` tokens.
pub fn run_truncated(rule: &Rule, inputs: &Inputs, every: usize) -> Run {
    let inputs = inputs.leaves();
    let state = State::new(rule, &inputs.initial);
    let out = dual::forward_truncated(rule, &inputs.initial, state, &inputs.tokens, every);
    finish(&inputs, out.y, closed(rule, out.state))
}

/// The same as its definition has it: calls on pieces, each of which takes the state as a constant.
pub fn run_cut_off(rule: &Rule, inputs: &Inputs, every: usize) -> Run {
    let inputs = inputs.leaves();
    let mut state = State::new(rule, &inputs.initial);
    let mut outputs = Vec::new();
    for (at, piece) in inputs.tokens.split_every(every).iter().enumerate() {
        if at > 0 {
            state = state.map(Tensor::detach);
        }
        let out = dual::forward(rule, &inputs.initial, state, piece, false);
        outputs.push(out.y);
        state = out.state;
    }
    finish(&inputs, Tensor::cat(outputs, 2), closed(rule, state))
}

/// A state, if it is that after its last token: of a chunk that is still open it is that of its start.
fn closed(rule: &Rule, state: State) -> Option<State> {
    (state.open.is_none() || rule.settings.is_exact()).then_some(state)
}

/// The largest difference, relative to the size of the reference (at least 1).
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1.0_f64, |s, x| s.max(x.abs()));
    (a.iter().zip(b)).fold(0.0, |worst: f64, (a, b)| {
        let gap = (a - b).abs() / scale;
        if gap.is_nan() {
            f64::INFINITY
        } else {
            worst.max(gap)
        }
    })
}

/// What differs between two runs, in everything that both have.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// An output, a state or a gradient.
    pub what: String,
    /// Its [`difference`].
    pub size: f64,
}

/// The largest gap between two runs.
///
/// # Panics
/// If they have nothing in common, for then they are not runs of one rule.
pub fn largest_gap(run: &Run, truth: &Run) -> Gap {
    let values = (run.values.iter().zip(&truth.values)).map(|((what, a), (also, b))| {
        assert_eq!(what, also, "runs of one rule have the same outputs");
        Gap {
            what: what.clone(),
            size: difference(a, b),
        }
    });
    let gradients = run.gradients.iter().zip(&truth.gradients);
    let gradients = gradients.filter_map(|((what, a), (_, b))| {
        let zeros = |like: &Option<Vec<f64>>| vec![0.0; like.as_ref().map_or(0, Vec::len)];
        if a.is_none() && b.is_none() {
            return None;
        }
        let (a, b) = (
            a.clone().unwrap_or_else(|| zeros(b)),
            b.clone().unwrap_or_else(|| zeros(a)),
        );
        Some(Gap {
            what: format!("gradient of {what}"),
            size: difference(&a, &b),
        })
    });
    let all = values.chain(gradients);
    let largest = all.max_by(|a, b| a.size.total_cmp(&b.size));
    largest.expect("two runs have outputs")
}

/// Panics unless both runs agree in everything that both have.
///
/// # Panics
/// If they differ by the tolerance or more.
pub fn assert_same(name: &str, run: &Run, truth: &Run, tolerance: f64) {
    let gap = largest_gap(run, truth);
    assert!(
        gap.size < tolerance,
        "{name}: {} differs by {:e}",
        gap.what,
        gap.size
    );
}
