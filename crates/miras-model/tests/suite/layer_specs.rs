//! `[[layers]]`: layers with a memory of their own.

use burn::tensor::{Device, Int, Tensor};
use miras_config::Layers;
use miras_core::Axis;
use miras_model::{LanguageModel, MixerSpec, ModelSpec, OutputGate, Pass, QkNorm, cost};
use miras_registry::{Choice, Registry};

const MODEL: &str = "
[model]
dim = 12
layers = 4
ffn_dim = 20
[mixer]
heads = 2
[memory]
kind = 'mlp'
depth = 1
expansion = 1
[algorithm]
chunk = 4
";

fn take(text: &str) -> Result<ModelSpec, String> {
    let mut layers = Layers::new();
    layers
        .text("model.toml", &format!("{MODEL}{text}"))
        .unwrap();
    let mut tree = layers.merge().unwrap();
    let spec = ModelSpec::take(&mut tree, &Registry::builtin());
    match tree.conclude(spec) {
        Ok((spec, _)) => Ok(spec),
        Err(error) => Err(error.to_string()),
    }
}

fn memory_of(spec: &ModelSpec, layer: usize) -> &Choice {
    &spec.mixer_of(layer).memories()[0]
}

const ALTERNATING: &str = "
[[layers]]
at = [1, 3]
memory = { kind = 'matrix', dim = 3, start = 'zero' }
retention = { kind = 'l2', order = 'before' }
algorithm = { kind = 'gd', chunk = 8 }
";

#[test]
fn named_layers_have_parts_of_their_own_and_the_others_the_models() {
    let spec = take(ALTERNATING).unwrap();
    let kinds = |layer: usize| Axis::ALL.map(|axis| memory_of(&spec, layer).kind(axis));
    assert_eq!(kinds(0), ["mlp", "l2", "l2", "momentum"]);
    assert_eq!(kinds(1), ["matrix", "l2", "l2", "gd"]);
    assert_eq!([kinds(2), kinds(3)], [kinds(0), kinds(1)]);
    let chunk = |layer: usize| memory_of(&spec, layer).rule.settings.chunk;
    assert_eq!([0, 1, 2, 3].map(chunk), [4, 8, 4, 8]);
}

/// Keys that all kinds have stay those of the model; defaults that follow from a memory follow
/// from the layer's own.
#[test]
fn an_entry_inherits_what_it_does_not_say() {
    let entry = "[[layers]]\nat = [2]\nmemory = { kind = 'mlp', depth = 3, expansion = 1 }\n";
    let spec = take(entry).unwrap();
    let own = memory_of(&spec, 2);
    assert_eq!(own.rule.settings.chunk, 4);
    let step_max =
        |layer: usize| memory_of(&spec, layer).rule.algorithm.config()["step_max"].clone();
    assert_eq!(step_max(0).as_float(), Some(1.0));
    assert_eq!(step_max(2).as_float(), Some(0.1));
}

#[test]
fn its_tables_read_back_as_the_same_model() {
    let spec = take(ALTERNATING).unwrap();
    let text = toml::to_string(&spec.to_table()).unwrap();
    let mut layers = Layers::new();
    layers.text("stored", &text).unwrap();
    let mut tree = layers.merge().unwrap();
    let again = ModelSpec::take(&mut tree, &Registry::builtin());
    let (again, _) = tree.conclude(again).unwrap();
    assert_eq!(again.to_table(), spec.to_table());
}

#[test]
fn its_parameters_are_counted_as_they_are_built() {
    let spec = take(ALTERNATING).unwrap();
    let device = Device::flex().autodiff();
    let model = LanguageModel::new(&spec, 11, 7, &device);
    let found = burn::module::Module::num_params(&model);
    assert_eq!(cost::parameters(&spec, 11).all, found);

    let tokens = Tensor::<2, Int>::from_data([[1, 5, 3, 2, 8, 5, 3, 9, 1, 5]], &device);
    let out = model.forward(tokens, None, Pass::default());
    assert_eq!(out.logits.dims(), [1, 10, 11]);
}

