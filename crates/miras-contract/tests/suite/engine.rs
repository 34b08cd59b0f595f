//! What the engine promises beyond the registry's parts: several gradient rows a
//! token, algorithms that act at chunk ends, linear splitting, stable solves.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn::tensor::{Tensor, TensorData, s};
use miras_contract::{Size, made_chunk_start};
use miras_core::{
    AlgorithmKind, ChunkEndAlgorithm, ChunkWrite, Factor, GateMap, GateSpec, MapSpec, MapState,
    Maps, MemoryAlgorithm, MemoryArchitecture, Program, ProgramError, STEP,
};
use miras_engine::{Read, State, dual, split, unit_lower_inverse};

use crate::support::{
    Inputs, assert_same, choose, device, difference, noise, numbers, run_dual, run_recurrence,
    tensor,
};

/// Two halves of a token through one matrix, R = 2 gradient rows a token, as a program.
#[derive(Debug)]
struct SharedHalves;

impl MemoryArchitecture for SharedHalves {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        Program::build(d_k, d_v, |p, x| {
            let halves = p.unfold(x, d_k / 2, d_k / 2, 0);
            let halves = p.linear("w", halves, d_v / 2);
            p.fold(halves)
        })
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

/// The same by hand.
#[derive(Debug)]
struct HalvesByHand;

impl HalvesByHand {
    fn rows_of(x: Tensor<4>) -> Tensor<4> {
        let [n, g, c, d] = x.dims();
        x.reshape([n, g, 2 * c, d / 2])
    }
}

impl MemoryArchitecture for HalvesByHand {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let map = MapSpec {
            name: "w".into(),
            d_in: d_k / 2,
            d_out: d_v / 2,
            rows: 2,
        };
        Ok(Program::by_hand(d_k, d_v, vec![map], Vec::new()))
    }

    fn forward(&self, _: &Program, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        let y = maps.apply(0, Self::rows_of(x));
        let [n, g, c, d] = y.dims();
        y.reshape([n, g, c / 2, 2 * d])
    }

