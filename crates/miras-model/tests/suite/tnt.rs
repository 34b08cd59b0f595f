//! What holds of a layer with a global memory and local ones beside what every mixer holds.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, s},
};
use miras_config::Layers;
use miras_core::Axis;
use miras_model::{Ablation, LanguageModel, Mixer, ModelSpec, Pass, StateTree, TokenMixer};
use miras_registry::Registry;

use crate::small::{BATCH, HEADS, VOCAB, features, initial, numbers, perturbed, small};

/// Chunks of both kinds and shards end together after 4 tokens, and no convolution reaches back.
const TABLES: &str = "
[memory]
kind = 'matrix'
[retention]
kind = 'none'
[algorithm]
form = 'chunk_start'
surprise_threshold = 0.5
chunk = 4
";
const KEYS: &str = "kind = 'tnt'\nconv = 0\nlocal_chunks = [4, 2]\nshard = 4";

fn mixer(keys: &str) -> Mixer {
    let (model, _) = perturbed(&small(keys, TABLES));
    model.blocks()[0].mixer().clone()
}

fn pass(ablation: Ablation) -> Pass {
    Pass {
        ablation,
        ..Pass::default()
    }
}

/// Names and values of the memories in a state.
fn memories(state: &StateTree) -> Vec<(String, Vec<f32>)> {
    (state.iter())
        .filter(|(name, _)| !name.contains("tails"))
        .map(|(name, x)| (name.to_owned(), x.values().try_into_vec_as().unwrap()))
        .collect()
}

/// Those of the global memory.
fn global(state: &StateTree) -> Vec<(String, Vec<f32>)> {
    let mut all = memories(state);
    all.retain(|(name, _)| name.starts_with("global"));
    assert!(!all.is_empty());
    all
}

#[test]
fn ablations_take_the_same_from_all_its_memories() {
    let mixer = mixer(KEYS);
    let (_, x) = features(8, 1.5);
    let part = |from: usize, to: usize| x.clone().slice(s![.., from..to, ..]);
    let run = |x: Tensor<3>, state: Option<StateTree>, ablation| {
        let (y, state, _) = mixer.forward(x, state, pass(ablation));
        (numbers(y), state)
    };
    let (live, _) = run(x.clone(), None, Ablation::None);
    assert!(live.iter().any(|y| y.abs() > 1e-2));

    let (nothing, _) = run(x.clone(), None, Ablation::ReadZero);
    assert!(nothing.iter().all(|y| y.abs() < 1e-12));

    // Nothing is held of the shard before, and of the keys of its own shard what queries are projected
    // with.
    let (unwritten, end) = run(x.clone(), None, Ablation::StepZero);
    let (shard, _) = run(part(4, 6), None, Ablation::StepZero);
    let (alone, _) = run(part(5, 6), None, Ablation::StepZero);
    let width = unwritten.len() / BATCH / 8;
    for row in 0..BATCH {
        let of = |all: &[f64], token: usize| all[token * width..(token + 1) * width].to_vec();
        let own = of(&unwritten, row * 8 + 5);
        let gap = |other: Vec<f64>| {
            let gaps = own.iter().zip(&other).map(|(a, b)| (a - b).abs());
            gaps.fold(0.0, f64::max)
        };
        let (same, other) = (gap(of(&shard, row * 2 + 1)), gap(of(&alone, row)));
        assert!(same < 1e-6 && other > 1e-4, "row {row}: {same} {other}");
    }
    assert!(end.iter().all(|(name, _)| !name.starts_with("local")));

    // Within a shard and at its end, which a frozen pass goes beyond: local ones begin again.
    for before in [4, 6] {
        let (_, state) = run(part(0, before), None, Ablation::None);
        let (_, after) = run(x.clone(), Some(state.clone()), Ablation::Frozen);
        assert!(global(&after) == global(&state), "{before}");
        let longer = Tensor::cat(vec![x.clone(), part(2, 5)], 1);
        let (first, _) = run(x.clone(), Some(state.clone()), Ablation::Frozen);
        let (more, _) = run(longer, Some(state), Ablation::Frozen);
        for row in 0..BATCH {
            let of = |all: &[f64], tokens: usize| {
                let from = row * tokens * width;
                all[from..from + 8 * width].to_vec()
            };
            assert!(of(&first, 8) == of(&more, 11), "{before}");
        }
    }

    // Chunks and shards are equally long, so that a reset pass is made of fresh ones.
    let even = self::mixer(&KEYS.replace("[4, 2]", "[4, 4]"));
    let (reset, ..) = even.forward(x.clone(), None, pass(Ablation::Reset));
    let fresh = [0, 4].map(|from| even.forward(part(from, from + 4), None, Pass::default()).0);
    let gap = (reset - Tensor::cat(fresh.to_vec(), 1)).abs().max();
    assert!(gap.into_scalar::<f64>() < 1e-5);
}

