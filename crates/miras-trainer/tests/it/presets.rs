//! What the presets' files and the pages for users say of keys and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor};
use miras_config::Layers;
use miras_core::Axis;
use miras_model::{LanguageModel, Pass};
use miras_registry::Registry;
use miras_run::Status;
use miras_spec::RunConfig;

use crate::support::Bench;

/// The names of the presets, in order: files that build on another one.
fn presets() -> Vec<String> {
    let files = std::fs::read_dir(root().join("configs/presets")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_preset = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line.starts_with("extends"))
    };
    let mut names: Vec<String> = (files.filter(is_preset))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

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
        "model.layers=4",
        "mixer.heads=2",
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
    let tokens: Vec<i32> = (0..70).map(|at| at * at % 11).collect();
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
    assert_eq!(named, presets());
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
    for preset in presets() {
        let preset = preset.as_str();
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
        let step_max = table
            .get("algorithm")
            .map(|table| table["step_max"].as_float());
        assert_eq!(
            says("steps up to"),
            step_max.is_some_and(|most| most != Some(1.0)),
            "{preset}"
        );
        let caps = |key: &str| {
            let algorithm = table.get("algorithm");
            let cap = algorithm.and_then(|table| table[key].as_float());
            cap.is_some_and(|cap| cap > 0.0)
        };
        let retention = table.get("retention");
        let anchored = retention.and_then(|table| table.get("anchored")?.as_bool());
        assert_eq!(says("anchored"), anchored == Some(true), "{preset}");
        assert_eq!(says("load cap"), caps("load_cap"), "{preset}");
        assert_eq!(says("gradient cap"), caps("grad_cap"), "{preset}");
        let truncates = config.train.truncate.is_some_and(|tokens| tokens > 0);
        assert_eq!(says("256 tokens"), truncates, "{preset}");
    }
}

/// The texts in backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// `table.key`, if that is what a text begins with.
fn key_of(text: &str) -> Option<&str> {
    const TABLES: [&str; 14] = [
        "model",
        "task",
        "mixer",
        "attention",
        "memory",
        "bias",
        "retention",
        "algorithm",
        "data",
        "train",
        "optim",
        "eval",
        "checkpoint",
        "log",
    ];
    let key = text.split(['=', ' ']).next()?;
    let (table, name) = key.split_once('.')?;
    let is_name = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (TABLES.contains(&table) && is_name && !name.is_empty()).then_some(key)
}

fn known_keys() -> BTreeSet<String> {
    let registry = Registry::builtin();
    let mut known = BTreeSet::new();
    for axis in Axis::ALL {
        for part in registry.parts(axis) {
            let keys = part.keys.iter().chain(registry.common_keys(axis));
            known.extend(keys.map(|(key, _)| format!("{}.{key}", axis.table())));
        }
    }
    for preset in presets() {
        for (table, section) in load(&preset, &[]).to_table() {
            // `layers` is a list.
            if let Some(section) = section.as_table() {
                known.extend(section.keys().map(|key| format!("{table}.{key}")));
            }
        }
    }
    let page = std::fs::read_to_string(root().join("docs/config.md")).unwrap();
    known.extend(quoted(&page).filter_map(key_of).map(str::to_owned));
    known
}

/// Whether some configuration takes it, as a user would write it after `--set`.
fn is_taken(set: &str) -> bool {
    let bases = ["", "[memory]\nkind = 'matrix'"].map(|text| {
        let mut layers = Layers::new();
        layers.text("base.toml", text).unwrap();
        layers
    });
    let presets = presets().into_iter().map(|preset| {
        let mut layers = Layers::new();
        let path = root().join(format!("configs/presets/{preset}.toml"));
        layers.file(&path).unwrap();
        layers
    });
    bases.into_iter().chain(presets).any(|mut layers| {
        layers.set(set).is_ok() && RunConfig::load(layers, &Registry::builtin()).is_ok()
    })
}

#[test]
fn keys_and_metrics_of_the_pages_exist() {
    let known = known_keys();
    // The one that has all that memories say of themselves.
    let metrics = load("titans-surprise", &[]).metrics();
    for page in ["tuning", "presets", "weights"] {
        let text = std::fs::read_to_string(root().join(format!("docs/{page}.md"))).unwrap();
        let mut keys = 0;
        for quoted in quoted(&text) {
            if let Some(key) = key_of(quoted) {
                assert!(known.contains(key), "{page}: there is no key `{key}`");
                let set = quoted.replace(" = ", "=");
                assert!(
                    !set.contains('=') || is_taken(&set),
                    "{page}: `{set}` is refused"
                );
                keys += 1;
            }
            if let Some(metric) = quoted.strip_prefix("memory/L/") {
                let tag = format!("memory/0/{metric}");
                let is_known = metric == "…" || metrics.contains(&tag);
                assert!(is_known, "{page}: there is no metric `{quoted}`");
            }
        }
        assert!(keys > 10, "{page} names {keys} keys");
    }
}