    fn factors(
        &self,
        program: &Program,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let d = output_gradient(self.forward(program, maps, keys.clone()));
        vec![Factor {
            x: Self::rows_of(keys),
            d: Self::rows_of(d),
        }]
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

/// Moves every weight by a fixed amount against the sign of a chunk's summed write.
#[derive(Debug)]
struct SignDescent {
    steps: usize,
    /// Chunk updates that were computed.
    updates: AtomicUsize,
}

impl SignDescent {
    fn new(steps: usize) -> Self {
        let updates = AtomicUsize::new(0);
        Self { steps, updates }
    }
}

impl MemoryAlgorithm for SignDescent {
    fn gates(&self) -> Vec<GateSpec> {
        let map = GateMap::Sigmoid { max: 1.0 };
        vec![GateSpec::new(STEP, map, 0.0)]
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::ChunkEnd(self)
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

impl ChunkEndAlgorithm for SignDescent {
    fn steps(&self) -> usize {
        self.steps
    }

    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        self.updates.fetch_add(1, Ordering::Relaxed);
        let size = chunk.write.clone().abs().add_scalar(0.1);
        // By the step size of the chunk's last token: a gate that the algorithm reads itself.
        let step = chunk.gates.get(STEP);
        let c = step.dims()[2];
        let step = step.slice(s![.., .., c - 1.., ..]);
        MapState {
            weights: map.weights * chunk.carry.clone()
                - (chunk.write.clone() / size).mul_scalar(0.2) * step,
            slots: map.slots,
        }
    }
}

const CHUNK_START: &str = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'huber'\ndelta = 0.7\n\
    [retention]\nkind = 'l2'\n[algorithm]\nkind = 'momentum'\nform = 'chunk_start'\nchunk = 3\n\
    load_cap = 0.2\ngrad_cap = 0.5";

/// Of width 2 the halves' weights are written out for every token, of width 6 they are not.
#[test]
fn several_gradient_rows_a_token_equal_the_recurrence() {
    for (d_k, d_v) in [(4, 4), (12, 12), (12, 8)] {
        let size = Size {
            d_k,
            d_v,
            ..Size::small(6)
        };
        let mut truths = Vec::new();
        for memory in [
            Arc::new(SharedHalves) as Arc<dyn MemoryArchitecture>,
            Arc::new(HalvesByHand),
        ] {
            let mut rule = choose(CHUNK_START).unwrap().rule;
            rule.memory = memory;
            for (picard, pieces) in [(0, &[][..]), (0, &[2, 4]), (1, &[])] {
                let rule = made_chunk_start(&rule, picard, Read::Exact);
                let inputs = Inputs::sized(&rule, size);
                let truth = run_recurrence(&rule, &inputs);
                let name = format!(
                    "{:?}, {size:?}, {picard} iterations in {pieces:?}",
                    rule.memory
                );
                assert_same(&name, &run_dual(&rule, &inputs, pieces), &truth, 1e-9);
                truths.push(truth);
            }
        }
        let (program, by_hand) = truths.split_at(3);
        for (program, by_hand) in program.iter().zip(by_hand) {
            assert_same("by hand", by_hand, program, 1e-12);
        }
    }
}

#[test]
fn an_algorithm_that_acts_at_chunk_ends_equals_the_recurrence() {
    for steps in [1, 3] {
        let rule = choose(CHUNK_START).unwrap().rule;
        let mut rule = made_chunk_start(&rule, 0, Read::Stale);
        let inputs = Inputs::new(&rule, 9);
        rule.algorithm = Arc::new(SignDescent::new(steps));
        let truth = run_recurrence(&rule, &inputs);
        for pieces in [&[][..], &[1, 4, 4]] {
            let name = format!("{steps} steps in {pieces:?}");
            assert_same(&name, &run_dual(&rule, &inputs, pieces), &truth, 1e-9);
        }
    }
}

/// The open chunk of such an algorithm goes through names and shapes, and back.
#[test]
fn an_open_chunk_keeps_its_tokens_for_several_steps() {
    let rule = choose(CHUNK_START).unwrap().rule;
    let mut rule = made_chunk_start(&rule, 0, Read::Stale);
    rule.algorithm = Arc::new(SignDescent::new(2));
    let inputs = Inputs::new(&rule, 8);
    let state = State::new(&rule, &inputs.initial);
    let first = inputs.tokens.range(0, 5);
    let state = dual::forward(&rule, &inputs.initial, state, &first, false).state;

    let program = &inputs.initial.program;
    let named = state.named();
    let shapes = named.iter().map(|(name, x)| (name.clone(), x.dims()));
    let layout = State::layout(&rule, program, inputs.tokens.k.dims()[1], 5);
    assert_eq!(
        shapes.collect::<BTreeMap<_, _>>(),
        layout.into_iter().collect()
    );
    let take = |name: &str| {
        let found = named.iter().find(|(other, _)| other == name);
        found.unwrap().1.clone()
    };
    let again = State::from_named(&rule, program, 5, take);
    let rest = inputs.tokens.range(5, 8);
    let run = |state| numbers(dual::forward(&rule, &inputs.initial, state, &rest, false).y);
    assert_eq!(run(again), run(state));
}

/// Reading token by token computes no update of a chunk that it leaves open, unless a probe asks.
#[test]
fn a_chunk_is_updated_once_however_many_calls_fill_it() {
    let rule = choose(CHUNK_START).unwrap().rule;
    let rule = made_chunk_start(&rule, 0, Read::Stale);
    let inputs = Inputs::new(&rule, 8);
    let updates = |pieces: &[usize], probe: bool| {
        let mut rule = rule.clone();
        let algorithm = Arc::new(SignDescent::new(1));
        rule.algorithm = algorithm.clone();
        let mut state = State::new(&rule, &inputs.initial);
        let mut at = 0;
        for length in pieces {
            let tokens = inputs.tokens.range(at, at + length);
            state = dual::forward(&rule, &inputs.initial, state, &tokens, probe).state;
            at += length;
        }
        algorithm.updates.load(Ordering::Relaxed)
    };
    // Chunks of 3: two are filled, two tokens stay open.
    for pieces in [&[1; 8][..], &[8], &[2, 5, 1]] {
        assert_eq!(updates(pieces, false), 2, "{pieces:?}");
    }
    assert_eq!(updates(&[1; 8], true), 8);
}

#[test]
fn pieces_of_a_split_carry_the_gradients_of_slices() {
    let shape = [5, 2, 7, 3];
    let count = shape.iter().product();
    let leaf = || tensor(noise("split", count), shape).require_grad();
    let weight = tensor(noise("weights", count), shape);
    for (dim, lengths) in [(0, vec![1; 5]), (2, vec![2, 1, 2, 1, 1]), (2, vec![3, 4])] {
        let slices = |x: &Tensor<4>| -> Vec<Tensor<4>> {
            let mut from = 0;
            let cut = |length: &usize| {
                from += length;
                x.clone().slice_dim(dim, from - length..from)
            };
            lengths.iter().map(cut).collect()
        };
        // Piece 1 is used twice, and piece 3 stays unused.
        let loss = |pieces: Vec<Tensor<4>>, x: &Tensor<4>| {
            let weights = slices(&weight);
            let used = [0, 1, 1, 2, 4].into_iter().filter(|at| *at < lengths.len());
            let terms =
                used.map(|at| (pieces[at].clone().powi_scalar(2) * weights[at].clone()).sum());
            let own = x.clone().sum().mul_scalar(0.5);
            terms.fold(own, |sum, term| sum + term)
        };
        let ours = leaf();
        let pieces = split(ours.clone(), dim, &lengths);
        for (piece, slice) in pieces.iter().zip(slices(&ours)) {
            assert_eq!(numbers(piece.clone()), numbers(slice));
        }
        let gradient = ours.grad(&loss(pieces, &ours).backward()).unwrap();
        let plain = leaf();
        let expected = plain
            .grad(&loss(slices(&plain), &plain).backward())
            .unwrap();
        let gap = difference(&numbers(gradient), &numbers(expected));
        assert!(gap < 1e-15, "{lengths:?} along {dim}: {gap}");
    }
}

/// `I + M` times its inverse, in float32, for keys that are nearly or wholly equal:
/// the powers of the nilpotent product overflow here.
#[test]
fn the_triangular_inverse_holds_for_repeated_keys_in_single_precision() {
    let c = 64;
    for correlation in [0.0, 0.7, 0.99, 1.0] {
        let d = 16;
        let common = noise("common", d);
        let own = noise("own", c * d);
        let keys: Vec<Vec<f64>> = (0..c)
            .map(|t| {
                let key: Vec<f64> = (0..d)
                    .map(|i| correlation * common[i] + (1.0 - correlation) * own[t * d + i])
                    .collect();
                let norm = key.iter().map(|x| x * x).sum::<f64>().sqrt();
                key.iter().map(|x| x / norm).collect()
            })
            .collect();
        let gram: Vec<f32> = (0..c * c)
            .map(|at| {
                let (row, column) = (at / c, at % c);
                let dot: f64 = keys[row]
                    .iter()
                    .zip(&keys[column])
                    .map(|(a, b)| a * b)
                    .sum();
                if column < row { dot as f32 } else { 0.0 }
            })
            .collect();
        let m = Tensor::<4>::from_data(TensorData::new(gram, [1, 1, c, c]), &device());
        let inverse = unit_lower_inverse(m.clone());
        let product = numbers(inverse.clone() + m.matmul(inverse));
        for (at, x) in product.iter().enumerate() {
            let expected = f64::from(at / c == at % c);
            assert!(
                (x - expected).abs() < 1e-4,
                "correlation {correlation}: {x} at {at}"
            );
        }
    }
}

/// The inverse of any size, of the strictly lower part alone, with and without a graph.
#[test]
fn the_triangular_inverse_is_that_of_every_size() {
    for c in (1..20).chain([31, 48, 65]) {
        let noise = noise("m of a size", 2 * 3 * c * c);
        let values: Vec<f64> = noise.iter().map(|x| 0.3 * x).collect();
        let m = tensor(values.clone(), [2, 3, c, c]);
        let inverses = [m.clone(), m.require_grad()].map(|m| numbers(unit_lower_inverse(m)));
        assert_eq!(inverses[0], inverses[1], "{c} tokens");
        for (m, inverse) in values.chunks(c * c).zip(inverses[0].chunks(c * c)) {
            for (row, column) in (0..c).flat_map(|row| (0..c).map(move |column| (row, column))) {
                let product: f64 = (0..row)
                    .map(|i| m[row * c + i] * inverse[i * c + column])
                    .sum();
                let found = inverse[row * c + column] + product;
                let gap = (found - f64::from(row == column)).abs();
                assert!(gap < 1e-9, "{c} tokens: {found} at {row}, {column}");
            }
        }
    }
}

#[test]
fn the_triangular_inverse_has_the_derivative_of_an_inverse() {
    let c = 5;
    let values = noise("m", c * c);
    let strict: Vec<f64> = (0..c * c)
        .map(|at| if at % c < at / c { values[at] } else { 0.0 })
        .collect();
    let weight = tensor(noise("w", c * c), [1, 1, c, c]);
    let loss = |values: Vec<f64>| {
        let m = tensor(values, [1, 1, c, c]).require_grad();
        let loss = (unit_lower_inverse(m.clone()) * weight.clone()).sum();
        (m, loss)
    };
    let (m, value) = loss(strict.clone());
    let gradient = numbers(m.grad(&value.backward()).unwrap());
    for at in (0..c * c).filter(|at| at % c < at / c) {
        let shifted = |by: f64| {
            let mut values = strict.clone();
            values[at] += by;
            numbers(loss(values).1.reshape([1, 1, 1, 1]))[0]
        };
        let slope = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        assert!(
            (slope - gradient[at]).abs() < 1e-7,
            "{slope} {}",
            gradient[at]
        );
    }
}

#[test]
fn diagnostics_of_pieces_are_those_of_one_pass() {
    for form in [
        "form = 'chunk_start'\nload_cap = 0.2",
        "form = 'exact'",
        "kind = 'omega'\nwindow = 3",
        "form = 'chunk_start'\nsurprise_threshold = 0.4",
        "form = 'exact'\nsurprise_threshold = 0.4\n[bias]\nkind = 'lp'",
    ] {
        let text = format!("[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4\n{form}");
        let rule = choose(&text).unwrap().rule;
        let inputs = Inputs::new(&rule, 8);
        let probe = |pieces: &[usize]| {
            let mut state = State::new(&rule, &inputs.initial);
            let mut seen: Vec<Vec<f32>> = vec![Vec::new(); 5];
            let mut at = 0;
            for length in pieces {
                let tokens = inputs.tokens.range(at, at + length);
                let out = dual::forward(&rule, &inputs.initial, state, &tokens, true);
                let probe = out.probe.unwrap();
                // [chunks, memories, tokens] of each call, as [memories, tokens].
                let gated = form.contains("surprise");
                assert_eq!(probe.gate.len(), if gated { 2 * length } else { 0 });
                let of_tokens = [probe.loss, probe.surprise, probe.write, probe.capped];
                for (all, new) in (seen.iter_mut()).zip(of_tokens) {
                    assert_eq!(new.len(), 2 * length);
                    all.extend(new);
                }
                seen[4].extend(probe.gate);
                state = out.state;
                at += length;
            }
            for all in &mut seen {
                all.sort_by(f32::total_cmp);
            }
            seen
        };
        let whole = probe(&[8]);
        assert!(whole[3].iter().all(|ratio| *ratio <= 1.0 + 1e-6));
        for pieces in [&[6, 2][..], &[4, 1, 3]] {
            for (a, b) in probe(pieces).iter().zip(&whole) {
                let gap = a
                    .iter()
                    .zip(b)
                    .fold(0.0_f32, |w, (a, b)| w.max((a - b).abs()));
                assert!(gap < 1e-6, "{form} in {pieces:?}: {gap}");
            }
        }
    }
}