/// What decides where a value of a probe was seen.
#[test]
fn a_probe_has_the_tokens_of_every_memory() {
    let mixer = mixer(KEYS);
    let probed = Pass {
        probe: true,
        ..Pass::default()
    };
    for length in [3, 4, 11] {
        let (_, x) = features(length, 1.5);
        let (quiet, ..) = mixer.forward(x.clone(), None, Pass::default());
        let (y, _, probe) = mixer.forward(x, None, probed);
        let gap = (y - quiet).abs().max().into_scalar::<f64>();
        assert!(gap < 1e-5, "{gap}");
        let (probe, chunks) = (probe.unwrap(), mixer.chunks(None).unwrap());
        assert_eq!((chunks.len, chunks.others), (4, 2));
        let tokens = 3 * BATCH * HEADS * length;
        for values in [&probe.surprise, &probe.write, &probe.gate, &probe.retention] {
            assert_eq!(values.len(), tokens);
        }
        assert!(probe.write_rate().is_some());
    }
}

/// The gradients of parameters that are in the part `of`, in their order.
struct GradientsOf<'a> {
    of: &'a str,
    path: Vec<String>,
    gradients: &'a Gradients,
    found: Vec<f64>,
}

impl ModuleVisitor for GradientsOf<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.iter().any(|part| part == self.of) {
            let gradient = param.val().grad(self.gradients).unwrap();
            self.found.extend(numbers(gradient));
        }
    }
}

/// Truncation changes no value, and no gradient of a memory that starts again where it cuts.
#[test]
fn truncation_at_shards_cuts_the_global_memory_alone() {
    let device = Device::flex().autodiff();
    let spec = small(KEYS, TABLES);
    let mixer = LanguageModel::new(&spec, VOCAB, 1, &device).blocks()[0]
        .mixer()
        .clone();
    let (_, x) = features(11, 1.5);
    let run = |truncate: Option<usize>| {
        let pass = Pass {
            truncate,
            ..Pass::default()
        };
        let x = Tensor::from_data(x.clone().into_data(), &device);
        let (y, ..) = mixer.forward(x, None, pass);
        let gradients = y.clone().powi_scalar(2).sum().backward();
        let of = |part| {
            let mut visitor = GradientsOf {
                of: part,
                path: Vec::new(),
                gradients: &gradients,
                found: Vec::new(),
            };
            mixer.visit(&mut visitor);
            visitor.found
        };
        (numbers(y), of("locals"), of("initial"))
    };
    let largest_gap = |a: &[f64], b: &[f64]| {
        assert!(!a.is_empty() && a.len() == b.len());
        let gaps = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f64::max)
    };
    let (y, locals, initial) = run(None);
    for every in [4, 8] {
        let (cut_y, cut_locals, cut_initial) = run(Some(every));
        assert!(largest_gap(&cut_y, &y) < 1e-5, "{every}");
        assert!(largest_gap(&cut_locals, &locals) < 1e-4, "{every}");
        assert!(largest_gap(&cut_initial, &initial) > 1e-3, "{every}");
    }
    // Within a shard local memories are cut as well.
    let (_, cut_locals, _) = run(Some(2));
    assert!(largest_gap(&cut_locals, &locals) > 1e-3);
}

