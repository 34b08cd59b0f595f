//! Queries that are keys, against queries of their own with the weights of keys.

use burn::tensor::{Device, Tensor, TensorData};
use miras_config::Layers;
use miras_model::{InitKind, LanguageModel, ModelSpec, Pass, TokenMixer};
use miras_registry::Registry;

use crate::naive::Params;
use crate::small::{
    BATCH, DIM, features, gradients_of, initial, noise, numbers, perturbed, small,
    with_parameters_on,
};

const TOKENS: usize = 9;

/// A deep memory whose tokens write under their own keys.
const DEEP: &str = "[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 4\n";

/// Features, an erase key, and keys of the token before.
const SHIFTED: &str = "[memory]\nkind = 'mlp'\nlearn = 'last'\n[bias]\nkind = 'erase'\n\
    target = 'next'\n[algorithm]\nkind = 'gd'\nchunk = 4\n";

/// Keys of `[mixer]` and other tables, with as many writes a token.
const CASES: [(&str, &str, usize); 8] = [
    ("", DEEP, 1),
    ("conv = 0\npolynomial = 2\nkey_heads = 1", DEEP, 1),
    (
        "qk_norm = 'rms'",
        "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[algorithm]\nchunk = 4\n",
        1,
    ),
    ("writes = 2\npersistent = 1", SHIFTED, 2),
    ("kind = 'mac'\nsegment = 4\nwrites = 2", DEEP, 2),
    ("kind = 'mag'", DEEP, 1),
    ("kind = 'mal'\nconv = 1", SHIFTED, 1),
    ("kind = 'tnt'\nlocal_chunks = [2]\nshard = 4", SHIFTED, 1),
];

/// The memory whose keys are read with, in a layer.
fn reader(params: &Params, layer: usize) -> String {
    let of_layer = format!("blocks.{layer}.");
    let mut found = (params.0.keys())
        .filter(|name| name.starts_with(&of_layer))
        .filter_map(|name| name.strip_suffix(".k.weight"))
        .filter(|prefix| params.find(&format!("{prefix}.q.weight")).is_none());
    let reader = found.next().expect("a memory reads with its keys");
    assert!(found.next().is_none(), "there is one memory a layer");
    reader.to_owned()
}

/// A parameter of that memory, the names that it has where queries are projected, and its rows.
struct Shared {
    here: String,
    as_key: String,
    /// That of the queries, where there is one.
    as_query: Option<String>,
    rows: usize,
    /// Whether the columns of several writes lie side by side.
    of_writes: bool,
}

fn shared(params: &Params, layer: usize) -> Vec<Shared> {
    let reader = reader(params, layer);
    let name = |what: &str| format!("{reader}.{what}");
    let parameter = |here, as_key, as_query: Option<&str>, rows, of_writes| Shared {
        here: name(here),
        as_key: name(as_key),
        as_query: as_query.map(name),
        rows,
        of_writes,
    };
    let columns = params.get(&name("k.weight")).len() / DIM;
    let mut found = vec![parameter(
        "k.weight",
        "k.weight",
        Some("q.weight"),
        DIM,
        true,
    )];
    if let Some(taps) = params.find(&name("convs.0.taps")) {
        let rows = taps.len() / columns;
        let [q, k, v] = ["convs.0.taps", "convs.1.taps", "convs.2.taps"];
        found.push(parameter(q, k, Some(q), rows, true));
        found.push(parameter(k, v, None, rows, false));
    }
    if params.find(&name("k_norm.gamma")).is_some() {
        let [q, k] = ["q_norm.gamma", "k_norm.gamma"];
        found.push(parameter(k, k, Some(q), 1, false));
    }
    found
}

impl Shared {
    /// Columns of the last write, where those of several lie side by side.
    fn last(&self, values: &[f64], writes: usize) -> Vec<f64> {
        let columns = values.len() / self.rows;
        let from = if self.of_writes {
            columns - columns / writes
        } else {
            0
        };
        let rows = values.chunks(columns);
        rows.flat_map(|row| row[from..].to_vec()).collect()
    }

    /// `own`, and `more` in those columns.
    fn sum(&self, own: &[f64], more: &[f64]) -> Vec<f64> {
        let [columns, added] = [own, more].map(|values| values.len() / self.rows);
        let mut sum = own.to_vec();
        for (row, more) in sum.chunks_mut(columns).zip(more.chunks(added)) {
            for (sum, more) in row[columns - added..].iter_mut().zip(more) {
                *sum += more;
            }
        }
        sum
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |a, x| a.max(x.abs()))
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], truth: &[f64]) {
    assert_eq!(found.len(), truth.len(), "{what}");
    let gaps: Vec<f64> = found.iter().zip(truth).map(|(a, b)| a - b).collect();
    let (gap, size) = (largest(&gaps), largest(truth));
    assert!(gap <= 1e-4 * size, "{what}: {gap:e} of {size:e}");
}

