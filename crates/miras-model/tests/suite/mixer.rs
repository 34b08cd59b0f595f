//! A memory layer on its own: as another's model takes it, and in its steps.

use std::collections::BTreeSet;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor, TensorData, s},
};
use miras_engine::{Read, State, is_fused};
use miras_model::{Ablation, MemoryMixer, MixerConfig, MixerKeys, Pass, TokenMixer};
use miras_random::Stream;
use miras_registry::{Choice, Registry};

const DIM: usize = 12;

fn memory(text: &str) -> Choice {
    Choice::from_toml(text, &Registry::builtin()).unwrap()
}

/// Every way through the engine.
const MEMORIES: [&str; 5] = [
    "[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
    "[memory]\nkind = 'matrix'\n[bias]\nkind = 'huber'\n[algorithm]\nchunk = 4",
    "[memory]\nkind = 'mlp'\ndepth = 2\nexpansion = 2\n[algorithm]\nchunk = 4",
    "[memory]\nkind = 'matrix'\n[retention]\nkind = 'kl'\n[algorithm]\nchunk = 4",
    "[memory]\ndim = 5",
];

fn mixers(device: &Device) -> Vec<MemoryMixer> {
    MEMORIES
        .map(|text| {
            let config = MixerConfig::new(DIM, MixerKeys::new(2), memory(text));
            config.unwrap().init(device)
        })
        .into()
}

fn features(t: usize, device: &Device) -> Tensor<3> {
    let mut stream = Stream::new(3, "features", &[]);
    let values: Vec<f64> = (0..2 * t * DIM).map(|_| stream.normal()).collect();
    Tensor::from_data(
        TensorData::new(values, [2, t, DIM]).convert::<f32>(),
        device,
    )
}

/// Keys and queries are those of a layer that writes all maps, through its first map as it begins;
/// what is left of the memory is a matrix.
#[test]
fn a_layer_that_writes_its_last_map_alone_has_features_for_keys() {
    let device = Device::flex();
    let of = |learn: &str| {
        let text = format!(
            "[memory]\nkind = 'mlp'\ndepth = 2\nexpansion = 3\nlearn = '{learn}'\n[retention]\nanchored = false"
        );
        let config = MixerConfig::new(DIM, MixerKeys::new(2), memory(&text)).unwrap();
        config.init(&device)
    };
    let (last, all) = (of("last"), of("all"));
    assert!(last.rule().settings.is_exact() && last.rule().memory.is_linear());
    let x = features(5, &device);
    let (plain, _) = all.project(x.clone(), None);
    let (featured, _) = last.project(x.clone(), None);
    // The state of a memory that is not anchored is its weights, which here are the initial ones.
    let state = all.memories(&x, None, Pass::default()).into_state();
    let weights = &state.maps[0].weights;
    for (plain, featured) in [(plain.k, featured.k), (plain.q, featured.q)] {
        let hidden = burn::tensor::activation::gelu(plain.matmul(weights.clone()));
        let length = hidden.clone().powi_scalar(2).sum_dim(3).sqrt();
        let gap = (hidden / length - featured)
            .abs()
            .max()
            .into_scalar::<f64>();
        assert!(gap < 1e-5, "{gap}");
    }
}

/// Queries, values and gates are those of a layer whose tokens write under their own keys; its keys
/// are one token later, all of them, and what is read is what that layer's memory gives with these.
#[test]
fn a_layer_whose_target_is_the_next_token_writes_under_the_keys_of_the_one_before() {
    let device = Device::flex();
    let x = features(9, &device);
    for (memory_text, bias, writes) in [
        ("kind = 'matrix'", "kind = 'l2'", 1),
        ("kind = 'mlp'", "kind = 'huber'", 1),
        ("kind = 'mlp'\nlearn = 'last'", "kind = 'erase'", 2),
    ] {
        let of = |target: &str| {
            let text = format!(
                "[memory]\n{memory_text}\n[bias]\n{bias}\ntarget = '{target}'\n[algorithm]\nkind = 'gd'\nchunk = 4"
            );
            let keys = MixerKeys {
                conv: 0,
                writes,
                ..MixerKeys::new(2)
            };
            let config = MixerConfig::new(DIM, keys, memory(&text)).unwrap();
            config.init(&device)
        };
        let (same, next) = (of("same"), of("next"));
        let (mut tokens, _) = same.project(x.clone(), None);
        let (shifted, _) = next.project(x.clone(), None);
        let first = tokens
            .k
            .clone()
            .slice(s![.., .., ..writes, ..])
            .zeros_like();
        let earlier = tokens
            .k
            .clone()
            .slice(s![.., .., ..9 * writes - writes, ..]);
        tokens.k = Tensor::cat(vec![first, earlier], 2);
        let gates = |gates: &miras_core::Gates| gates.get(miras_core::STEP);
        for (found, truth) in [
            (shifted.k, tokens.k.clone()),
            (shifted.q, tokens.q.clone()),
            (shifted.v, tokens.v.clone()),
            (gates(&shifted.gates), gates(&tokens.gates)),
        ] {
            assert!((found - truth).abs().max().into_scalar::<f64>() == 0.0);
        }

        let mut memories = same.memories(&x, None, Pass::default());
        let (y, _) = memories.read_write(&tokens);
        let [_, g, _, d] = y.dims();
        let last = y
            .reshape([g, 9, writes, d])
            .slice(s![.., .., writes - 1.., ..]);
        let truth = same.output(last.reshape([1, g, 9, d]), x.clone());
        let (found, ..) = next.forward(x.clone(), None, Pass::default());
        assert!(largest(found - truth) == 0.0, "{memory_text}");
        let (before, ..) = same.forward(x.clone(), None, Pass::default());
        let (after, ..) = next.forward(x.clone(), None, Pass::default());
        assert!(largest(after - before) > 1e-3, "{memory_text}");
    }
}

