//! What layers compute, against loops over numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_model::{Ablation, LanguageModel, ModelSpec, Pass, TokenMixer};
use miras_random::Stream;

use crate::naive::{self, Attention, Memory, Params};
use crate::small::{
    BATCH, DIM, HEADS, VOCAB, assert_close, features, numbers, perturbed, small, with_parameters,
};

fn mixed(model: &LanguageModel, layer: usize, x: Tensor<3>, ablation: Ablation) -> Tensor<3> {
    let pass = Pass {
        ablation,
        ..Pass::default()
    };
    model.blocks()[layer].mixer().forward(x, None, pass).0
}

/// Both layers, on inputs of normal size and on ones so small that what is added
/// inside roots decides.
fn check_memory(what: &str, spec: &ModelSpec, naive: Memory) {
    let (model, params) = perturbed(spec);
    for scale in [1.5, 1e-3] {
        let (rows, x) = features(7, scale);
        for layer in 0..2 {
            let name = format!("blocks.{layer}.mixer");
            let expected = rows.iter().map(|x| naive.forward(&params, &name, x));
            let got = mixed(&model, layer, x.clone(), Ablation::None);
            let what = format!("{what}, layer {layer}, inputs up to {scale}");
            assert_close(&what, got, &expected.collect::<Vec<_>>());
        }
    }
}

const LINEAR_TITANS: &str = "
[memory]
kind = 'matrix'
[bias]
kind = 'l2'
[retention]
kind = 'l2'
gate = 'sigmoid'
[algorithm]
kind = 'momentum'
form = 'exact'
chunk = 4
";

const TITANS: Memory = Memory {
    heads: HEADS,
    huber: false,
    rate: false,
    before: false,
    step: None,
    momentum: true,
    plain: false,
};

const GATED_DELTANET: &str = "
[memory]
kind = 'matrix'
start = 'zero'
[bias]
kind = 'l2'
[retention]
kind = 'l2'
gate = 'rate'
order = 'before'
[algorithm]
kind = 'gd'
chunk = 4
";

const DELTANET: Memory = Memory {
    rate: true,
    before: true,
    momentum: false,
    ..TITANS
};

#[test]
fn a_matrix_memory_with_momentum_is_its_formula() {
    for conv in [0, 1, 4] {
        let spec = small(&format!("conv = {conv}"), LINEAR_TITANS);
        check_memory(&format!("conv {conv}"), &spec, TITANS);
    }
}

#[test]
fn a_memory_without_an_activation_after_the_convolution_is_its_formula() {
    for conv in [0, 4] {
        let keys = format!("conv = {conv}\nconv_activation = 'none'");
        let plain = Memory {
            plain: true,
            ..TITANS
        };
        check_memory(&format!("conv {conv}"), &small(&keys, LINEAR_TITANS), plain);
    }
}

#[test]
fn gated_deltanet_is_its_formula() {
    check_memory("gated deltanet", &small("", GATED_DELTANET), DELTANET);
}

/// Gates of all maps, a fixed one between them, and a width of its own.
#[test]
fn every_gate_has_its_own_columns() {
    let axes = "
[memory]
kind = 'matrix'
dim = 5
[bias]
kind = 'huber'
input_dependent = true
[retention]
kind = 'l2'
gate = 'rate'
[algorithm]
kind = 'momentum'
step = 'fixed'
step_max = 0.3
form = 'chunk_start'
chunk = 1
load_cap = 0.0
";
    let naive = Memory {
        huber: true,
        rate: true,
        step: Some(0.3),
        ..TITANS
    };
    check_memory("huber", &small("", axes), naive);
}

#[test]
fn ablations_take_away_the_write_or_the_read() {
    let (model, params) = perturbed(&small("", LINEAR_TITANS));
    let (rows, x) = features(7, 1.5);
    let still = Memory {
        step: Some(0.0),
        ..TITANS
    };
    // Without a step its gate's columns are left over: those of momentum move up.
    let mut without = Params(params.0.clone());
    for (name, width) in [("weight", DIM), ("bias", 1)] {
        let name = format!("blocks.0.mixer.gates.{name}");
        let columns = params.get(&name).len() / width;
        let kept = params.get(&name).chunks(columns).flat_map(|row| {
            let mut row = row.to_vec();
            row.drain(HEADS..2 * HEADS);
            row
        });
        without.0.insert(name, kept.collect());
    }
    let expected = rows
        .iter()
        .map(|x| still.forward(&without, "blocks.0.mixer", x));
    let got = mixed(&model, 0, x.clone(), Ablation::StepZero);
    assert_close("no step", got, &expected.collect::<Vec<_>>());

    let got = numbers(mixed(&model, 0, x, Ablation::ReadZero));
    assert!(got.iter().all(|y| y.abs() < 1e-12));
}

