//! What layers compute, against loops over numbers, and what they start with.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Int, Tensor, TensorData},
};
use miras_config::Layers;
use miras_core::{Axis, GateMap, GateSpec, MOMENTUM, RETENTION, STEP, THRESHOLD};
use miras_model::{Ablation, LanguageModel, Mixer, ModelSpec, Pass};
use miras_random::Stream;
use miras_registry::Registry;

use crate::naive::{self, Attention, Memory, Params, Rows, sigmoid};

const VOCAB: usize = 11;
const DIM: usize = 12;
const HEADS: usize = 2;
const BATCH: usize = 2;

fn spec(text: &str) -> ModelSpec {
    let mut layers = Layers::new();
    layers.text("case", text).unwrap();
    ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin()).unwrap()
}

/// A small model: keys of `[model]`, then tables of the axes.
fn small(keys: &str, axes: &str) -> ModelSpec {
    let size = format!("dim = {DIM}\nheads = {HEADS}\nlayers = 2\nffn_dim = 20");
    spec(&format!("[model]\n{size}\n{keys}\n{axes}"))
}

fn noise(name: &str, count: usize, scale: f64) -> Vec<f64> {
    let mut stream = Stream::new(7, name, &[]);
    (0..count)
        .map(|_| (2.0 * stream.unit() - 1.0) * scale)
        .collect()
}

/// The names of parameters as a model is walked through; those of enum variants are left out.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.into());
        }
    }

    fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }
}

/// Puts random numbers in place of all initial weights, so that zeros, ones and
/// equal weights hide nothing.
struct Perturb(Path);

impl ModuleMapper for Perturb {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.0.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.0.0.join(".");
        param.map(|old| {
            let shape = old.shape();
            let mut values = noise(&name, shape.num_elements(), 0.6);
            if name.ends_with("gamma") {
                for value in &mut values {
                    *value += 1.0;
                }
            }
            let data = TensorData::new(values, shape).convert::<f32>();
            Tensor::from_data(data, &old.device())
        })
    }
}

struct Collect {
    path: Path,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.0.join(".");
        let earlier = self.found.insert(name.clone(), numbers(param.val()));
        assert!(earlier.is_none(), "two parameters are named {name}");
    }
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

fn initial(spec: &ModelSpec) -> (LanguageModel, Params) {
    let model = LanguageModel::new(spec, VOCAB, 1, &Device::flex());
    let params = parameters(&model);
    (model, params)
}

fn perturbed(spec: &ModelSpec) -> (LanguageModel, Params) {
    let model = initial(spec).0.map(&mut Perturb(Path::default()));
    let params = parameters(&model);
    (model, params)
}

fn parameters(model: &LanguageModel) -> Params {
    let mut collect = Collect {
        path: Path::default(),
        found: BTreeMap::new(),
    };
    model.visit(&mut collect);
    Params(collect.found)
}

/// Random features for every batch row, and as a tensor.
fn features(t: usize, scale: f64) -> (Vec<Rows>, Tensor<3>) {
    let values = noise("features", BATCH * t * DIM, scale);
    let rows: Vec<Vec<f64>> = values.chunks(DIM).map(<[f64]>::to_vec).collect();
    let data = TensorData::new(values, [BATCH, t, DIM]).convert::<f32>();
    let batch = rows.chunks(t).map(<[Vec<f64>]>::to_vec).collect();
    (batch, Tensor::from_data(data, &Device::flex()))
}

/// The largest gap as a share of the largest number, which must not be tiny by chance.
fn assert_close(what: &str, got: Tensor<3>, expected: &[Rows]) {
    let got = numbers(got);
    let expected: Vec<f64> = expected.iter().flatten().flatten().copied().collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let gap = (got - expected).abs() / size;
        assert!(
            gap < 3e-5,
            "{what} at {at}: {got}, expected {expected} (largest {size})"
        );
    }
}

fn memory_layer(
    model: &LanguageModel,
    layer: usize,
    x: Tensor<3>,
    ablation: Ablation,
) -> Tensor<3> {
    let Mixer::Memory(mixer) = model.blocks()[layer].mixer() else {
        panic!("the mixer is a memory");
    };
    let pass = Pass {
        ablation,
        ..Pass::default()
    };
    mixer.forward(x, None, pass).0
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
            let got = memory_layer(&model, layer, x.clone(), Ablation::None);
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
    let got = memory_layer(&model, 0, x.clone(), Ablation::StepZero);
    assert_close("no step", got, &expected.collect::<Vec<_>>());

    let got = numbers(memory_layer(&model, 0, x, Ablation::ReadZero));
    assert!(got.iter().all(|y| y.abs() < 1e-12));
}

