//! Small runs to use.

use miras_registry::Registry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miras_config::Layers;
use miras_log::{Console, ProgressMode};
use miras_spec::RunConfig;
use miras_trainer::{Outcome, RunRequest};
use miras_use::{At, Trained};
use tempfile::TempDir;

/// One memory layer on the built-in corpus.
pub(crate) const MEMORY: &str = "
[model]
dim = 16
layers = 2
ffn_dim = 16
[mixer]
heads = 2
[algorithm]
chunk = 8
[data]
seq_len = 40
[train]
steps = 3
batch = 3
[optim]
warmup = 1
[eval]
every = 0
tokens = 240
[log]
histograms = 0
";

/// Associative recall with it.
pub(crate) const RECALL: &str =
    "data={ kind = 'mqar', vocab = 32, seq_len = 48, pairs = 4, gap = 4, queries = 2 }";

/// A folder of runs.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Trains.
    pub(crate) fn train(&self, name: &str, config: RunConfig) -> Outcome {
        let request = RunRequest {
            runs: self.path().to_owned(),
            name: Some(name.to_owned()),
            stem: name.to_owned(),
            resume: None,
            device: None,
            progress: ProgressMode::Quiet,
            console: Console::writer(io::sink()),
            stop: Arc::default(),
            resume_command: String::new(),
            built_from: None,
        };
        miras_trainer::run(config, request).unwrap()
    }

    pub(crate) fn open(&self, name: &str) -> Trained {
        Trained::open(&Registry::builtin(), self.path(), name, At::Latest, None).unwrap()
    }

    /// A run like [`MEMORY`] with attention, trained and opened.
    pub(crate) fn attention(&self, name: &str) -> (Trained, Outcome) {
        let mut layers = Layers::new();
        let text = MEMORY.replace("[algorithm]\nchunk = 8\n", "");
        layers.text("test.toml", &text).unwrap();
        let outcome = self.train(name, load(layers, &["mixer.kind=attention"]));
        (self.open(name), outcome)
    }

    /// A run of [`MEMORY`] with changes, trained and opened.
    pub(crate) fn trained(&self, name: &str, sets: &[&str]) -> (Trained, Outcome) {
        let outcome = self.train(name, config(sets));
        (self.open(name), outcome)
    }
}

pub(crate) fn config(sets: &[&str]) -> RunConfig {
    let mut layers = Layers::new();
    layers.text("test.toml", MEMORY).unwrap();
    load(layers, sets)
}

fn load(mut layers: Layers, sets: &[&str]) -> RunConfig {
    for set in sets {
        layers.set(set).unwrap();
    }
    match RunConfig::load(layers, &Registry::builtin()) {
        Ok((config, _)) => config,
        Err(error) => panic!("{error}"),
    }
}

/// The presets by name, shrunk, one step of training each.
pub(crate) fn presets() -> Vec<(String, RunConfig)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/presets");
    let mut files: Vec<PathBuf> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files.iter().map(|path| small(path)).collect()
}

fn small(path: &Path) -> (String, RunConfig) {
    let layers = || {
        let mut layers = Layers::new();
        layers.file(path).unwrap();
        layers
    };
    let has_memory = load(layers(), &[]).model.has_memory();
    // Entries of a hybrid name its layers.
    let is_hybrid = std::fs::read_to_string(path)
        .unwrap()
        .contains("[[layers]]");
    let layers_set = if is_hybrid {
        "model.layers=4"
    } else {
        "model.layers=2"
    };
    let mut sets = vec![
        "model.dim=16",
        "model.ffn_dim=16",
        layers_set,
        "mixer.heads=2",
        "data={ kind = 'builtin', seq_len = 20 }",
        "train.batch=2",
        "train.steps=1",
        "eval.tokens=40",
        "log.histograms=0",
    ];
    if has_memory {
        sets.push("algorithm.chunk=8");
    }
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    (name, load(layers(), &sets))
}

/// Bytes of the built-in corpus' kind.
pub(crate) fn text(count: usize) -> Vec<i32> {
    let words = b"Mara has a red kite. Tom keeps nine small stones in a box under the stairs. ";
    (words.iter().cycle().take(count))
        .map(|byte| i32::from(*byte))
        .collect()
}

#[track_caller]
pub(crate) fn assert_near(a: f64, b: f64, tolerance: f64) {
    assert!(
        (a - b).abs() <= tolerance,
        "{a} and {b} differ by {}",
        a - b
    );
}