#[test]
fn attention_is_its_formula() {
    for (conv, base, activation) in [
        (4, None, ""),
        (4, Some(30.0), "conv_activation = 'none'"),
        (4, Some(30.0), "conv_activation = 'silu'"),
        (0, Some(30.0), ""),
        (0, None, "conv_activation = 'silu'"),
    ] {
        let rope = base.map_or(String::new(), |base: f64| {
            format!("[attention]\nrope_base = {base:?}")
        });
        let keys = format!("kind = 'attention'\nconv = {conv}\n{activation}");
        let (model, params) = perturbed(&small(&keys, &rope));
        let naive = Attention {
            base: base.unwrap_or(10_000.0),
            activated: activation.contains("silu"),
            ..naive::ATTENTION
        };
        let (rows, x) = features(6, 1.5);
        for layer in 0..2 {
            let name = format!("blocks.{layer}.mixer");
            let expected = rows.iter().map(|x| naive.forward(&params, &name, x));
            let got = mixed(&model, layer, x.clone(), Ablation::None);
            let what = format!("layer {layer}, conv {conv}, base {base:?}, {activation}");
            assert_close(&what, got, &expected.collect::<Vec<_>>());
        }
    }
}

const ATTENTION: naive::Mixer = naive::Mixer::Attention(naive::ATTENTION);