#[test]
fn a_text_in_two_pieces_is_the_text_in_one() {
    let spec = take(ALTERNATING).unwrap();
    let device = Device::flex();
    let model = LanguageModel::new(&spec, 11, 7, &device);
    let text: Vec<i32> = (0..21).map(|at| at * at % 11).collect();
    let tokens = |range: std::ops::Range<usize>| {
        let (piece, len) = (text[range.clone()].to_vec(), range.len());
        Tensor::<2, Int>::from_data(burn::tensor::TensorData::new(piece, [1, len]), &device)
    };
    let whole = model.forward(tokens(0..21), None, Pass::default()).logits;
    for cut in [1, 4, 6, 8, 13] {
        let first = model.forward(tokens(0..cut), None, Pass::default());
        let second = model.forward(tokens(cut..21), Some(first.state), Pass::default());
        let both = Tensor::cat(vec![first.logits, second.logits], 1);
        let gap = (both - whole.clone()).abs().max().into_scalar::<f32>();
        assert!(gap < 1e-4, "cut at {cut}: {gap}");
    }
}

/// Memories and attention in one model, whichever is the model's own.
const HYBRIDS: [&str; 2] = [
    "
[[layers]]
at = [1, 3]
mixer.kind = 'attention'
attention.rope_base = 100.0
",
    "
[[layers]]
at = [0, 2]
mixer = { kind = 'memory', output_gate = 'sigmoid' }
memory = { kind = 'matrix', start = 'zero' }
algorithm = { kind = 'gd', chunk = 4 }
",
];

/// The models of these: the second is one of attention, which has no tables of memories.
fn hybrid(at: usize) -> ModelSpec {
    let text = if at == 0 {
        format!("{MODEL}{}", HYBRIDS[0])
    } else {
        let (model, _) = MODEL.split_once("[memory]").unwrap();
        format!("{model}kind = 'attention'\nconv = 2\n{}", HYBRIDS[1])
    };
    crate::small::spec(&text)
}

#[test]
fn memories_and_attention_stand_in_one_model() {
    for at in [0, 1] {
        let spec = hybrid(at);
        let kinds = [0, 1, 2, 3].map(|layer| spec.mixer_of(layer).kind());
        assert_eq!(kinds, ["memory", "attention", "memory", "attention"]);
        assert_eq!(spec.memory_layers(), [0, 2]);
        assert_eq!(spec.growing().map(MixerSpec::kind), Some("attention"));
        assert_eq!(spec.memories().map(|(count, _)| count).sum::<usize>(), 2);

        let stored = toml::to_string(&spec.to_table()).unwrap();
        assert_eq!(crate::small::spec(&stored).to_table(), spec.to_table());

        let device = Device::flex();
        let model = LanguageModel::new(&spec, 11, 7, &device);
        let found = burn::module::Module::num_params(&model);
        assert_eq!(cost::parameters(&spec, 11).all, found);
        let text: Vec<i32> = (0..9).map(|at| at * at % 11).collect();
        let data = burn::tensor::TensorData::new(text, [1, 9]);
        let tokens = Tensor::<2, Int>::from_data(data, &device);
        let pass = Pass {
            probe: true,
            ..Pass::default()
        };
        let whole = model.forward(tokens.clone(), None, pass);
        assert_eq!(whole.probes.len(), 2);
        let first = model.forward(tokens.clone().narrow(1, 0, 5), None, Pass::default());
        let second = tokens.narrow(1, 5, 4);
        let second = model.forward(second, Some(first.state), Pass::default());
        let both = Tensor::cat(vec![first.logits, second.logits], 1);
        let gap = (both - whole.logits).abs().max().into_scalar::<f32>();
        assert!(gap < 1e-4, "{gap}");
    }
}

