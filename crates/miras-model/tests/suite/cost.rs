//! What is counted from a configuration against what is built from it.

use std::sync::Arc;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use miras_config::{ConfigError, Layers};
use miras_core::{
    Axis, Factor, GainSpec, MapSpec, Maps, MemoryArchitecture, Program, ProgramError, table_of,
};
use miras_engine::Form;
use miras_model::{LanguageModel, MixerSpec, ModelSpec, Pass, cost};
use miras_registry::{Choice, Registry};

use crate::model::{preset, presets, random_bytes, tokens};

const VOCAB: usize = 256;
const CHUNK: usize = 4;

/// A small model, its tables on top of `text`.
fn spec(text: &str) -> Result<ModelSpec, ConfigError> {
    let mut layers = Layers::new();
    layers.text("case", text)?;
    for set in ["model.dim=12", "mixer.heads=2", "model.layers=2"] {
        layers.set(set)?;
    }
    ModelSpec::take(&mut layers.merge()?, &Registry::builtin())
}

/// Every variant of every part, on a matrix and on a deep memory, by two algorithms; combinations that are refused
/// are left out.
fn variants() -> Vec<(String, ModelSpec)> {
    let mut found = Vec::new();
    for axis in Axis::ALL {
        for part in Registry::builtin().parts(axis) {
            let before = found.len();
            for variant in part.variants {
                for (memory, algorithm) in [
                    ("matrix", "momentum"),
                    ("mlp", "momentum"),
                    ("matrix", "gd"),
                    ("mlp", "gd"),
                ] {
                    let table = axis.table();
                    let own = format!("[{table}]\nkind = '{}'\n{variant}\n", part.kind);
                    let algorithm = match axis {
                        Axis::Algorithm => String::new(),
                        _ => format!("[algorithm]\nkind = '{algorithm}'\n"),
                    };
                    let memory = match axis {
                        Axis::Memory => String::new(),
                        _ => format!("[memory]\nkind = '{memory}'\n"),
                    };
                    let text = format!("{memory}{own}{algorithm}chunk = 4\n");
                    found.extend(spec(&text).map(|spec| (text, spec)));
                }
            }
            assert!(found.len() > before, "no case has {axis:?} {}", part.kind);
        }
    }
    found
}

/// Keys of the layers and of the form.
fn others() -> Vec<(String, ModelSpec)> {
    let memory = |settings: &str| format!("[algorithm]\nchunk = 4\n{settings}");
    let mut texts: Vec<String> = [
        "[mixer]\nconv = 0",
        "[mixer]\nconv = 1",
        "[mixer]\nconv_activation = 'none'",
        "[model]\ntie_head = false",
        "[model]\nffn_dim = 5",
        "[memory]\ndim = 3",
        "[memory]\nkind = 'matrix'\nvalue_dim = 4",
        "[memory]\nresidual = false\nvalue_dim = 4\n[mixer]\nkey_heads = 1",
        "[mixer]\nkey_heads = 1\nqk_norm = 'rms'\noutput_norm = 'none'",
        "[mixer]\nvalue_heads = 1\nqk_norm = 'none'\noutput_gate = 'sigmoid'",
        "[mixer]\noutput_gate = 'none'",
        "[memory]\nkind = 'matrix'\nstart = 'zero'",
        "picard = 2",
        "[retention]\nkind = 'kl'",
        "read = 'stale'",
        "state_cap = 1.0",
    ]
    .map(memory)
    .into();
    for depth in 1..=4 {
        for (norm, residual) in [(false, false), (true, false), (false, true), (true, true)] {
            texts.push(memory(&format!(
                "[memory]\ndepth = {depth}\nexpansion = 2\nnorm = {norm}\nresidual = {residual}"
            )));
        }
    }
    for attention in [
        "",
        "conv = 0",
        "conv_activation = 'silu'",
        "[model]\ntie_head = false",
        "key_heads = 1\nvalue_heads = 1",
        "qk_norm = 'rms'\noutput_norm = 'rms'\noutput_gate = 'silu'",
    ] {
        texts.push(format!("[mixer]\nkind = 'attention'\n{attention}"));
    }
    (texts.into_iter())
        .map(|text| {
            let spec = spec(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
            (text, spec)
        })
        .collect()
}

fn cases() -> Vec<(String, ModelSpec)> {
    let mut all = variants();
    all.extend(others());
    all.extend(crate::contract::specs());
    all.push(("a memory of these tests".into(), with_a_new_memory()));
    all
}

#[derive(Default)]
struct Counted {
    path: Vec<String>,
    memory: usize,
}

impl ModuleVisitor for Counted {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self
            .path
            .iter()
            .any(|part| ["initial", "gains", "feature_maps", "feature_gains"].contains(&&**part))
        {
            self.memory += param.dims().iter().product::<usize>();
        }
    }
}

