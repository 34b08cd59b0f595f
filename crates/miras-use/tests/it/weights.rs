//! docs/weights.md as a program, `scripts/logits.py`, against this one.
//!
//! Small models that its numbers were made from are committed (`tests/weights`), and compared
//! everywhere. Where Python has numpy the script itself runs as well, on models that are trained
//! here: the presets of today and more.

#![allow(
    clippy::print_stderr,
    reason = "a test that could not run its script says so"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_config::Layers;
use miras_model::{LanguageModel, Pass};
use miras_registry::Registry;
use miras_spec::{RunConfig, Weights};
use miras_use::{Generator, Memory, export};

use crate::support::Bench;

/// Of the largest logit: the script computes in float64, the program in float32.
const TOLERANCE: f64 = 3e-5;
/// Three chunks of eight and part of a fourth, with tokens that come again.
const TOKENS: [i32; 27] = [
    3, 17, 5, 9, 3, 17, 28, 31, 5, 5, 9, 2, 14, 3, 17, 5, 9, 30, 1, 0, 3, 17, 5, 22, 9, 3, 17,
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

const PRESETS: [&str; 6] = [
    "gated-deltanet",
    "memora",
    "moneta",
    "titans-lmm",
    "transformer",
    "yaad",
];

/// A preset on associative recall, small enough to be committed.
fn preset(name: &str, sets: &[&str]) -> RunConfig {
    let load = |sets: &[&str]| {
        let mut layers = Layers::new();
        let path = root().join(format!("configs/presets/{name}.toml"));
        layers.file(&path).unwrap();
        for set in sets {
            layers.set(set).unwrap();
        }
        match RunConfig::load(layers, &Registry::builtin()) {
            Ok((config, _)) => config,
            Err(error) => panic!("{name} {sets:?}\n{error}"),
        }
    };
    let chunk = load(&[]).model.has_memory().then_some("algorithm.chunk=8");
    let small = [
        "model.dim=8",
        "model.ffn_dim=8",
        "model.layers=2",
        "mixer.heads=2",
        "data={ kind = 'mqar', vocab = 32, seq_len = 32, pairs = 2, gap = 4, queries = 2 }",
        "train.batch=4",
        "train.steps=12",
        "train.truncate=0",
        "optim.lr=0.03",
        "optim.warmup=1",
        "eval.every=0",
        "log.histograms=0",
    ];
    let small = small
        .iter()
        .filter(|set| chunk.is_some() || !set.starts_with("train.truncate"));
    load(
        &small
            .copied()
            .chain(chunk)
            .chain(sets.iter().copied())
            .collect::<Vec<_>>(),
    )
}

/// The logits of every position, as the program computes them.
fn logits(model: &LanguageModel) -> Vec<f64> {
    let data = TensorData::new(TOKENS.to_vec(), [1, TOKENS.len()]);
    let tokens = Tensor::<2, Int>::from_data(data, &Device::flex());
    let logits = model.forward(tokens, None, Pass::default()).logits;
    logits.into_data().convert::<f64>().try_into_vec().unwrap()
}

#[track_caller]
fn assert_same(what: &str, program: &[f64], script: &[f64]) {
    assert_eq!(program.len(), script.len(), "{what}");
    let largest = script.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    let pairs = program.iter().zip(script);
    let gap = pairs.fold(0.0_f64, |a, (x, y)| a.max((x - y).abs())) / largest;
    assert!(gap < TOLERANCE, "{what}: {gap:e} of the largest logit");
}

fn flat(json: &str) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_str(json).unwrap();
    rows.concat()
}

/// The tables that say what a model is.
fn tables_of_model(config: &RunConfig) -> String {
    config.model.to_table().to_string()
}

#[test]
fn committed_models_have_the_logits_that_numpy_found() {
    for name in PRESETS {
        let config = assert_logits(name, &folder().join(name));
        assert_eq!(
            tables_of_model(&config),
            tables_of_model(&preset(name, &[])),
            "{name}: the preset has changed; {AGAIN}"
        );
    }
}

/// Checks that a stored model has its stored logits, and gives its configuration.
fn assert_logits(name: &str, folder: &Path) -> RunConfig {
    let mut layers = Layers::new();
    layers.file(&folder.join("config.toml")).unwrap();
    let (config, _) = RunConfig::load(layers, &Registry::builtin())
        .unwrap_or_else(|error| panic!("{name}\n{error}"));
    let weights = Weights::read(folder).unwrap();
    let vocab = weights.vocab().unwrap();
    let model = LanguageModel::new(&config.model, vocab, 1, &Device::flex());
    let model = weights.into_model(model).unwrap();
    let golden = flat(&fs::read_to_string(folder.join("logits.json")).unwrap());
    assert_same(name, &logits(&model), &golden);
    config
}