#[test]
fn tables_of_a_mixer_that_is_not_there_are_refused() {
    for (sets, expected) in [
        (
            &["layers.0.mixer.kind=attention", "layers.0.memory.depth=2"][..],
            "a layer with mixer.kind = \"attention\" has no [memory]",
        ),
        (
            &["layers.0.attention.rope_base=10.0"],
            "a layer with mixer.kind = \"memory\" has no [attention]",
        ),
        (
            &["attention.rope_base=10.0", "layers.0.memory.depth=2"],
            "a model with mixer.kind = \"memory\" has no [attention]",
        ),
    ] {
        let mut layers = Layers::new();
        layers.text("model.toml", MODEL).unwrap();
        for set in ["layers.0.at=[1]"].iter().chain(sets) {
            layers.set(set).unwrap();
        }
        let error = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{sets:?}: {error}");
    }
}

/// Of another kind of mixer an entry takes over `heads` and `conv`; of its own kind all keys.
#[test]
fn an_entry_takes_over_the_keys_of_the_mixer() {
    let text = |entry: &str| {
        let bias = "[bias]\nkind = 'dot'\n";
        let text = format!("{MODEL}{bias}[[layers]]\nat = [1]\n{entry}\n");
        text.replace(
            "heads = 2\n",
            "heads = 2\nconv = 2\noutput_gate = 'none'\nqk_norm = 'rms'\n",
        )
    };
    let of = |entry: &str| {
        let spec = crate::small::spec(&text(entry));
        spec.mixer_of(1).keys().clone()
    };
    let model = crate::small::spec(&text("")).mixer.keys().clone();
    assert_eq!(of("memory.depth = 2"), model);
    let own = of("mixer.value_heads = 1");
    assert_eq!(
        (own.value_heads, own.output_gate),
        (Some(1), model.output_gate)
    );
    let other = of("mixer.kind = 'attention'");
    assert_eq!((other.heads, other.conv), (2, 2));
    assert_eq!(
        (other.output_gate, other.qk_norm),
        (OutputGate::None, QkNorm::None)
    );
    let same = of("mixer.kind = 'memory'");
    assert_eq!(
        (same.conv, same.output_gate, same.qk_norm),
        (2, OutputGate::Silu, QkNorm::L2)
    );
}

#[test]
fn what_an_entry_cannot_mean_is_refused_where_it_stands() {
    for (entry, expected) in [
        (
            "[[layers]]\nmemory.kind = 'matrix'\n",
            "`layers.0.at` is missing",
        ),
        (
            "[[layers]]\nat = [4]\n",
            "names layer 4, and the last of model.layers = 4 is 3",
        ),
        ("[[layers]]\nat = []\n", "names no layer"),
        ("[[layers]]\nat = [1, 1]\n", "names layer 1 twice"),
        (
            "[[layers]]\nat = [1]\n[[layers]]\nat = [0, 1]\n",
            "layer 1 is in an earlier entry",
        ),
        (
            "[[layers]]\nat = [1]\nmemory.kind = 'matirx'\n",
            "did you mean `matrix`?",
        ),
        (
            "[[layers]]\nat = [1]\nmemroy.kind = 'matrix'\n",
            "did you mean `memory`?",
        ),
        (
            "[[layers]]\nat = [1]\nmemory.dpeth = 2\n",
            "(layers.0.memory.dpeth)",
        ),
        (
            "[[layers]]\nat = [1]\nmemory.depth = 2\nalgorithm.form = 'exact'\n",
            "(layers.0.algorithm.form)",
        ),
        (
            "[[layers]]\nat = [1]\nbias.kind = 'huber'\nbias.delta = -1\n",
            "(layers.0.bias.delta)",
        ),
        (
            "[[layers]]\nat = [1]\nmixer.kind = 'atention'\n",
            "did you mean `attention`?",
        ),
        (
            "[[layers]]\nat = [1]\nmixer = 'attention'\n",
            "to choose a kind, write `layers.0.mixer.kind = \"attention\"`",
        ),
        (
            "[[layers]]\nat = [1]\nmixer = { kind = 'attention', heads = 4 }\n",
            "rotary encoding needs an even width a head, and 12 / 4 = 3 is odd",
        ),
        (
            "[[layers]]\nat = [1]\nmixer = { kind = 'attention', key_heads = 1 }\n",
            "attention has as many heads of values as of keys, and there are 2 and 1",
        ),
        (
            "[[layers]]\nat = [1]\nmixer.key_heads = 3\n",
            "key_heads must divide mixer.heads = 2",
        ),
        (
            "[[layers]]\nat = [1]\nmixer.heads = 5\n",
            "model.dim = 12 is not a multiple of mixer.heads = 5",
        ),
        (
            "[[layers]]\nat = [1]\nmemory = { kind = 'mlp', residual = true, value_dim = 4 }\n",
            "cannot have keys of 6 features and values of 4",
        ),
    ] {
        let error = take(entry).unwrap_err();
        assert!(error.contains(expected), "{entry}: {error}");
    }
}

