//! What a whole model holds: state, independence, gradients, stability, presets.

use std::path::Path;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Gradients, Int, Tensor, TensorData},
};
use miras_config::Layers;
use miras_model::{Ablation, LanguageModel, ModelSpec, ModelState, Pass};
use miras_random::Stream;
use miras_registry::Registry;

const VOCAB: usize = 256;

/// The folder of the presets for text.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/presets")
}

/// The names of the presets: files that build on another one.
pub(crate) fn presets() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_preset = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line.starts_with("extends"))
    };
    let mut names: Vec<String> = (files.filter(is_preset))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    assert!(names.len() > 20, "{names:?}");
    names
}

/// Reads a preset's model, with changes.
pub(crate) fn preset(name: &str, changes: &[&str]) -> ModelSpec {
    let file = folder().join(name).with_extension("toml");
    let mut layers = Layers::new();
    layers.file(&file).unwrap();
    for change in changes {
        layers.set(change).unwrap();
    }
    ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin()).unwrap()
}

pub(crate) const SMALL: [&str; 4] = [
    "model.dim=16",
    "mixer.heads=2",
    "model.layers=2",
    "model.ffn_dim=24",
];

/// A preset at the size of tests, with changes: small chunks, segments, shards and windows where it has
/// them.
pub(crate) fn small_with(name: &str, changes: &[&str]) -> ModelSpec {
    let table = preset(name, &[]).to_table();
    let mut all = [&SMALL[..], changes].concat();
    for (section, key, set) in [
        ("algorithm", "chunk", "algorithm.chunk=4"),
        ("mixer", "segment", "mixer.segment=4"),
        ("mixer", "shard", "mixer.shard=4"),
        ("mixer", "local_chunks", "mixer.local_chunks=[1,2]"),
        ("attention", "window", "attention.window=5"),
        ("memory", "dim", "memory.dim=8"),
        ("memory", "value_dim", "memory.value_dim=8"),
    ] {
        let value = table.get(section).and_then(|section| section.get(key));
        if value.is_some_and(|value| value.as_integer() != Some(0)) {
            all.push(set);
        }
    }
    // Their entries name layers of the preset.
    let file = folder().join(name).with_extension("toml");
    if std::fs::read_to_string(file)
        .unwrap()
        .contains("[[layers]]")
    {
        all.push("model.layers=4");
    }
    preset(name, &all)
}

pub(crate) fn small(name: &str) -> ModelSpec {
    small_with(name, &[])
}

pub(crate) fn model(spec: &ModelSpec, device: &Device) -> LanguageModel {
    LanguageModel::new(spec, VOCAB, 1, device)
}

pub(crate) fn tokens(values: &[i32], rows: usize, device: &Device) -> Tensor<2, Int> {
    let data = TensorData::new(values.to_vec(), [rows, values.len() / rows]);
    Tensor::from_data(data, device)
}

pub(crate) fn random_bytes(count: usize, seed: u64) -> Vec<i32> {
    let mut stream = Stream::new(seed, "tokens", &[]);
    (0..count).map(|_| stream.below(256) as i32).collect()
}

pub(crate) fn numbers(x: Tensor<3>) -> Vec<f32> {
    x.into_data().convert::<f32>().try_into_vec().unwrap()
}

fn largest_gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
}

#[test]
fn any_split_with_carried_state_equals_one_pass() {
    let device = Device::flex();
    for name in presets() {
        let name = name.as_str();
        let model = model(&small(name), &device);
        let text = random_bytes(2 * 11, 1);
        let all = tokens(&text, 2, &device);
        let whole = numbers(model.forward(all.clone(), None, Pass::default()).logits);
        for pieces in [&[1; 11][..], &[3, 1, 6, 1], &[5, 6]] {
            let mut state = None;
            let mut logits = Vec::new();
            let mut at = 0;
            for length in pieces {
                let part = all.clone().slice(burn::tensor::s![.., at..at + length]);
                let out = model.forward(part, state, Pass::default());
                logits.push(out.logits);
                at += length;
                assert_eq!(out.state.position, at);
                state = Some(out.state);
            }
            let gap = largest_gap(&numbers(Tensor::cat(logits, 1)), &whole);
            assert!(gap < 2e-4, "{name} in {pieces:?}: {gap}");
        }
    }
}

