//! Runs of chunks of which nothing is kept but what goes in: the backward pass computes each again.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor, s};
use miras_core::{Gates, MapState, Program};

use crate::{
    Initial, Past, Place, Rule, State, Tokens,
    carried::carriers,
    custom::{Custom, apply},
    flat::{flat, of_maps, parts, to_maps},
    fused,
    kernel::has_kernels,
    pass::pass,
    split::{joined, lengths},
};

/// Chunks of a pass that keeps its graph: a longer one is computed again.
const SHORT: usize = 4;

/// Chunks a run: a state is kept before each, and the graph of one at a time is there.
///
/// Longer runs are fewer operations. Where each of them is launched, as on a GPU, that is what they
/// cost; burn's own CPU backend has memory to lose alone.
pub(crate) fn run(is_cpu: bool) -> usize {
    if is_cpu { SHORT } else { 16 * SHORT }
}

/// Whether whole chunks of a pass over so many tokens are computed again: more than a short run,
/// whose graph would be the same, only later.
pub(crate) fn is_recomputed(rule: &Rule, tokens: usize) -> bool {
    tokens > SHORT * rule.settings.chunk
}

/// Tokens of a run where `x` is.
fn tokens_of_run(rule: &Rule, x: &Tensor<4>) -> usize {
    run(x.device() == Device::flex()) * rule.settings.chunk
}

/// Whether there are gradients to be kept for, of whole chunks of a long pass.
fn is_due(rule: &Rule, initial: &Initial, state: &State, tokens: &Tokens, of: usize) -> bool {
    let is_whole = state.open.is_none() && tokens.len().is_multiple_of(rule.settings.chunk);
    let mut inputs = ([&tokens.q, &tokens.k, &tokens.v].into_iter()).chain(&initial.maps);
    is_whole && is_recomputed(rule, of) && inputs.any(Tensor::is_tracked)
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
    if !is_due(rule, initial, state, tokens, of) {
        return None;
    }
    let mut state = state.clone();
    let mut outputs = Vec::new();
    for run in tokens.split_every(tokens_of_run(rule, &tokens.q)) {
        let (y, next) = applied(rule, initial, &state, run, 1);
        outputs.push(y);
        state = next;
    }
    Some((joined(outputs), state))
}

/// Lengths of the parts of a pass that is cut off from its graph every `every` tokens: as many
/// pieces as are computed beside each other, and the last one if it is shorter.
pub(crate) fn parts_of(rule: &Rule, tokens: &Tokens, every: usize) -> Vec<usize> {
    let pieces = (tokens_of_run(rule, &tokens.q) / every).max(1);
    let rest = tokens.len() % every;
    let mut parts = lengths(tokens.len() - rest, pieces * every);
    parts.extend((rest > 0).then_some(rest));
    parts
}

/// Pieces of `every` tokens of a pass over `of`, between which there are no gradients, if they are
/// whole and there are gradients to be kept for.
///
/// The forward pass takes them one after the other and keeps the state before each. From there
/// the backward pass computes them again beside each other, as if each were of memories of its own.
pub(crate) fn beside(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
    every: usize,
    of: usize,
) -> Option<(Tensor<4>, State)> {
    let pieces = tokens.len() / every;
    let has_operation =
        has_kernels(&tokens.q) && fused::is_fused(rule, &initial.program, tokens.len());
    if pieces < 2
        || !tokens.len().is_multiple_of(every)
        || !every.is_multiple_of(rule.settings.chunk)
        || has_operation
        || !is_due(rule, initial, state, tokens, of)
    {
        return None;
    }
    Some(applied(rule, initial, state, tokens.clone(), pieces))
}