#[test]
fn what_local_memories_cannot_be_is_said_with_what_to_do() {
    for (keys, expected) in [
        (
            "local_chunks = []",
            "without a chunk length there is no local memory",
        ),
        ("local_chunks = [0]", "a chunk has one token or more"),
        (
            "local_chunks = [131072]\nshard = 131072",
            "a chunk has from 1 to 65536 tokens",
        ),
        (
            "local_chunks = [4, 6]\nshard = 8",
            "a shard of 8 tokens does not consist of chunks of [4, 6]",
        ),
        (
            "local_chunks = [4, 6]\nshard = 8",
            "the next larger one that does is mixer.shard = 12",
        ),
        (
            "local_chunks = [3]\nwrites = 2",
            "chunks of 3 writes do not end with a token that makes 2",
        ),
        (
            "shard = 0\nproject_queries = true",
            "grows with the sequence",
        ),
        (
            "local_chunks = [4]\nshard = 4\nlocal_read = 'stale'",
            "holds nothing that is read",
        ),
        ("local_read = 'frozen'", "mixer.local_read"),
        (
            "local_chunks = [2]\nshard = 4\n[algorithm]\npicard = 2\nchunk = 4",
            "1 Picard iterations are exact for a chunk of 2",
        ),
        ("shard = -4", "mixer.shard"),
        ("segment = 4", "use mixer.kind = \"mac\""),
    ] {
        let text =
            format!("[model]\ndim = 12\nlayers = 1\n[mixer]\nkind = 'tnt'\nheads = 2\n{keys}");
        let mut layers = Layers::new();
        layers.text("case", &text).unwrap();
        let error = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{keys}: {error}");
    }
    for (keys, key) in [
        ("kind = 'memory'\nshard = 4", "shard"),
        ("kind = 'mac'\nlocal_chunks = [4]", "local_chunks"),
        ("kind = 'mal'\nlocal_read = 'stale'", "local_read"),
        (
            "kind = 'attention'\nproject_queries = true",
            "project_queries",
        ),
    ] {
        let mut layers = Layers::new();
        layers.text("case", &format!("[mixer]\n{keys}")).unwrap();
        let error = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin());
        let error = error.unwrap_err().to_string();
        let refused = format!("this kind of mixer has no `{key}`");
        assert!(
            error.contains(&refused) && error.contains("\"tnt\""),
            "{error}"
        );
    }
}

#[test]
fn memories_of_equal_parts_are_counted_in_words() {
    let spec = small(KEYS, TABLES);
    let words = spec.parts(|choice| choice.kind(Axis::Memory).to_owned());
    assert_eq!(words, "3 x matrix");
    let chunks: Vec<usize> = (spec.memories())
        .map(|(_, choice)| choice.rule.settings.chunk)
        .collect();
    assert_eq!(chunks, [4, 4, 2]);
    assert!(spec.has_gate(0));
    let words = spec.parts(|choice| choice.rule.settings.chunk.to_string());
    assert_eq!(words, "2 x 4 + 2");
}

/// Local memories have the gates and weights of their own, not those of the global one.
#[test]
fn every_memory_begins_with_weights_of_its_own() {
    let spec = small(KEYS, TABLES);
    let (_, params) = initial(&spec);
    let of = |name: &str| {
        params
            .get(&format!("blocks.0.mixer.{name}.initial.0"))
            .to_vec()
    };
    let all = ["global", "locals.0", "locals.1"].map(of);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(all[a] != all[b]);
    }
    // One local memory more or less leaves the others as they were.
    let fewer = small(&KEYS.replace("[4, 2]", "[4]"), TABLES);
    let (_, fewer) = initial(&fewer);
    let same = "blocks.0.mixer.locals.0.initial.0";
    assert!(fewer.get(same) == params.get(same));
}
