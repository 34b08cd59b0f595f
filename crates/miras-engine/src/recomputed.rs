//! Runs of chunks of which nothing is kept but what goes in: the backward pass computes each again.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Gates, Program};

use crate::{
    Initial, Past, Rule, State, Tokens,
    custom::{Custom, apply},
    flat::{flat, of_maps, parts, to_maps},
    pass::pass,
};

/// Chunks a run: a state is kept before each, and the graph of one at a time is there.
pub(crate) const RUN: usize = 4;

/// Whether whole chunks of a pass over so many tokens are computed again: more than one run, whose
/// graph would be the same, only later.
pub(crate) fn is_recomputed(rule: &Rule, tokens: usize) -> bool {
    tokens > RUN * rule.settings.chunk
}

/// Whole chunks of a pass over `of` tokens, run by run, if there are gradients to be kept for.
///
/// # Shapes
/// Those of [`dual::forward`](crate::dual::forward).
pub(crate) fn forward(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
    of: usize,
) -> Option<(Tensor<4>, State)> {
    let is_whole = state.open.is_none() && tokens.len().is_multiple_of(rule.settings.chunk);
    let mut inputs = ([&tokens.q, &tokens.k, &tokens.v].into_iter()).chain(&initial.maps);
    if !is_whole || !is_recomputed(rule, of) || !inputs.any(Tensor::is_tracked) {
        return None;
    }
    let memory: Vec<Tensor<4>> = (initial.maps.iter().chain(&initial.gains))
        .cloned()
        .collect();
    let of_memory: Vec<_> = memory.iter().map(Tensor::dims).collect();
    let memory = flat(memory);
    let State {
        mut maps, mut past, ..
    } = state.clone();
    let mut outputs = Vec::new();
    for tokens in tokens.split_every(RUN * rule.settings.chunk) {
        let Tokens { q, k, v, gates } = tokens.clone();
        let of_outputs: Vec<_> = [v.dims()]
            .into_iter()
            .chain(of_maps(&maps).map(|x| x.dims()))
            .collect();
        let sequence: Vec<Tensor<4>> = [q, k, v]
            .into_iter()
            .chain(gates.iter().map(|(_, gate)| gate.clone()))
            .chain(of_maps(&maps))
            .chain(past.iter().flat_map(of_past))
            .collect();
        past = past.map(|past| past.then(&tokens));
        let run = Run {
            rule: rule.clone(),
            program: initial.program.clone(),
            gates: gates.iter().map(|(name, _)| name).collect(),
            sequence: sequence.iter().map(Tensor::dims).collect(),
            memory: of_memory.clone(),
        };
        let (n, slots) = (run.maps(), run.slots());
        let out = apply(Arc::new(run), [flat(sequence), memory.clone()]);
        let mut out = parts(out, &of_outputs);
        outputs.push(out.next().expect("outputs come first"));
        maps = to_maps(&mut out, n, slots);
    }
    let y = match outputs.len() {
        1 => outputs.remove(0),
        _ => Tensor::cat(outputs, 2),
    };
    let next = State {
        maps,
        past,
        open: None,
    };
    Some((y, next))
}

fn of_past(past: &Past) -> impl Iterator<Item = Tensor<4>> {
    let gates = past.gates.iter().map(|(_, gate)| gate.clone());
    [past.k.clone(), past.v.clone()].into_iter().chain(gates)
}

/// Some chunks behind each other.
#[derive(Debug)]
struct Run {
    rule: Rule,
    program: Arc<Program>,
    /// Their names, in order.
    gates: Vec<&'static str>,
    /// Shapes of queries, keys, values, gates, the state, and keys, values and gates of the past.
    sequence: Vec<[usize; 4]>,
    /// Shapes of initial weights and gains.
    memory: Vec<[usize; 4]>,
}

impl Run {
    fn maps(&self) -> usize {
        self.program.maps().len()
    }

    fn slots(&self) -> usize {
        self.rule.algorithm.slots()
    }

    fn gates_of(&self, next: &mut impl FnMut() -> Tensor<4>) -> Gates {
        (self.gates.iter()).fold(Gates::new(), |all, name| all.with(name, next()))
    }

    /// The outputs, and the state after them.
    fn value(&self, [sequence, memory]: [Tensor<1>; 2]) -> Tensor<1> {
        let mut sequence = parts(sequence, &self.sequence);
        let mut next = || sequence.next().expect("a part for each shape");
        let [q, k, v] = [next(), next(), next()];
        let gates = self.gates_of(&mut next);
        let maps = to_maps(&mut sequence, self.maps(), self.slots());
        let mut next = || sequence.next().expect("a part for each shape");
        let past = (self.rule.algorithm.window() > 1).then(|| Past {
            k: next(),
            v: next(),
            gates: self.gates_of(&mut next),
        });
        let state = State {
            maps,
            past,
            open: None,
        };
        let mut memory = parts(memory, &self.memory);
        let initial = Initial {
            program: self.program.clone(),
            maps: memory.by_ref().take(self.maps()).collect(),
            gains: memory.collect(),
        };
        let tokens = Tokens { q, k, v, gates };
        let (y, state) = pass(&self.rule, &initial, state, &tokens, None);
        flat([y].into_iter().chain(of_maps(&state.maps)))
    }
}

impl Custom for Run {
    fn forward(&self, inputs: [Tensor<1>; 2], _keep: bool) -> Tensor<1> {
        self.value(inputs)
    }

    fn backward(&self, inputs: [Tensor<1>; 2], of: Tensor<1>) -> [Tensor<1>; 2] {
        let leaves = inputs.map(|x| Tensor::from_inner(x).require_grad());
        let value = self.value(leaves.clone());
        let mut gradients = (value * of).sum().backward();
        // Weights and gains that the rule does not look at have none.
        leaves.map(|leaf| {
            let gradient = leaf.grad_remove(&mut gradients);
            gradient.unwrap_or_else(|| leaf.inner().zeros_like())
        })
    }
}