#[test]
fn attention_is_its_formula() {
    for (conv, base) in [(4, None), (4, Some(30.0)), (0, Some(30.0))] {
        let rope = base.map_or(String::new(), |base: f64| format!("rope_base = {base:?}"));
        let keys = format!("mixer = 'attention'\nconv = {conv}\n{rope}");
        let (model, params) = perturbed(&small(&keys, ""));
        let naive = Attention {
            heads: HEADS,
            base: base.unwrap_or(10_000.0),
        };
        let (rows, x) = features(6, 1.5);
        for layer in 0..2 {
            let Mixer::Attention(mixer) = model.blocks()[layer].mixer() else {
                panic!("the mixer is attention");
            };
            let name = format!("blocks.{layer}.mixer");
            let expected = rows.iter().map(|x| naive.forward(&params, &name, x));
            let (got, _) = mixer.forward(x.clone(), None);
            let what = format!("layer {layer}, conv {conv}, base {base:?}");
            assert_close(&what, got, &expected.collect::<Vec<_>>());
        }
    }
}

const ATTENTION: naive::Mixer = naive::Mixer::Attention(Attention {
    heads: HEADS,
    base: 10_000.0,
});

#[test]
fn a_block_adds_mixer_and_swiglu_behind_their_norms() {
    for (keys, axes, mixer) in [
        ("mixer = 'attention'", "", ATTENTION),
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
            ("mixer = 'attention'", "", ATTENTION),
            ("", LINEAR_TITANS, naive::Mixer::Memory(TITANS)),
        ] {
            let keys = format!("{keys}\ntie_head = {tied}");
            let (model, params) = perturbed(&small(&keys, axes));
            assert_eq!(params.find("head.weight").is_none(), tied);
            let expected = (text.chunks(t))
                .map(|text| naive::logits(mixer, &params, 2, DIM, text))
                .collect::<Vec<_>>();
            let got = model.forward(tokens.clone(), None, Pass::default()).logits;
            assert_close(&keys, got, &expected);
        }
    }
}

/// The value a gate of a part is documented to start with: that of the key which stands for
/// it, or else what its map makes of the bias that the part asks for.
fn documented_start(gate: &GateSpec, config: &toml::Table) -> f64 {
    let key = |name: &str| config.get(name).and_then(toml::Value::as_float);
    let fixed = config.get("step").and_then(toml::Value::as_str) == Some("fixed");
    let documented = match gate.name {
        RETENTION => key("decay"),
        MOMENTUM => key("momentum"),
        THRESHOLD => key("delta"),
        STEP if fixed => key("step_max"),
        STEP => key("step_max").map(|max| max * sigmoid(-2.0)),
        _ => None,
    };
    documented.unwrap_or_else(|| {
        let bias = Tensor::from_data(TensorData::new(vec![gate.bias], [1; 4]), &Device::flex());
        value_of(gate, numbers(gate.map.apply(bias, None))[0])
    })
}

/// What a gate kept as a logarithm stands for, and others as they are.
fn value_of(gate: &GateSpec, kept: f64) -> f64 {
    match (gate.map, gate.name) {
        (GateMap::LogSigmoid | GateMap::DecayRate, _)
        | (GateMap::Constant(_), RETENTION | MOMENTUM) => kept.exp(),
        _ => kept,
    }
}

/// A gate's value for each head where the input is 0, in a model just built.
fn start(spec: &GateSpec, params: &Params, at: &mut usize, rate: &mut usize) -> Vec<f64> {
    let mixer = "blocks.0.mixer";
    let shape = [1, HEADS, 1, 1];
    let tensor = |values: &[f64]| {
        let data = TensorData::new(values.to_vec(), shape).convert::<f32>();
        Tensor::<4>::from_data(data, &Device::flex())
    };
    let z = if spec.map.is_projected() {
        *at += HEADS;
        let biases = params.get(&format!("{mixer}.gates.bias"));
        tensor(&biases[*at - HEADS..*at])
    } else {
        tensor(&[0.3; HEADS])
    };
    let rates = spec.map.has_rate().then(|| {
        *rate += 1;
        tensor(params.get(&format!("{mixer}.rates.{}", *rate - 1)))
    });
    (numbers(spec.map.apply(z, rates)).into_iter())
        .map(|kept| value_of(spec, kept))
        .collect()
}

#[test]
fn gates_of_all_parts_start_where_their_settings_say() {
    let mut seen = BTreeMap::new();
    for axis in [Axis::Bias, Axis::Retention, Axis::Algorithm] {
        for part in Registry::builtin().parts(axis) {
            for variant in [""].iter().chain(part.variants) {
                let mut axes = format!("[{}]\nkind = '{}'\n{variant}\n", axis.table(), part.kind);
                axes += "[memory]\nkind = 'matrix'\n";
                let spec = small("", &axes);
                let rule = &spec.choice.as_ref().unwrap().rule;
                let groups = [
                    (Axis::Bias, rule.bias.gates(), rule.bias.config()),
                    (
                        Axis::Retention,
                        rule.retention.gates(),
                        rule.retention.config(),
                    ),
                    (
                        Axis::Algorithm,
                        rule.algorithm.gates(),
                        rule.algorithm.config(),
                    ),
                ];
                let (_, params) = initial(&spec);
                let (mut at, mut rate) = (0, 0);
                for (owner, gates, config) in groups {
                    for gate in gates {
                        let expected = documented_start(&gate, &config);
                        for value in start(&gate, &params, &mut at, &mut rate) {
                            assert!(
                                (value / expected - 1.0).abs() < 2e-6,
                                "{} of {axes}: {value}, not {expected}",
                                gate.name
                            );
                        }
                        if owner == axis && variant.is_empty() {
                            seen.insert(format!("{} {}", part.kind, gate.name), expected);
                        }
                    }
                }
            }
        }
    }
    let step = sigmoid(-2.0);
    for (gate, expected) in [
        ("huber threshold", 1.0),
        ("l2 retention", 0.993),
        ("gd step", step),
        ("momentum step", step),
        ("momentum momentum", 0.5),
    ] {
        assert_eq!(seen.get(gate), Some(&expected), "{gate}");
    }
    assert!((step - 0.119_202_922_022_117_55).abs() < 1e-12);
}

