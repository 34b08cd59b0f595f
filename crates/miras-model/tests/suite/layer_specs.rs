//! `[[layers]]`: layers with a memory of their own.

use burn::tensor::{Device, Int, Tensor};
use miras_config::Layers;
use miras_core::Axis;
use miras_model::{LanguageModel, ModelSpec, Pass, cost};
use miras_registry::Registry;

const MODEL: &str = "
[model]
dim = 12
heads = 2
layers = 4
ffn_dim = 20
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
    let kinds = |layer: usize| Axis::ALL.map(|axis| spec.choice_of(layer).unwrap().kind(axis));
    assert_eq!(kinds(0), ["mlp", "l2", "l2", "momentum"]);
    assert_eq!(kinds(1), ["matrix", "l2", "l2", "gd"]);
    assert_eq!([kinds(2), kinds(3)], [kinds(0), kinds(1)]);
    let chunk = |layer: usize| spec.choice_of(layer).unwrap().rule.settings.chunk;
    assert_eq!([0, 1, 2, 3].map(chunk), [4, 8, 4, 8]);
}

/// Keys that all kinds have stay those of the model; defaults that follow from a memory follow
/// from the layer's own.
#[test]
fn an_entry_inherits_what_it_does_not_say() {
    let entry = "[[layers]]\nat = [2]\nmemory = { kind = 'mlp', depth = 3, expansion = 1 }\n";
    let spec = take(entry).unwrap();
    let own = spec.choice_of(2).unwrap();
    assert_eq!(own.rule.settings.chunk, 4);
    let step_max =
        |layer: usize| spec.choice_of(layer).unwrap().rule.algorithm.config()["step_max"].clone();
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
    ] {
        let error = take(entry).unwrap_err();
        assert!(error.contains(expected), "{entry}: {error}");
    }
}
