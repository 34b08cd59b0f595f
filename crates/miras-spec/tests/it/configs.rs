//! Configurations of a size for tests. The tests of the trainer read this file as well.

use miras_config::Layers;
use miras_registry::Registry;
use miras_spec::RunConfig;

/// One memory layer; every step is logged.
pub(crate) const MEMORY: &str = "
[model]
dim = 16
layers = 1
ffn_dim = 16
[mixer]
heads = 2
[algorithm]
chunk = 8
[data]
seq_len = 32
[train]
steps = 4
batch = 2
[optim]
warmup = 2
decay_steps = 30
[eval]
every = 0
tokens = 64
[checkpoint]
every = 0
[log]
every = 1
histograms = 0
";

/// The same with attention.
pub(crate) const ATTENTION: &str = "
[model]
dim = 16
layers = 2
ffn_dim = 16
[mixer]
kind = 'attention'
heads = 2
[data]
seq_len = 32
[train]
steps = 4
batch = 2
[eval]
every = 0
tokens = 64
[checkpoint]
every = 0
[log]
every = 1
histograms = 0
";

/// Associative recall with the memory of [`MEMORY`].
pub(crate) const RECALL: &[&str] =
    &["data={ kind = 'mqar', vocab = 32, seq_len = 32, pairs = 2, gap = 4, queries = 2 }"];

pub(crate) fn layers(text: &str, sets: &[&str]) -> Layers {
    let mut layers = Layers::new();
    layers.text("test.toml", text).unwrap();
    for set in sets {
        layers.set(set).unwrap();
    }
    layers
}

pub(crate) fn config(text: &str, sets: &[&str]) -> RunConfig {
    match RunConfig::load(layers(text, sets), &Registry::builtin()) {
        Ok((config, _)) => config,
        Err(error) => panic!("{sets:?}\n{error}"),
    }
}
