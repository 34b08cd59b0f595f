//! Invariants of `docs/architecture.md` that a test can hold.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Our crates, each with those of ours it depends on, and all other dependencies.
fn crates() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).unwrap()).unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let (ours, others) = dependencies
            .into_iter()
            .flat_map(|table| table.keys().cloned())
            .partition(|name| name.starts_with("miras-"));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        found.insert(name, (ours, others));
    }
    found
}

/// Every crate, in an order in which each depends on earlier ones alone.
const ORDER: [&str; 20] = [
    "miras-random",
    "miras-config",
    "miras-data",
    "miras-run",
    "miras-log",
    "miras-sweep",
    "miras-compare",
    "miras-device",
    "miras-core",
    "miras-memory",
    "miras-bias",
    "miras-retention",
    "miras-algorithm",
    "miras-engine",
    "miras-registry",
    "miras-contract",
    "miras-model",
    "miras-trainer",
    "miras-use",
    "miras-train",
];

const AXES: [&str; 4] = [
    "miras-memory",
    "miras-bias",
    "miras-retention",
    "miras-algorithm",
];

#[test]
fn dependencies_point_one_way() {
    let crates = crates();
    let names: Vec<&str> = crates.keys().map(String::as_str).collect();
    let mut known = ORDER.to_vec();
    known.sort_unstable();
    assert_eq!(
        names, known,
        "a crate is missing from the order, or from the workspace"
    );
    for (at, name) in ORDER.iter().enumerate() {
        for dependency in &crates[*name].0 {
            let earlier = ORDER[..at].contains(&dependency.as_str());
            assert!(earlier, "{name} depends on {dependency}");
        }
    }
}

#[test]
fn axes_and_engine_do_not_know_parts_of_other_axes() {
    let crates = crates();
    for name in AXES.iter().chain(&["miras-engine", "miras-core"]) {
        for axis in AXES {
            assert!(!crates[*name].0.contains(axis), "{name} depends on {axis}");
        }
    }
}

#[test]
fn crates_without_tensors_do_not_depend_on_burn() {
    let crates = crates();
    for name in &ORDER[..7] {
        assert!(!crates[*name].1.contains("burn"), "{name}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources (without tests) in which a text occurs, but for the places where it belongs.
fn sources_with(text: &str, belongs: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    for name in ORDER {
        sources(&root().join("crates").join(name).join("src"), &mut files);
    }
    assert!(files.len() > 80);
    files
        .iter()
        .filter(|file| fs::read_to_string(file).unwrap().contains(text))
        .map(|file| file.to_string_lossy().into_owned())
        .filter(|file| !belongs.iter().any(|place| file.contains(place)))
        .collect()
}

#[test]
fn what_belongs_in_one_place_is_nowhere_else() {
    for (text, belongs) in [
        // Backends are named by the one custom operation.
        (": Backend", &["miras-engine/src/split.rs"][..]),
        ("process::exit", &["miras-train/src"]),
        ("println!", &["miras-train/src"]),
        ("DeTable::parse", &["miras-config/src"]),
        ("thread_rng", &[]),
        ("rand::rng", &[]),
        ("Tensor::random", &[]),
        (".seed(", &[]),
    ] {
        let found = sources_with(text, belongs);
        assert!(found.is_empty(), "`{text}` is in {found:?}");
    }
}

#[test]
fn part_files_reach_no_other_axis_and_fit_in_a_head() {
    for axis in AXES {
        let mut files = Vec::new();
        sources(&root().join("crates").join(axis).join("src"), &mut files);
        for file in files {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 300, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn nothing_is_at_the_top_level_but_what_the_layout_names() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "crates",
        "configs",
        "experiments",
        "scripts",
        "docs",
        // Made by building and running, and ignored by git.
        "target",
        "runs",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let known = name.starts_with('.') || allowed.contains(&name.as_str());
        assert!(known, "{name}");
    }
}