/// What a layer gives, and the gradients of its parameters and at its input.
fn run(model: &LanguageModel, layer: usize, device: &Device) -> (Vec<f64>, Params, Vec<f64>) {
    let x = Tensor::<3>::from_data(features(TOKENS, 1.5).1.into_data(), device).require_grad();
    let mixer = model.blocks()[layer].mixer();
    let (y, _, _) = mixer.forward(x.clone(), None, Pass::default());
    let weights = noise("loss", BATCH * TOKENS * DIM, 1.0);
    let weights = TensorData::new(weights, y.dims()).convert::<f32>();
    let loss = (y.clone() * Tensor::from_data(weights, device)).sum();
    let gradients = loss.backward();
    let at_input = numbers(x.grad(&gradients).unwrap());
    (
        numbers(y.inner()),
        gradients_of(model, &gradients),
        at_input,
    )
}

/// Outputs are those of a layer whose queries have the weights of keys, those of the last write, and
/// the gradient of what both have is the sum of its gradients.
#[test]
fn queries_that_are_keys_are_queries_with_the_weights_of_keys() {
    let device = Device::flex().autodiff();
    for (keys, tables, writes) in CASES {
        let spec = small(&format!("query = 'keys'\n{keys}"), tables);
        let (_, params) = perturbed(&spec);
        let mut copies = Params(params.0.clone());
        for shared in (0..2).flat_map(|layer| shared(&params, layer)) {
            let values = params.get(&shared.here);
            copies.0.insert(shared.as_key.clone(), values.to_vec());
        }
        for shared in (0..2).flat_map(|layer| shared(&params, layer)) {
            if let Some(query) = &shared.as_query {
                let values = shared.last(params.get(&shared.here), writes);
                copies.0.insert(query.clone(), values);
            }
        }
        let own = with_parameters_on(&device, &small(keys, tables), &copies);
        let model = with_parameters_on(&device, &spec, &params);
        for layer in 0..2 {
            let what = format!("{keys:?}, layer {layer}");
            let (found, gradients, at_input) = run(&model, layer, &device);
            let (truth, of_own, at_input_of_own) = run(&own, layer, &device);
            assert_close(&what, &found, &truth);
            assert_close(&format!("{what}, input"), &at_input, &at_input_of_own);
            let shared = shared(&params, layer);
            for (name, gradient) in &gradients.0 {
                let truth = match shared.iter().find(|shared| shared.here == *name) {
                    None => of_own.get(name).to_vec(),
                    Some(shared) => {
                        let own = of_own.get(&shared.as_key);
                        let Some(query) = &shared.as_query else {
                            assert_close(&format!("{what}, {name}"), gradient, own);
                            continue;
                        };
                        let more = of_own.get(query);
                        let part = largest(more) / largest(own);
                        assert!(part > 1e-2, "{what}, {name}: queries are {part} of it");
                        shared.sum(own, more)
                    }
                };
                assert_close(&format!("{what}, {name}"), gradient, &truth);
            }
        }
    }
}

/// A run with such queries and one with others begin with the same keys.
#[test]
fn keys_start_as_they_do_beside_queries() {
    for start in [InitKind::Recall, InitKind::Standard] {
        let of = |keys: &str| {
            let mut spec = small(keys, DEEP);
            spec.config.init = start;
            initial(&spec).1
        };
        let (keyed, projected) = (of("query = 'keys'"), of(""));
        for shared in (0..2).flat_map(|layer| shared(&keyed, layer)) {
            let [here, there] = [keyed.get(&shared.here), projected.get(&shared.as_key)];
            assert!(here == there, "{start:?}: {}", shared.here);
        }
    }
}

#[test]
fn keys_and_queries_that_cannot_be_are_refused() {
    let complement = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nchannels = 'key'\n\
         [algorithm]\nkind = 'gd'";
    for (keys, tables, key, why) in [
        (
            "query = 'keys'\nkind = 'attention'",
            "",
            "(mixer.query)",
            "mixer.query is of memories",
        ),
        (
            "query = 'keys'\nkey = 'complement'\nqk_norm = 'none'",
            complement,
            "(mixer.query)",
            "queries that are keys are those of a projection",
        ),
        // A second key would be 1 - 1: the writes of a token decay once.
        (
            "writes = 2\nkey = 'complement'\nqk_norm = 'none'",
            complement,
            "(mixer.key)",
            "are those of the one write that decays",
        ),
    ] {
        let mut layers = Layers::new();
        let text = format!("[mixer]\n{keys}\n{tables}");
        layers.text("case", &text).unwrap();
        let mut tree = layers.merge().unwrap();
        let error = ModelSpec::take(&mut tree, &Registry::builtin()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(key), "{error}");
        assert!(error.contains(why), "{error}");
    }
}