/// A run as one operation.
fn applied(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: Tokens,
    pieces: usize,
) -> (Tensor<4>, State) {
    let memory: Vec<Tensor<4>> = (initial.maps.iter().chain(&initial.gains))
        .cloned()
        .collect();
    let past = (state.past.as_ref()).map(|past| past.then(&tokens));
    let position = state.position + tokens.len();
    let Tokens { q, k, v, gates } = tokens;
    let of_outputs: Vec<_> = [v.dims()]
        .into_iter()
        .chain(of_maps(&state.maps).map(|x| x.dims()))
        .chain(state.carried.iter().map(Tensor::dims))
        .collect();
    let sequence: Vec<Tensor<4>> = [q, k, v]
        .into_iter()
        .chain(gates.iter().map(|(_, gate)| gate.clone()))
        .chain(of_maps(&state.maps))
        .chain(state.carried.iter().cloned())
        .chain(state.past.iter().flat_map(of_past))
        .collect();
    let run = Run {
        rule: rule.clone(),
        program: initial.program.clone(),
        gates: gates.iter().map(|(name, _)| name).collect(),
        places: initial.places.clone(),
        position: state.position,
        sequence: sequence.iter().map(Tensor::dims).collect(),
        memory: memory.iter().map(Tensor::dims).collect(),
        pieces,
        starts: OnceLock::new(),
    };
    let (n, slots) = (run.maps(), run.slots());
    let out = apply(Arc::new(run), [flat(sequence), flat(memory)]);
    let mut out = parts(out, &of_outputs);
    let y = out.next().expect("outputs come first");
    let maps = to_maps(&mut out, n, slots);
    let state = State {
        maps,
        past,
        carried: out.collect(),
        open: None,
        position,
    };
    (y, state)
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
    places: Vec<Place>,
    /// Tokens before them.
    position: usize,
    /// Shapes of queries, keys, values, gates, the state, what step rules carry, and keys, values and
    /// gates of the past.
    sequence: Vec<[usize; 4]>,
    /// Shapes of initial weights and gains.
    memory: Vec<[usize; 4]>,
    /// Parts between which there are no gradients.
    pieces: usize,
    /// What is before all pieces but the first, once it is known.
    starts: OnceLock<Starts>,
}

/// What stands before pieces, `[1, pieces·g, …]`.
#[derive(Debug)]
struct Starts {
    maps: Vec<MapState>,
    carried: Vec<Tensor<4>>,
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

    fn unpacked(&self, [sequence, memory]: [Tensor<1>; 2]) -> (Initial, State, Tokens) {
        let mut sequence = parts(sequence, &self.sequence);
        let mut next = || sequence.next().expect("a part for each shape");
        let [q, k, v] = [next(), next(), next()];
        let gates = self.gates_of(&mut next);
        let maps = to_maps(&mut sequence, self.maps(), self.slots());
        let mut next = || sequence.next().expect("a part for each shape");
        let carried = carriers(&self.rule).map(|_| next()).collect();
        let past = (self.rule.algorithm.window() > 1).then(|| Past {
            k: next(),
            v: next(),
            gates: self.gates_of(&mut next),
        });
        let state = State {
            maps,
            past,
            carried,
            open: None,
            position: self.position,
        };
        let mut memory = parts(memory, &self.memory);
        let initial = Initial {
            program: self.program.clone(),
            maps: memory.by_ref().take(self.maps()).collect(),
            gains: memory.collect(),
            places: self.places.clone(),
        };
        (initial, state, Tokens { q, k, v, gates })
    }

    /// The outputs, and the state after them; what the backward pass starts from is kept if `keep`
    /// says so.
    fn value(&self, inputs: [Tensor<1>; 2], keep: bool) -> Tensor<1> {
        let (initial, state, tokens) = self.unpacked(inputs);
        let passed = pass(&self.rule, &initial, state, &tokens, None);
        if keep && self.pieces > 1 {
            let carried = passed.carried.into_iter();
            self.starts.get_or_init(|| Starts {
                maps: (passed.starts.iter())
                    .map(|map| map.map(|x| self.later(x)))
                    .collect(),
                carried: carried.map(|x| self.later(x)).collect(),
            });
        }
        flat(
            [passed.y]
                .into_iter()
                .chain(of_maps(&passed.state.maps))
                .chain(passed.state.carried),
        )
    }