/// A pattern is the entries that it stands for.
#[test]
fn a_pattern_names_the_kinds_of_layers_in_turn() {
    let size = "[model]\ndim = 16\nlayers = 5\npattern = ['memory', 'attention', 'memory']\n";
    let tables = "[mixer]\nheads = 2\nconv = 2\nqk_norm = 'rms'\n[memory]\nkind = 'matrix'\n\
        [bias]\nkind = 'dot'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 8\n";
    let spec = crate::small::spec(&format!("{size}{tables}"));
    let kinds: Vec<_> = (0..5).map(|layer| spec.mixer_of(layer).kind()).collect();
    assert_eq!(
        kinds,
        ["memory", "attention", "memory", "memory", "attention"]
    );

    let size = size.replace("pattern = ['memory', 'attention', 'memory']\n", "");
    let memories = tables.split("[attention]").next().unwrap();
    let layers = "[[layers]]\nat = [1, 4]\nmixer.kind = 'attention'\nattention.window = 8\n";
    let entries = crate::small::spec(&format!("{size}{memories}{layers}"));
    assert_eq!(spec.to_table(), entries.to_table());
    let stored = toml::to_string(&spec.to_table()).unwrap();
    assert_eq!(crate::small::spec(&stored).to_table(), spec.to_table());
}

/// An entry of `[[layers]]` comes before the pattern, and `mixer.kind` says which of the pattern's
/// kinds the tables of `[mixer]` are about.
#[test]
fn a_pattern_leaves_entries_as_they_are() {
    let text = "[model]\ndim = 16\nlayers = 4\npattern = ['attention', 'memory']\n\
        [mixer]\nkind = 'memory'\nheads = 2\n[memory]\nkind = 'matrix'\n\
        [[layers]]\nat = [0]\nmixer.kind = 'mal'\nattention.window = 2\n";
    let spec = crate::small::spec(text);
    let kinds: Vec<_> = (0..4).map(|layer| spec.mixer_of(layer).kind()).collect();
    assert_eq!(kinds, ["mal", "memory", "attention", "memory"]);

    // Whatever numbers its entries have, as `--set layers.5.memory.kind=...` gives them.
    let mut layers = Layers::new();
    let text = "model = { dim = 16, layers = 4, pattern = ['memory', 'attention'] }\n\
        mixer.heads = 2\nmemory.kind = 'matrix'\n";
    layers.text("case", text).unwrap();
    for set in ["layers.5.at=[2]", "layers.5.memory.kind=mlp"] {
        layers.set(set).unwrap();
    }
    let spec = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin()).unwrap();
    let kinds = [0, 1, 2, 3].map(|layer| spec.mixer_of(layer).kind());
    assert_eq!(kinds, ["memory", "attention", "memory", "attention"]);
}