fn run(mixer: &MemoryMixer, x: Tensor<3>, pieces: &[usize]) -> Tensor<3> {
    let mut state = None;
    let mut at = 0;
    let outputs = (pieces.iter())
        .map(|length| {
            let piece = x.clone().slice(s![.., at..at + length, ..]);
            at += length;
            let (y, next, _) = mixer.forward(piece, state.take(), Pass::default());
            state = Some(next.detach());
            y
        })
        .collect();
    Tensor::cat(outputs, 1)
}

fn largest(x: Tensor<3>) -> f64 {
    x.abs().max().into_scalar::<f64>()
}

/// As pieces that are cut off from each other, in values, in gradients and in what is carried;
/// the second sequence goes on from an open chunk.
#[test]
fn a_truncated_pass_is_pieces_that_are_cut_off() {
    let device = Device::flex().autodiff();
    let truncated = Pass {
        truncate: Some(4),
        ..Pass::default()
    };
    for text in MEMORIES {
        // Convolutions carry gradients of their own over a cut.
        let keys = MixerKeys {
            conv: 0,
            ..MixerKeys::new(2)
        };
        let config = MixerConfig::new(DIM, keys, memory(text)).unwrap();
        let mixer = config.init(&device);
        // Three tokens, ten more in `pass`, and two behind them.
        let outputs = |x: Tensor<3>, pass: Pass| {
            let piece = |from, to| x.clone().slice(s![.., from..to, ..]);
            let (first, state, _) = mixer.forward(piece(0, 3), None, Pass::default());
            let (then, state, _) = mixer.forward(piece(3, 13), Some(state.detach()), pass);
            let (last, ..) = mixer.forward(piece(13, 15), Some(state.detach()), Pass::default());
            Tensor::cat(vec![first, then, last], 1)
        };
        let with_gradient = |outputs: &dyn Fn(Tensor<3>) -> Tensor<3>| {
            let x = features(15, &device).require_grad();
            let y = outputs(x.clone());
            let gradients = y.clone().powi_scalar(2).sum().backward();
            (y.inner(), x.grad(&gradients).expect("x plays a part"))
        };
        let (y, gradient) = with_gradient(&|x| outputs(x, truncated));
        let (whole, of_whole) = with_gradient(&|x| outputs(x, Pass::default()));
        let (_, of_pieces) = with_gradient(&|x| run(&mixer, x, &[3, 4, 4, 2, 2]));
        assert!(largest(y - whole.clone()) < 1e-4 * largest(whole));
        let size = largest(of_pieces.clone());
        assert!(largest(gradient - of_pieces.clone()) < 1e-3 * size);
        let cut = largest(of_whole - of_pieces);
        assert!(cut > 1e-3 * size, "nothing is cut: {cut} of {size}, {text}");
    }
}

struct Ids(Vec<u64>);

impl ModuleVisitor for Ids {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.id.val());
    }
}

#[test]
fn layers_share_no_identifier_of_a_parameter() {
    let mut ids = Ids(Vec::new());
    for mixer in mixers(&Device::flex()) {
        mixer.visit(&mut ids);
    }
    let distinct: BTreeSet<_> = ids.0.iter().collect();
    assert_eq!(distinct.len(), ids.0.len());
}

/// Every ablation, and truncation.
fn passes() -> Vec<Pass> {
    use Ablation::{Frozen, None, ReadZero, Reset, StepZero};
    let ablations = [None, ReadZero, StepZero, Frozen, Reset].map(|ablation| Pass {
        ablation,
        ..Pass::default()
    });
    let truncated = Pass {
        truncate: Some(4),
        ..Pass::default()
    };
    ablations.into_iter().chain([truncated]).collect()
}