/// A gate that starts at 0.993 whichever way it is mapped.
#[test]
fn retention_starts_at_the_same_decay_as_sigmoid_and_as_rate() {
    for gate in ["sigmoid", "rate"] {
        let axes = format!("[retention]\nkind = 'l2'\ngate = '{gate}'\n");
        let spec = small("", &axes);
        let retention = &spec.choice.as_ref().unwrap().rule.retention;
        let (_, params) = initial(&spec);
        let (mut at, mut rate) = (0, 0);
        for value in start(&retention.gates()[0], &params, &mut at, &mut rate) {
            assert!((value - 0.993).abs() < 1e-6, "{gate}: {value}");
        }
    }
}

const WIDE: usize = 64;

fn wide(keys: &str) -> Params {
    initial(&spec(&format!("[model]\ndim = {WIDE}\n{keys}"))).1
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Each of `values` is within `bound` of `center`, and they fill that range.
fn assert_uniform(what: &str, values: &[f64], center: f64, bound: f64) {
    let worst = values
        .iter()
        .fold(0.0_f64, |a, x| a.max((x - center).abs()));
    assert!(worst <= bound * 1.0001, "{what} strays by {worst}");
    assert!(worst > 0.8 * bound, "{what} strays by {worst} alone");
    let off = (mean(values) - center).abs();
    assert!(off < 0.3 * bound, "{what} is off by {off} on average");
}

#[test]
fn recall_starts_keys_like_queries_and_convolutions_near_the_identity() {
    for mixer in ["memory", "attention"] {
        let params = wide(&format!("mixer = '{mixer}'\ninit = 'recall'"));
        for layer in 0..4 {
            let name = format!("blocks.{layer}.mixer");
            let weight = |which: &str| params.get(&format!("{name}.{which}.weight"));
            assert_eq!(weight("q"), weight("k"), "{name}");
            assert_ne!(weight("q"), weight("v"), "{name}");
            assert_uniform(&name, weight("q"), 0.0, (WIDE as f64).sqrt().recip());
            for (on, previous) in [0.0, 0.7, 0.0].into_iter().enumerate() {
                let taps = params.get(&format!("{name}.convs.{on}.taps"));
                assert_eq!(taps.len(), 4 * WIDE);
                for (tap, center) in [1.0, previous, 0.0, 0.0].into_iter().enumerate() {
                    let what = format!("{name}, convolution {on}, tap {tap}");
                    assert_uniform(&what, &taps[tap * WIDE..][..WIDE], center, 0.15);
                }
            }
        }
    }
}

#[test]
fn standard_starts_everything_apart() {
    for mixer in ["memory", "attention"] {
        let params = wide(&format!("mixer = '{mixer}'\ninit = 'standard'"));
        let mut drawn = Vec::new();
        for layer in 0..4 {
            let name = format!("blocks.{layer}.mixer");
            for which in ["q", "k", "v", "output"] {
                let weight = params.get(&format!("{name}.{which}.weight"));
                let what = format!("{name}.{which}");
                assert_uniform(&what, weight, 0.0, (WIDE as f64).sqrt().recip());
                drawn.push(weight);
            }
            for on in 0..3 {
                let taps = params.get(&format!("{name}.convs.{on}.taps"));
                assert_uniform(&format!("{name}, convolution {on}"), taps, 0.0, 0.5);
                drawn.push(taps);
            }
        }
        for (at, one) in drawn.iter().enumerate() {
            assert!(!drawn[..at].contains(one), "two parameters are equal");
        }
    }
}

#[test]
fn the_rest_starts_at_its_documented_spread() {
    let params = wide("");
    let deviation = |values: &[f64]| mean(&values.iter().map(|x| x * x).collect::<Vec<_>>()).sqrt();
    let embedding = deviation(params.get("embedding"));
    assert!((embedding - 1.0).abs() < 0.1, "{embedding}");
    for (name, values) in &params.0 {
        if name.ends_with("gates.weight") {
            let found = deviation(values);
            assert!((found / 0.02 - 1.0).abs() < 0.1, "{name}: {found}");
        } else if name.ends_with("gamma") || name.contains("gains") {
            assert!(values.iter().all(|x| (x - 1.0).abs() < 1e-9), "{name}");
        }
    }
}