/// Every token of both layers of this mixer.
fn check_mixer(
    keys: &str,
    tables: &str,
    length: usize,
    naive: impl Fn(&Params, &str, &naive::Rows) -> naive::Rows,
) {
    let (model, params) = perturbed(&small(keys, tables));
    let (rows, x) = features(length, 1.5);
    for layer in 0..2 {
        let name = format!("blocks.{layer}.mixer");
        let expected = rows.iter().map(|x| naive(&params, &name, x));
        let got = mixed(&model, layer, x.clone(), Ablation::None);
        assert_close(keys, got, &expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_window_and_learned_tokens_are_their_formula() {
    for (window, persistent) in [(3, 0), (0, 3), (4, 2), (50, 1)] {
        let keys = format!("kind = 'attention'\npersistent = {persistent}");
        let tables = format!("[attention]\nwindow = {window}");
        let window = if window == 0 { usize::MAX } else { window };
        let naive = Attention {
            window,
            ..naive::ATTENTION
        };
        check_mixer(&keys, &tables, 9, |params, name, x| {
            naive.forward(params, name, x)
        });
    }
}

#[test]
fn memory_as_a_gate_and_as_a_layer_are_their_formulas() {
    let attention = Attention {
        window: 3,
        ..naive::ATTENTION
    };
    let tables = format!("{LINEAR_TITANS}\n[attention]\nwindow = 3");
    check_mixer("kind = 'mag'", &tables, 9, |params, name, x| {
        naive::mag((TITANS, attention), params, name, x)
    });
    check_mixer("kind = 'mal'", &tables, 9, |params, name, x| {
        naive::mal((TITANS, attention), params, name, x)
    });
}

#[test]
fn memory_as_a_context_is_its_formula() {
    for (inject, persistent, conv) in [("tokens", 0, 4), ("tokens", 2, 0), ("kv", 1, 4)] {
        let keys = format!(
            "kind = 'mac'\nsegment = 4\ninject = '{inject}'\npersistent = {persistent}\nconv = {conv}"
        );
        let how = (4, inject == "kv");
        check_mixer(&keys, LINEAR_TITANS, 11, |params, name, x| {
            naive::mac((TITANS, naive::ATTENTION), how, params, name, x)
        });
    }
}

/// Shards that are computed beside each other, an open one behind them, and none at all.
#[test]
fn a_global_memory_and_local_ones_are_their_formula() {
    let exact = [false, false];
    for (chunk, locals, shard, project, stale) in [
        (4, &[1, 2][..], 4, true, [true, false]),
        (2, &[3], 3, true, exact),
        (3, &[2, 1], 6, false, [true, true]),
        (8, &[2, 4], 0, false, [true, true]),
        (5, &[4, 4], 12, true, exact),
    ] {
        let read = |stale: bool| if stale { "stale" } else { "exact" };
        let keys = format!(
            "kind = 'tnt'\nlocal_chunks = {locals:?}\nshard = {shard}\nproject_queries = {project}\n\
             local_read = '{}'",
            read(stale[1])
        );
        let form = format!(
            "form = 'chunk_start'\nload_cap = 0.0\nchunk = {chunk}\nread = '{}'",
            read(stale[0])
        );
        let tables = LINEAR_TITANS.replace("form = 'exact'\nchunk = 4", &form);
        let how = naive::Tnt {
            chunk,
            locals,
            stale,
            shard,
            project,
        };
        check_mixer(&keys, &tables, 11, |params, name, x| {
            naive::tnt(TITANS, how, params, name, x)
        });
    }
}

#[test]
fn a_block_adds_mixer_and_swiglu_behind_their_norms() {
    for (keys, axes, mixer) in [
        ("kind = 'attention'", "", ATTENTION),
        ("", GATED_DELTANET, naive::Mixer::Memory(DELTANET)),
    ] {
        let (model, params) = perturbed(&small(keys, axes));
        for scale in [1.5, 1e-3] {
            let (rows, x) = features(7, scale);
            for (layer, block) in model.blocks().iter().enumerate() {
                let name = format!("blocks.{layer}");
                let expected = rows.iter().map(|x| naive::block(mixer, &params, &name, x));
                let (got, _, _) = block.forward(x.clone(), None, Pass::default());
                let what = format!("{name}, inputs up to {scale}");
                assert_close(&what, got, &expected.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn logits_are_those_of_embedding_blocks_and_a_tied_or_own_head() {
    let t = 7;
    let mut stream = Stream::new(3, "tokens", &[]);
    let text: Vec<usize> = (0..BATCH * t).map(|_| stream.index(VOCAB)).collect();
    let data: Vec<i32> = text.iter().map(|token| *token as i32).collect();
    let tokens: Tensor<2, Int> =
        Tensor::from_data(TensorData::new(data, [BATCH, t]), &Device::flex());
    for tied in [true, false] {
        for (keys, axes, mixer) in [
            ("kind = 'attention'", "", ATTENTION),
            ("", LINEAR_TITANS, naive::Mixer::Memory(TITANS)),
        ] {
            let mut spec = small(keys, axes);
            spec.config.tie_head = tied;
            let (model, params) = perturbed(&spec);
            assert_eq!(params.find("head.weight").is_none(), tied);
            let expected = (text.chunks(t))
                .map(|text| naive::logits(mixer, &params, 2, DIM, text))
                .collect::<Vec<_>>();
            let got = model.forward(tokens.clone(), None, Pass::default()).logits;
            assert_close(keys, got, &expected);
        }
    }
}

/// `a b` of matrices with these inner sizes, by rows.
fn product(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let columns = b.len() / inner;
    let entry = |row: &[f64], column: usize| -> f64 {
        let terms = row.iter().zip(b[column..].iter().step_by(columns));
        terms.map(|(a, b)| a * b).sum()
    };
    (a.chunks(inner))
        .flat_map(|row| (0..columns).map(move |column| entry(row, column)))
        .collect()
}

/// Gates of channels with a rank are those whose projection is the product of the factors; gates of
/// heads have none.
#[test]
fn gates_of_a_rank_are_gates_with_the_product_of_their_factors() {
    let channels = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nkind = 'l2'\n\
        channels = 'key'\n[algorithm]\nkind = 'gd'\nchunk = 4\n";
    let (model, params) = perturbed(&small("gate_rank = 3", channels));
    let mut whole = Params(params.0.clone());
    for layer in 0..2 {
        let name = format!("blocks.{layer}.mixer");
        let get = |what: &str| params.get(&format!("{name}.{what}"));
        let decays = product(
            get("low_rank.0.down.weight"),
            get("low_rank.0.up.weight"),
            3,
        );
        let of_row = |all: &[f64], row: usize| {
            let columns = all.len() / DIM;
            all[row * columns..(row + 1) * columns].to_vec()
        };
        let steps = get("gates.weight");
        let weight = (0..DIM).flat_map(|row| [of_row(&decays, row), of_row(steps, row)].concat());
        let bias = [get("low_rank.0.up.bias"), get("gates.bias")].concat();
        whole
            .0
            .insert(format!("{name}.gates.weight"), weight.collect());
        whole.0.insert(format!("{name}.gates.bias"), bias);
    }
    let full = with_parameters(&small("", channels), &whole);
    let (_, x) = features(7, 1.5);
    for layer in 0..2 {
        let [a, b] = [&model, &full].map(|model| mixed(model, layer, x.clone(), Ablation::None));
        let gap = (a - b.clone()).abs().max().into_scalar::<f32>();
        let size = b.abs().max().into_scalar::<f32>();
        assert!(gap < 1e-5 * size, "layer {layer}: {gap} of {size}");
    }
}

#[test]
fn a_rank_without_gates_of_channels_is_refused() {
    for (keys, tables) in [
        ("gate_rank = 2", ""),
        (
            "gate_rank = 2\nkey = 'complement'\nqk_norm = 'none'",
            "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nchannels = 'key'\n\
             [algorithm]\nkind = 'gd'\nstep = 'fixed'",
        ),
    ] {
        let mut layers = miras_config::Layers::new();
        let text = format!("[mixer]\n{keys}\n{tables}");
        layers.text("case", &text).unwrap();
        let mut tree = layers.merge().unwrap();
        let error = ModelSpec::take(&mut tree, &miras_registry::Registry::builtin()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("(mixer.gate_rank)"), "{error}");
        assert!(error.contains("these parts project none"), "{error}");
    }
}

/// Columns of heads that are shared, once for every head: those of a projection or of taps.
fn repeated(values: &[f64], rows: usize) -> Vec<f64> {
    let columns = values.len() / rows;
    let row = |row: &[f64]| row.repeat(HEADS);
    values.chunks(columns).flat_map(row).collect()
}

/// Keys of any length go with a memory that does not compare what it recalls.
const DOT: &str = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[algorithm]\nchunk = 4\n";

/// One head of keys or values that all share is as many heads with equal weights.
#[test]
fn shared_heads_are_heads_with_equal_weights() {
    for (keys, tables, shared, whole) in [
        ("key_heads = 1", LINEAR_TITANS, "qk", ""),
        (
            "value_heads = 1\nqk_norm = 'none'",
            DOT,
            "v",
            "qk_norm = 'none'",
        ),
        (
            "key_heads = 1\nvalue_heads = 1\nqk_norm = 'rms'",
            DOT,
            "qkv",
            "qk_norm = 'rms'",
        ),
        (
            "kind = 'attention'\nkey_heads = 1\nvalue_heads = 1",
            "",
            "kv",
            "kind = 'attention'",
        ),
    ] {
        let (model, params) = perturbed(&small(keys, tables));
        let mut own = Params(params.0.clone());
        for layer in 0..2 {
            for (at, which) in "qkv"
                .chars()
                .enumerate()
                .filter(|(_, c)| shared.contains(*c))
            {
                for (name, rows) in [
                    (format!("{which}.weight"), DIM),
                    (format!("convs.{at}.taps"), 4),
                ] {
                    let name = format!("blocks.{layer}.mixer.{name}");
                    let values = repeated(params.get(&name), rows);
                    own.0.insert(name, values);
                }
            }
        }
        let equal = with_parameters(&small(whole, tables), &own);
        let (_, x) = features(7, 1.5);
        for layer in 0..2 {
            let [a, b] =
                [&model, &equal].map(|model| mixed(model, layer, x.clone(), Ablation::None));
            let gap = (a - b.clone()).abs().max().into_scalar::<f32>();
            let size = b.abs().max().into_scalar::<f32>();
            assert!(gap < 1e-5 * size, "{keys}, layer {layer}: {gap} of {size}");
        }
    }
}