/// Memories that are frozen from a token on are those that learned up to it, read without a write.
#[test]
fn memories_are_frozen_from_a_token_on() {
    let device = Device::flex();
    let with = |ablation| Pass {
        ablation,
        ..Pass::default()
    };
    let (live, frozen) = (with(Ablation::None), with(Ablation::Frozen));
    let half = with(Ablation::FrozenFrom(6));
    for name in presets() {
        let model = model(&small(&name), &device);
        let all = tokens(&random_bytes(2 * 11, 1), 2, &device);
        let part = |range: std::ops::Range<usize>| all.clone().slice(burn::tensor::s![.., range]);
        let first = model.forward(part(0..6), None, live);
        let second = model.forward(part(6..11), Some(first.state), frozen);
        let expected = numbers(Tensor::cat(vec![first.logits, second.logits], 1));
        for ends in [&[11][..], &[4, 9, 11], &[6, 11]] {
            let (mut state, mut logits, mut from) = (None, Vec::new(), 0);
            for &end in ends {
                let out = model.forward(part(from..end), state, half);
                from = end;
                logits.push(out.logits);
                state = Some(out.state);
            }
            let gap = largest_gap(&numbers(Tensor::cat(logits, 1)), &expected);
            assert!(gap < 2e-4, "{name} in {ends:?}: {gap}");
        }
    }
}

#[test]
fn batch_rows_are_independent_and_nothing_leaks_from_the_future() {
    let device = Device::flex();
    for name in presets() {
        let name = name.as_str();
        let model = model(&small(name), &device);
        let t = 13;
        let text = random_bytes(2 * t, 2);
        let run = |text: &[i32]| {
            let out = model.forward(tokens(text, 2, &device), None, Pass::default());
            numbers(out.logits)
        };
        let truth = run(&text);
        for from in [0, 1, 5, 12] {
            let mut changed = text.clone();
            for token in &mut changed[t + from..] {
                *token = (*token + 7) % 256;
            }
            let seen = (t + from) * VOCAB;
            assert!(run(&changed)[..seen] == truth[..seen], "{name} from {from}");
            assert!(run(&changed)[seen..] != truth[seen..], "{name} from {from}");
        }
    }
}

struct Reached<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    seen: usize,
}

impl ModuleVisitor for Reached<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let gradient = param.val().grad(self.gradients);
        let gradient = gradient.unwrap_or_else(|| panic!("no gradient reaches {path}"));
        let values: Vec<f32> = gradient
            .into_data()
            .convert::<f32>()
            .try_into_vec()
            .unwrap();
        assert!(values.iter().all(|x| x.is_finite()), "{path}");
        assert!(values.iter().any(|x| *x != 0.0), "{path} gets 0");
        self.seen += 1;
    }
}

#[test]
fn every_parameter_gets_a_finite_nonzero_gradient_over_three_chunks() {
    let device = Device::flex().autodiff();
    for name in presets() {
        let name = name.as_str();
        for untie in [false, true] {
            let untied = format!("model.tie_head={}", !untie);
            let model = model(&small_with(name, &[&untied]), &device);
            let text = tokens(&random_bytes(2 * 14, 3), 2, &device);
            let out = model.forward(text.clone(), None, Pass::default());
            let gradients = LanguageModel::token_losses(out.logits, text)
                .mean()
                .backward();
            let mut reached = Reached {
                gradients: &gradients,
                path: Vec::new(),
                seen: 0,
            };
            model.visit(&mut reached);
            assert!(reached.seen > 10);
        }
    }
}

