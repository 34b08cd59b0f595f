//! What the presets' files and docs/presets.md say of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor};
use miras_config::Layers;
use miras_model::{LanguageModel, Pass};
use miras_registry::Registry;
use miras_run::Status;
use miras_trainer::RunConfig;

use crate::support::Bench;

const PRESETS: [&str; 6] = [
    "gated-deltanet",
    "memora",
    "moneta",
    "titans-lmm",
    "transformer",
    "yaad",
];

/// Switches that show neither in the outputs of an untrained model nor at its size: what they do is
/// tested with truncation, and with the keys of parts.
const UNSEEN: [&str; 2] = ["train.truncate", "algorithm.grad_cap"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A preset at the size of tests; nothing that a switch sets is set here.
fn load(preset: &str, sets: &[&str]) -> RunConfig {
    let mut layers = Layers::new();
    let path = root().join(format!("configs/presets/{preset}.toml"));
    layers.file(&path).unwrap();
    let small = [
        "model.dim=16",
        "model.ffn_dim=16",
        "model.layers=1",
        "model.heads=2",
        "data={ kind = 'builtin', seq_len = 70 }",
        "train.batch=1",
        "train.steps=2",
        "eval.every=0",
        "log.histograms=0",
    ];
    for set in small.iter().chain(sets) {
        layers.set(set).unwrap();
    }
    match RunConfig::load(layers, &Registry::builtin()) {
        Ok((config, _)) => config,
        Err(error) => panic!("{preset} {sets:?}\n{error}"),
    }
}

/// Logits of the untrained model; tokens come again.
fn logits(config: &RunConfig) -> Vec<f32> {
    let device = Device::flex();
    let model = LanguageModel::new(&config.model, 24, 1, &device);
    let tokens: Vec<i32> = (0..70).map(|at| (at * at % 11) as i32).collect();
    let tokens = Tensor::<1, Int>::from_ints(tokens.as_slice(), &device).reshape([1, 70]);
    let output = model.forward(tokens, None, Pass::default());
    output.logits.try_into_vec_as::<f32>().unwrap()
}

/// The switches of each preset, from the rows of the table.
fn switches() -> BTreeMap<String, Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/presets.md")).unwrap();
    let (_, rest) = page
        .split_once("| preset | here | in the paper | switch |")
        .unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [preset, _, _, switch] = cells[..] else {
            panic!("{row} has {} cells", cells.len());
        };
        let own = found
            .entry(preset.trim_matches('`').to_owned())
            .or_default();
        if switch != "–" {
            own.push(switch.trim_matches('`').to_owned());
        }
    }
    found
}

#[test]
fn every_switch_leaves_out_what_it_says() {
    let switches = switches();
    let named: Vec<&str> = switches.keys().map(String::as_str).collect();
    assert_eq!(named, PRESETS);
    for (preset, switches) in &switches {
        assert!(!switches.is_empty(), "{preset}");
        let base = load(preset, &[]);
        let before = logits(&base);
        for switch in switches {
            let config = load(preset, &[switch]);
            assert_ne!(config.to_table(), base.to_table(), "{preset} {switch}");
            let key = switch.split_once('=').unwrap().0;
            let changes = logits(&config) != before;
            assert!(changes || UNSEEN.contains(&key), "{preset} {switch}");
        }
        let all: Vec<&str> = switches.iter().map(String::as_str).collect();
        let outcome = Bench::new().run("run", load(preset, &all));
        assert_eq!(outcome.status, Status::Finished, "{preset} {all:?}");
        assert!(outcome.eval_loss.unwrap().is_finite(), "{preset} {all:?}");
    }
}

#[test]
fn every_preset_says_in_one_line_how_it_differs_from_its_paper() {
    for preset in PRESETS {
        let path = root().join(format!("configs/presets/{preset}.toml"));
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = (text.lines())
            .filter_map(|line| line.strip_prefix("# Differs: "))
            .collect();
        let [line] = lines[..] else {
            panic!("{preset} has {} lines `# Differs: `", lines.len());
        };
        // What is on wherever it stands has to be named.
        let config = load(preset, &[]);
        let table = config.to_table();
        let says = |words: &str| line.contains(words);
        assert_eq!(
            says("init"),
            table["model"]["init"].as_str() == Some("recall"),
            "{preset}"
        );
        let caps = |key: &str| {
            let algorithm = table.get("algorithm");
            let cap = algorithm.and_then(|table| table[key].as_float());
            cap.is_some_and(|cap| cap > 0.0)
        };
        assert_eq!(says("load cap"), caps("load_cap"), "{preset}");
        assert_eq!(says("gradient cap"), caps("grad_cap"), "{preset}");
        let truncates = config.train.truncate.is_some_and(|tokens| tokens > 0);
        assert_eq!(says("256 tokens"), truncates, "{preset}");
    }
}