/// An export of an earlier version, which is never written again: its configuration has an old
/// name of a key and lacks those that came later.
#[test]
fn an_export_of_an_earlier_version_has_the_logits_that_it_had() {
    let folder = folder().join("earlier/titans-lmm");
    let text = fs::read_to_string(folder.join("config.toml")).unwrap();
    assert!(text.contains("\nsweeps = ") && !text.contains("\nquery = "));
    assert_logits("earlier titans-lmm", &folder);
}

/// `format: pt` would say that matrices are `[out, in]`.
#[test]
fn the_file_says_in_which_order_its_matrices_are() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &["train.steps=1"]);
    let bytes = fs::read(&trained.weights).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header["__metadata__"].as_object().unwrap();
    assert_eq!(metadata.len(), 1, "several would be in random order");
    let says = metadata["miras_weights"].as_str().unwrap();
    assert!(says.contains("[in, out]"), "{says}");
}

const AGAIN: &str = "make the files again: cargo test --workspace --test it write_the_committed_models -- --ignored (MIRAS_PYTHON names a Python with numpy)";

/// The Python of `MIRAS_PYTHON`, or `python3`, if it has numpy.
fn python() -> Option<String> {
    let python = std::env::var("MIRAS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python)
        .args(["-c", "import numpy, tomllib"])
        .output();
    let found = output.is_ok_and(|output| output.status.success());
    found.then_some(python)
}

fn run_script(python: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = (Command::new(python).arg(root().join("scripts/logits.py")))
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", folder.display());
    String::from_utf8(output.stdout).unwrap()
}

fn of_script(python: &str, folder: &Path) -> String {
    let tokens = TOKENS.map(|token| token.to_string()).join(",");
    run_script(python, folder, &["--tokens", &tokens, "--json"])
}

/// What the script knows beside the presets.
const MORE: &[(&str, &[&str])] = &[
    (
        "titans-lmm",
        &["algorithm.load_cap=0", "retention.anchored=false"],
    ),
    ("titans-lmm", &["memory.learn=last"]),
    (
        "titans-lmm",
        &["mixer.query=keys", "mixer.qk_norm=rms", "bias.target=next"],
    ),
    ("tnt", &["mixer.query=keys", "mixer.conv=0"]),
    (
        "titans-lmm",
        &[
            "memory.learn=last",
            "memory.start=zero",
            "memory.depth=3",
            "memory.residual=false",
            "memory.norm=false",
            "algorithm.form=chunk_start",
            "mixer.polynomial=3",
        ],
    ),
    ("titans-lmm", &["bias.target=next"]),
    ("tnt", &["mixer.local_chunks=[2,4]", "mixer.shard=12"]),
    (
        "tnt",
        &[
            "mixer.local_chunks=[4]",
            "mixer.local_read=stale",
            "mixer.shard=8",
            "mixer.project_queries=false",
            "retention.kind=l2",
            "algorithm.kind=momentum",
            "algorithm.read=exact",
        ],
    ),
    (
        "continuum",
        &["mixer.local_chunks=[2,4]", "bias.target=next"],
    ),
    ("titans-surprise", &["algorithm.surprise_threshold=0.5"]),
    (
        "yaad",
        &[
            "algorithm.surprise_threshold=0.4",
            "algorithm.surprise_hard=true",
            "algorithm.surprise_average=0",
        ],
    ),
    (
        "gated-deltanet",
        &["bias.target=next", "mixer.conv=0", "mixer.key_heads=1"],
    ),
    ("omeganet", &[]),
    ("omeganet", &["algorithm.momentum=0", "algorithm.window=5"]),
    ("yaad", &["retention.anchored=false"]),
    ("moneta", &["retention.anchored=false"]),
    ("memora", &["retention.anchored=false"]),
    ("titans-lmm", &["mixer.conv=0", "model.tie_head=false"]),
    (
        "titans-lmm",
        &["mixer.conv_activation=none", "memory.dim=3"],
    ),
    ("titans-lmm", &["retention.anchored=true", "memory.depth=3"]),
    (
        "titans-lmm",
        &["memory.activation=relu_squared", "memory.residual=true"],
    ),
    (
        "titans-lmm",
        &["memory.kind=matrix", "algorithm.form=exact"],
    ),
    (
        "titans-lmm",
        &[
            "memory.activation=silu",
            "algorithm.state_cap=0.7",
            "retention.gate=fixed",
        ],
    ),
    (
        "yaad",
        &[
            "bias={ kind = 'huber', scope = 'coordinate', delta = 0.3 }",
            "algorithm.read=stale",
        ],
    ),
    (
        "yaad",
        &[
            "bias={ kind = 'huber' }",
            "algorithm.step=fixed",
            "algorithm.step_max=0.3",
        ],
    ),
    (
        "yaad",
        &["bias={ kind = 'l1' }", "retention={ kind = 'none' }"],
    ),
    ("moneta", &["bias.form=paper", "algorithm.grad_cap=0"]),
    ("moneta", &["retention.q=2.0", "algorithm.read=exact"]),
    ("memora", &["retention.signed=false", "retention.scale=2.5"]),
    ("memora", &["algorithm.read=exact"]),
    (
        "gated-deltanet",
        &["bias={ kind = 'dot' }", "memory.start=learned"],
    ),
    (
        "transformer",
        &["mixer.conv_activation=silu", "attention.rope_base=50"],
    ),
    ("transformer", &["mixer.conv=0", "model.init=standard"]),
    (
        "titans-lmm",
        &[
            "mixer.heads=4",
            "mixer.key_heads=2",
            "mixer.qk_norm=rms",
            "mixer.output_norm=none",
            "mixer.output_gate=sigmoid",
        ],
    ),
    (
        "gated-deltanet",
        &[
            "mixer.heads=4",
            "mixer.key_heads=2",
            "mixer.value_heads=1",
            "memory.value_dim=3",
            "mixer.output_gate=none",
        ],
    ),
    (
        "titans-lmm",
        &[
            "memory.value_dim=3",
            "memory.residual=false",
            "mixer.qk_norm=none",
        ],
    ),
    (
        "transformer",
        &[
            "mixer.heads=4",
            "mixer.key_heads=2",
            "mixer.value_heads=2",
            "mixer.qk_norm=rms",
        ],
    ),
    (
        "transformer",
        &[
            "mixer.qk_norm=l2",
            "mixer.output_norm=rms",
            "mixer.output_gate=silu",
        ],
    ),
];

#[test]
fn the_script_in_numpy_has_the_logits_of_the_program() {
    let Some(python) = python() else {
        eprintln!(
            "scripts/logits.py did not run: there is no Python 3.11 with numpy (MIRAS_PYTHON names one); the committed models were compared all the same"
        );
        return;
    };
    for name in PRESETS {
        let folder = folder().join(name);
        let golden = flat(&fs::read_to_string(folder.join("logits.json")).unwrap());
        let now = flat(&of_script(&python, &folder));
        assert_eq!(now.len(), golden.len(), "{name}");
        let gap = now
            .iter()
            .zip(&golden)
            .fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
        assert!(gap < 1e-6, "{name}: {AGAIN}");
    }
    let presets = PRESETS.map(|name| (name, &[][..]));
    for (name, sets) in presets.iter().chain(MORE) {
        let bench = Bench::new();
        bench.train("run", preset(name, sets));
        let trained = bench.open("run");
        let out = bench.path().join("weights");
        export(&trained, &out).unwrap();
        let script = flat(&of_script(&python, &out));
        assert_same(
            &format!("{name} {sets:?}"),
            &logits(&trained.model),
            &script,
        );
    }
}

/// As docs/weights.md says: a text, the file of its state, and the script beside it.
#[test]
fn the_script_agrees_with_the_file_of_a_state() {
    let Some(python) = python() else {
        eprintln!("scripts/logits.py did not run: there is no Python 3.11 with numpy");
        return;
    };
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let out = bench.path().join("weights");
    export(&trained, &out).unwrap();
    let text = "Once upon a time, and what then";
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    let tokens: Vec<i32> = text.bytes().map(i32::from).collect();
    generator.read(&tokens).unwrap();
    let state = bench.path().join("state.safetensors");
    (generator.store().unwrap().unwrap()).write(&state).unwrap();
    let said = run_script(&python, &out, &[text, "--state", state.to_str().unwrap()]);
    assert!(said.starts_with("largest gap: "), "{said}");
    let likely = run_script(&python, &out, &[text]);
    assert_eq!(likely.lines().count(), 5, "{likely}");
}

#[test]
#[ignore = "writes tests/weights, and needs numpy"]
fn write_the_committed_models() {
    let python = python().expect("a Python with numpy, named by MIRAS_PYTHON");
    for name in PRESETS {
        let bench = Bench::new();
        bench.train("run", preset(name, &[]));
        let trained = bench.open("run");
        let out = folder().join(name);
        fs::create_dir_all(&out).unwrap();
        fs::copy(&trained.weights, out.join("model.safetensors")).unwrap();
        fs::copy(trained.config_path(), out.join("config.toml")).unwrap();
        let rows: Vec<Vec<f64>> = serde_json::from_str(&of_script(&python, &out)).unwrap();
        let rows: Vec<String> = (rows.iter())
            .map(|row| {
                let numbers: Vec<String> = row.iter().map(|x| format!("{x:.7}")).collect();
                format!("[{}]", numbers.join(","))
            })
            .collect();
        let json = format!("[{}]\n", rows.join(",\n"));
        fs::write(out.join("logits.json"), json).unwrap();
    }
}