/// Counted, which is exact (`cost`): the large ones take seconds each to build.
#[test]
fn presets_have_matching_parameter_counts() {
    for (folder, size) in [("", 1.3e6), ("30m/", 30e6)] {
        let count = |name: &str| {
            let spec = preset(&format!("{folder}{name}"), &[]);
            miras_model::cost::parameters(&spec, VOCAB).all as f64
        };
        let all = count("titans-lmm");
        for name in presets() {
            let count = count(&name);
            let off = (count / size - 1.0).abs();
            assert!(off < 0.02, "{folder}{name} has {count} parameters");
            let gap = (count / all - 1.0).abs();
            assert!(
                gap < 0.01,
                "{folder}{name} has {count} parameters, not {all}"
            );
        }
    }
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let device = Device::flex();
    let spec = small("titans-lmm");
    let run = |seed| {
        let model = LanguageModel::new(&spec, VOCAB, seed, &device);
        let text = tokens(&random_bytes(9, 4), 1, &device);
        numbers(model.forward(text, None, Pass::default()).logits)
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

/// Default settings at each depth, untrained, on what breaks chunk-start
/// gradients: a key that repeats for ever, and noise.
#[test]
fn long_constant_and_random_sequences_stay_bounded_with_every_memory() {
    let device = Device::flex();
    for memory in [
        "memory.depth=1",
        "memory.depth=2",
        "memory.depth=3",
        "memory.depth=4",
        "memory=gated_mlp",
        "memory=conv",
    ] {
        let spec = preset(
            "titans-lmm",
            &[&SMALL[..], &[memory, "model.layers=1"]].concat(),
        );
        let model = model(&spec, &device);
        for (what, text) in [
            ("constant", vec![101; 4096]),
            ("random", random_bytes(4096, 5)),
        ] {
            let pass = Pass {
                probe: true,
                ..Pass::default()
            };
            let out = model.forward(tokens(&text, 1, &device), None, pass);
            let probe = &out.probes[0];
            for (values, name) in [
                (&probe.state, "state"),
                (&probe.surprise, "surprise"),
                (&probe.write, "write"),
                (&probe.loss, "loss"),
            ] {
                let largest =
                    values.iter().fold(
                        0.0_f32,
                        |a, x| if x.is_nan() { f32::NAN } else { a.max(x.abs()) },
                    );
                assert!(
                    largest < 1000.0,
                    "{memory}, {what}: {name} reaches {largest}"
                );
            }
            assert!(numbers(out.logits).iter().all(|x| x.is_finite()));
        }
    }
}

/// As above for the backward pass: a bounded state may still amplify gradients from
/// chunk to chunk.
#[test]
fn long_sequences_do_not_amplify_gradients_with_any_memory() {
    let device = Device::flex().autodiff();
    for changes in [
        &["memory.depth=1"][..],
        &["memory.depth=2"],
        &["memory.depth=2", "memory.norm=true", "memory.residual=true"],
        &["memory.depth=3"],
        &["memory.depth=4"],
        &["memory=gated_mlp"],
        &["memory=conv"],
    ] {
        let spec = preset(
            "titans-lmm",
            &[&SMALL[..], changes, &["model.layers=1"]].concat(),
        );
        let model = model(&spec, &device);
        let text = tokens(&random_bytes(4096, 5), 1, &device);
        let out = model.forward(text.clone(), None, Pass::default());
        let loss = LanguageModel::token_losses(out.logits, text).mean();
        let gradients = loss.backward();
        let mut size = Size {
            gradients: &gradients,
            square: 0.0,
        };
        model.visit(&mut size);
        let norm = size.square.sqrt();
        assert!(
            norm > 0.0 && norm < 1e3,
            "{changes:?}: gradient norm {norm}"
        );
    }
}

struct Size<'a> {
    gradients: &'a Gradients,
    square: f64,
}

impl ModuleVisitor for Size<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients).unwrap();
        let square = gradient.powi_scalar(2).sum();
        self.square += f64::from(square.into_scalar::<f32>());
    }
}

#[test]
fn targets_are_scored_in_pieces_as_in_one() {
    let device = Device::flex();
    // 70,000 token values make pieces of 59 positions.
    for (name, vocab) in [("titans-lmm", 70_000), ("transformer", 300)] {
        let spec = small(name);
        let model = LanguageModel::new(&spec, vocab, 1, &device);
        let values = |from: i32| -> Vec<i32> {
            (from..from + 140)
                .map(|n| n * 7919 % vocab as i32)
                .collect()
        };
        let (inputs, targets) = (
            tokens(&values(0), 2, &device),
            tokens(&values(1), 2, &device),
        );
        let whole = model.forward(inputs.clone(), None, Pass::default());
        let first = whole.logits.clone().argmax(2).reshape([2, 70]);
        // One target in ten is the likeliest token.
        let own = Tensor::<2, Int>::from_data(
            TensorData::new((0..140).map(|n| i32::from(n % 10 == 0)).collect(), [2, 70]),
            &device,
        );
        let targets = targets.mask_where(own.equal_elem(1), first.clone());
        let losses = LanguageModel::token_losses(whole.logits, targets.clone());
        let scores = model.score(inputs, targets.clone(), None, Pass::default());
        let gap = (scores.losses - losses).abs().max();
        assert!(gap.into_scalar::<f32>() < 1e-5, "{name}");
        let hits = first.equal(targets).float();
        assert!(hits.clone().sum().into_scalar::<f32>() >= 14.0);
        let wrong = (scores.hits - hits).abs().sum();
        assert!(wrong.into_scalar::<f32>() < 0.5, "{name}");
        assert_eq!(scores.state.position, 70);
    }
}