    /// The same, with the pieces as memories beside each other.
    fn value_by_pieces(&self, inputs: [Tensor<1>; 2], starts: &Starts) -> Tensor<1> {
        let p = self.pieces;
        let (initial, state, tokens) = self.unpacked(inputs);
        let [_, g, t, _] = tokens.q.dims();
        let each = |x: Tensor<4>| x.repeat_dim(1, p);
        let initial = Initial {
            program: initial.program,
            maps: initial.maps.into_iter().map(each).collect(),
            gains: initial.gains.into_iter().map(each).collect(),
            places: (0..p)
                .flat_map(|piece| (initial.places.iter()).map(move |at| at.later(piece * t / p)))
                .collect(),
        };
        // A piece has the tokens of its place, and memories of its own.
        let pieces = |x: Tensor<4>| {
            let [.., d] = x.dims();
            x.reshape([g, p, t / p, d]).swap_dims(0, 1)
        };
        let beside = |x: Tensor<4>| {
            let [p, g, t, d] = x.dims();
            x.reshape([1, p * g, t, d])
        };
        let first_and = |first: &Tensor<4>, later: Tensor<4>| {
            Tensor::cat(vec![first.clone(), Tensor::from_inner(later)], 1)
        };
        let past = state.past.map(|past| {
            let Tokens { k, v, gates, .. } = tokens.clone();
            let before = (past.map(Tensor::inner))
                .before_each(&Past { k, v, gates }.map(|x| pieces(x.inner())));
            past.with(&before, |first, each| {
                first_and(first, beside(each.clone().slice(s![1..])))
            })
        });
        let maps = (state.maps.iter().zip(&starts.maps)).map(|(first, starts)| MapState {
            weights: first_and(&first.weights, starts.weights.clone()),
            slots: (first.slots.iter().zip(&starts.slots))
                .map(|(first, later)| first_and(first, later.clone()))
                .collect(),
        });
        let carried = (state.carried.iter().zip(&starts.carried))
            .map(|(first, later)| first_and(first, later.clone()));
        let state = State {
            maps: maps.collect(),
            past,
            carried: carried.collect(),
            open: None,
            position: self.position,
        };
        let of_pieces = |x| beside(pieces(x));
        let tokens = Tokens {
            q: of_pieces(tokens.q),
            k: of_pieces(tokens.k),
            v: of_pieces(tokens.v),
            gates: tokens.gates.map(of_pieces),
        };
        let passed = pass(&self.rule, &initial, state, &tokens, None);

        let [.., d] = passed.y.dims();
        let y = passed.y.reshape([p, g, t / p, d]).swap_dims(0, 1);
        let last = |x: Tensor<4>| x.slice(s![.., (p - 1) * g.., .., ..]);
        flat(
            [y.reshape([1, g, t, d])]
                .into_iter()
                .chain(of_maps(&passed.state.maps).map(last))
                .chain(passed.state.carried.into_iter().map(last)),
        )
    }

    /// What stands before all pieces but the first, out of what stands before all chunks,
    /// `[n, g, …] → [1, (pieces − 1)·g, …]`.
    fn later(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, g, rows, d] = x.dims();
        let (p, chunks) = (self.pieces, n / self.pieces);
        let x = x.reshape([p, chunks * g, rows, d]);
        x.slice(s![1.., ..g, .., ..])
            .reshape([1, (p - 1) * g, rows, d])
    }
}

impl Custom for Run {
    fn forward(&self, inputs: [Tensor<1>; 2], keep: bool) -> Tensor<1> {
        self.value(inputs, keep)
    }

    fn backward(&self, inputs: [Tensor<1>; 2], of: Tensor<1>) -> [Tensor<1>; 2] {
        let leaves = inputs.map(|x| Tensor::from_inner(x).require_grad());
        let value = match self.starts.get() {
            None => self.value(leaves.clone(), false),
            Some(starts) => self.value_by_pieces(leaves.clone(), starts),
        };
        let mut gradients = (value * of).sum().backward();
        // Weights and gains that the rule does not look at have none.
        leaves.map(|leaf| {
            let gradient = leaf.grad_remove(&mut gradients);
            gradient.unwrap_or_else(|| leaf.inner().zeros_like())
        })
    }
}