#[track_caller]
fn assert_parameters(name: &str, spec: &ModelSpec, vocab: usize) {
    let model = LanguageModel::new(spec, vocab, 1, &Device::flex());
    let mut counted = Counted::default();
    model.visit(&mut counted);
    let estimated = cost::parameters(spec, vocab);
    assert_eq!(estimated.all, model.num_params(), "{name}");
    assert_eq!(estimated.memory, counted.memory, "{name}");
}

#[test]
fn parameters_are_those_of_the_built_model() {
    for (name, spec) in cases() {
        assert_parameters(&name, &spec, 17);
    }
    for name in presets() {
        assert_parameters(&name, &preset(&name, &[]), VOCAB);
        let large = format!("30m/{name}");
        assert_parameters(&large, &preset(&large, &[]), VOCAB);
    }
}

#[test]
fn fast_weights_are_the_weights_of_the_state() {
    let deep = spec("[memory]\ndepth = 3\nexpansion = 2\n[algorithm]\nkind = 'gd'").unwrap();
    let parameters = cost::parameters(&deep, VOCAB);
    // Two layers of two heads of width 6, with maps 6 x 12, 12 x 12 and 12 x 6.
    assert_eq!(parameters.fast, 2 * 2 * (72 + 144 + 72));
    // Beside them the gain of the norm that depth 3 has.
    assert_eq!(parameters.memory, parameters.fast + 2 * 2 * 6);
    let zero = spec("[memory]\nkind = 'matrix'\nstart = 'zero'").unwrap();
    let parameters = cost::parameters(&zero, VOCAB);
    assert_eq!((parameters.fast, parameters.memory), (2 * 2 * 36, 0));
}

/// Numbers in the state of a model after so many tokens.
fn held(model: &LanguageModel, length: usize) -> usize {
    let text = tokens(&random_bytes(length, 1), 1, &Device::flex());
    model.forward(text, None, Pass::default()).state.size()
}

#[test]
fn states_are_those_of_the_built_model_at_their_largest() {
    for (name, spec) in cases() {
        let model = LanguageModel::new(&spec, VOCAB, 1, &Device::flex());
        let size = cost::state(&spec);
        let beyond = (1..=2 * CHUNK).map(|length| held(&model, length) - size.per_token * length);
        assert_eq!(beyond.max(), Some(size.fixed), "{name}");
    }
}

/// Through a bottleneck of one feature, with a gain, by hand: a part that no other crate knows.
#[derive(Debug, serde::Serialize)]
struct Bottleneck {}

impl MemoryArchitecture for Bottleneck {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let maps = [(d_k, 1), (1, d_v)].map(|(d_in, d_out)| MapSpec {
            name: format!("from_{d_in}"),
            d_in,
            d_out,
            rows: 1,
        });
        let gain = GainSpec {
            name: "gain".into(),
            d: d_v,
            initial: 1.0,
        };
        Ok(Program::by_hand(d_k, d_v, maps.into(), vec![gain]))
    }

    fn forward(&self, _: &Program, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        maps.apply(1, maps.apply(0, x)) * maps.gain(0)
    }

    fn factors(
        &self,
        _: &Program,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let narrow = maps.apply(0, keys.clone());
        let y = maps.apply(1, narrow.clone()) * maps.gain(0);
        let d = output_gradient(y) * maps.gain(0);
        let back = maps.apply_transposed(1, d.clone());
        vec![Factor { x: keys, d: back }, Factor { x: narrow, d }]
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

fn choice(spec: &mut ModelSpec) -> &mut Choice {
    let MixerSpec::Memory(spec) = &mut spec.mixer else {
        panic!("the model has no memory");
    };
    &mut spec.choice
}

fn with_a_new_memory() -> ModelSpec {
    let mut spec = spec("[algorithm]\nchunk = 4").unwrap();
    let choice = choice(&mut spec);
    choice.rule.memory = Arc::new(Bottleneck {});
    spec
}

#[test]
fn the_products_of_a_new_memory_follow_from_its_maps() {
    let mut spec = with_a_new_memory();
    let narrow = cost::flops(&spec, 0, CHUNK);
    let choice = choice(&mut spec);
    choice.rule.settings.form = Form::chunk_start(choice.rule.settings.read());
    let uncapped = cost::flops(&spec, 0, CHUNK);
    // Two layers of two heads: products of the last map's input, width 1, and with the steps.
    let cap = 2.0 * 2.0 * 2.0 * (16.0 + 16.0);
    let expected = (uncapped.forward + cap, uncapped.backward + 2.0 * cap);
    assert_eq!((narrow.forward, narrow.backward), expected);
}