/// Rows of more than `max(8,192 / b, 1,024)` tokens go through the blocks in pieces.
#[test]
fn long_rows_are_scored_in_pieces_as_in_one_pass() {
    let device = Device::flex();
    let live: &[Ablation] = &[Ablation::None];
    let ablated = &[Ablation::None, Ablation::Frozen, Ablation::Reset];
    for (name, changes, ablations) in [
        ("titans-lmm", &["algorithm.chunk=16"][..], &ablated[..]),
        // No power of two: pieces are whole chunks all the same.
        ("yaad", &["algorithm.chunk=24"], live),
        ("gated-deltanet", &["algorithm.chunk=16"], live),
        ("transformer", &[], live),
    ] {
        let spec = preset(name, &[&SMALL[..], changes].concat());
        let model = model(&spec, &device);
        for &ablation in ablations {
            // From the beginning, and behind a chunk that is open.
            for open in [0, 5] {
                let (rows, len) = (
                    if open > 0 { 9 } else { 1 },
                    2600 + 8192 * usize::from(open == 0),
                );
                let pass = Pass {
                    ablation,
                    ..Pass::default()
                };
                let state = (open > 0 && ablation != Ablation::Reset).then(|| {
                    let read = tokens(&random_bytes(rows * open, 3), rows, &device);
                    model.forward(read, None, Pass::default()).state
                });
                let [inputs, targets] =
                    [1, 2].map(|seed| tokens(&random_bytes(rows * len, seed), rows, &device));
                let whole = model.forward(inputs.clone(), state.clone(), pass);
                let losses = LanguageModel::token_losses(whole.logits, targets.clone());
                let scores = model.score(inputs, targets, state, pass);
                assert_eq!(scores.losses.dims(), [rows, len]);
                let gap = (scores.losses - losses).abs().max().into_scalar::<f32>();
                let what = format!("{name}, {ablation:?}, {open} tokens before");
                assert!(gap < 1e-3, "{what}: {gap}");
                let sizes = [&scores.state, &whole.state].map(ModelState::size);
                assert_eq!(sizes[0], sizes[1], "{what}");
                assert_eq!(scores.state.position, whole.state.position, "{what}");
            }
        }
    }
}

/// Parameters by name, of a model that was differentiated.
struct GradientsOf<'a> {
    gradients: &'a Gradients,
    found: Vec<Option<Vec<f32>>>,
}

impl ModuleVisitor for GradientsOf<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        self.found
            .push(gradient.map(|x| x.into_data().try_into_vec::<f32>().unwrap()));
    }
}

#[test]
fn a_large_vocabulary_is_trained_in_pieces_as_in_one() {
    let device = Device::flex().autodiff();
    // Two pieces and a part of one.
    let (vocab, rows, len) = (20_000, 2, 250);
    for changes in [&[][..], &["model.tie_head=false"]] {
        let spec = small_with("gated-deltanet", changes);
        let model = LanguageModel::new(&spec, vocab, 1, &device);
        let some = |seed| {
            let bytes = random_bytes(rows * len, seed);
            let spread = bytes.iter().map(|byte| byte * 77).collect::<Vec<_>>();
            tokens(&spread, rows, &device)
        };
        let (inputs, targets) = (some(1), some(2));
        let weights: Vec<f32> = (0..rows * len).map(|at| (at % 3) as f32).collect();
        let weights = Tensor::<2>::from_data(TensorData::new(weights, [rows, len]), &device);
        let pass = Pass::default();
        let out = model.forward(inputs.clone(), None, pass);
        let whole = LanguageModel::token_losses(out.logits.clone(), targets.clone());
        let first = out.logits.argmax(2).reshape([rows, len]);
        let scores = model.train_scores(inputs, targets.clone(), weights.clone(), None, pass, true);
        let gap = (scores.losses - whole.clone())
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(gap < 1e-4, "{gap}");
        let wrong = scores.hits.unwrap() - first.equal(targets).float();
        assert!(wrong.abs().sum().into_scalar::<f32>() == 0.0);
        let pieces = scores.gradients.expect("more logits than in a piece");
        assert!(pieces.clone().into_scalar::<f32>() == 0.0);
        let gradients = |loss: Tensor<1>| {
            let gradients = loss.backward();
            let mut visitor = GradientsOf {
                gradients: &gradients,
                found: Vec::new(),
            };
            model.visit(&mut visitor);
            visitor.found
        };
        let (ours, theirs) = (gradients(pieces), gradients((whole * weights).sum()));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            let largest = theirs.iter().fold(1e-3_f32, |all, x| all.max(x.abs()));
            let gaps = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
            let gap = gaps.fold(0.0, f32::max) / largest;
            assert!(gap < 1e-4, "{gap}");
        }
    }
}