/// Projection, memories and output on their own are the layer; writing alone leaves the state that
/// writing and reading leave.
#[test]
fn the_steps_of_a_layer_compose() {
    let device = Device::flex();
    let x = features(13, &device);
    let [earlier, later] = [(0, 3), (3, 13)].map(|(a, b)| x.clone().slice(s![.., a..b, ..]));
    let values = |state: &State| -> Vec<(String, Vec<f32>)> {
        let named = state.named().into_iter();
        named
            .map(|(name, x)| (name, x.into_data().try_into_vec().unwrap()))
            .collect()
    };
    for mixer in mixers(&device) {
        // An open chunk.
        let (tokens, tails) = mixer.project(earlier.clone(), None);
        let mut memories = mixer.memories(&earlier, None, Pass::default());
        memories.read_write(&tokens);
        let start = memories.into_state();
        let (_, tree, _) = mixer.forward(earlier.clone(), None, Pass::default());

        for pass in passes() {
            let memories = || mixer.memories(&later, Some(start.clone()), pass);
            let (tokens, _) = mixer.project(later.clone(), Some(tails.clone()));
            let mut joint = memories();
            let (y, _) = joint.read_write(&tokens);
            let (whole, _, _) = mixer.forward(later.clone(), Some(tree.clone()), pass);
            let gap = largest(mixer.output(y.clone(), later.clone()) - whole);
            assert!(gap == 0.0, "{pass:?}: {gap}");

            let mut written = memories();
            written.write(&tokens);
            let last = written.read(tokens.q.slice(s![.., .., 9.., ..]));
            let (written, joint) = (written.into_state(), joint.into_state());
            // Where the joint pass is one operation, writing alone is on tensors all the same.
            let rule = mixer.rule();
            let program = rule
                .memory
                .program(tokens.k.dims()[3] / rule.keys(), tokens.v.dims()[3]);
            let bound = if is_fused(rule, &program.unwrap(), 10) {
                1e-5
            } else {
                0.0
            };
            for ((name, ours), (_, theirs)) in values(&written).iter().zip(values(&joint)) {
                let gap = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
                let gap = gap.fold(0.0, f32::max);
                assert!(gap <= bound, "{pass:?}: {name} by {gap}");
            }
            match pass.ablation {
                Ablation::ReadZero => assert!(last.abs().max().into_scalar::<f64>() == 0.0),
                Ablation::Frozen => assert!(values(&written) == values(&start)),
                // Each token reads what it wrote.
                _ if mixer.rule().settings.read() == Read::Exact => {
                    let gap = last - y.slice(s![.., .., 9.., ..]);
                    assert!(gap.abs().max().into_scalar::<f64>() < 1e-5, "{pass:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_seed_decides_the_weights_and_the_settings_the_shapes() {
    let device = Device::flex();
    let config = |keys| MixerConfig::new(DIM, keys, memory("")).unwrap();
    let without_conv = config(MixerKeys {
        conv: 0,
        ..MixerKeys::new(2)
    });
    let config = config(MixerKeys::new(2));
    let x = features(5, &device);
    let y = |config: MixerConfig| run(&config.init(&device), x.clone(), &[5]);
    let same = |a: Tensor<3>, b: Tensor<3>| largest(a - b) == 0.0;
    assert!(same(y(config.clone()), y(config.clone().with_seed(0))));
    assert!(!same(y(config.clone()), y(config.clone().with_seed(1))));
    assert!(!same(y(config.clone()), y(without_conv)));
    assert_eq!((config.spec().d_k(), config.spec().d_v()), (6, 6));
}

#[test]
fn a_layer_that_reads_nothing_gives_nothing() {
    let device = Device::flex();
    let pass = Pass {
        ablation: Ablation::ReadZero,
        ..Pass::default()
    };
    let mixer = &mixers(&device)[0];
    let (y, _, _) = mixer.forward(features(3, &device), None, pass);
    assert!(largest(y) < 1e-12);
}

#[test]
fn sizes_that_make_no_layer_are_refused() {
    for (dim, heads, words) in [
        (0, 1, "a layer of width 0"),
        (8, 0, "with 0 heads"),
        (8, 3, "the width 8 is not a multiple of 3 heads"),
    ] {
        let error = MixerConfig::new(dim, MixerKeys::new(heads), memory("")).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let three = MixerKeys::new(3);
    assert!(MixerConfig::new(8, three, memory("[memory]\ndim = 4")).is_ok());
    let two_of_three = MixerKeys {
        key_heads: Some(2),
        ..MixerKeys::new(3)
    };
    let error = MixerConfig::new(9, two_of_three, memory("")).unwrap_err();
    assert_eq!(error.to_string(), "key_heads must divide mixer.heads = 3");
}
