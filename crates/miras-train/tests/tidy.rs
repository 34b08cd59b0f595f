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
const ORDER: [&str; 15] = [
    "miras-random",
    "miras-config",
    "miras-data",
    "miras-log",
    "miras-run",
    "miras-core",
    "miras-memory",
    "miras-bias",
    "miras-retention",
    "miras-algorithm",
    "miras-engine",
    "miras-registry",
    "miras-model",
    "miras-trainer",
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
    for name in &ORDER[..5] {
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

#[test]
fn no_code_of_ours_is_generic_over_a_backend_but_the_custom_operation() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 50);
    for file in files {
        if file.ends_with("miras-engine/src/split.rs") || file.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("<B: Backend"), "{}", file.display());
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
