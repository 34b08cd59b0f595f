//! Invariants of `docs/architecture.md` that a test can hold.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "tidy/circles.rs"]
mod circles;

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
        let (ours, others) = dependencies(&manifest)
            .into_iter()
            .partition(|name| name.starts_with("miras-"));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        found.insert(name, (ours, others));
    }
    found
}

/// The packages that a manifest names for building and running, on any platform.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(toml::Table::values);
    let mut found = BTreeSet::new();
    for table in tables.filter_map(toml::Value::as_table).chain([manifest]) {
        for kind in ["dependencies", "build-dependencies"] {
            let list = table.get(kind).and_then(toml::Value::as_table);
            for (name, value) in list.into_iter().flatten() {
                // A dependency may have another name here than its package has.
                let package = value.get("package").and_then(toml::Value::as_str);
                found.insert(package.unwrap_or(name).to_owned());
            }
        }
    }
    found
}

/// Every crate, in an order in which each depends on earlier ones alone.
const ORDER: [&str; 24] = [
    "miras-random",
    "miras-config",
    "miras-run",
    "miras-data",
    "miras-log",
    "miras-sweep",
    "miras-compare",
    "miras-tasks",
    "miras-kernels",
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
    "miras-spec",
    "miras-trainer",
    "miras-use",
    "miras-serve",
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

/// Whoever serves a model links neither the step loop nor what it logs with.
#[test]
fn what_uses_a_trained_run_does_not_know_the_trainer() {
    let crates = crates();
    let mut reached = BTreeSet::new();
    let mut next = vec!["miras-use".to_owned()];
    while let Some(name) = next.pop() {
        if reached.insert(name.clone()) {
            next.extend(crates[&name].0.iter().cloned());
        }
    }
    // It does know what a run is, so that the search is known to go on from crate to crate.
    assert!(reached.contains("miras-spec") && reached.contains("miras-core"));
    for name in ["miras-trainer", "miras-log"] {
        assert!(!reached.contains(name), "miras-use depends on {name}");
    }
}

#[test]
fn crates_without_tensors_do_not_depend_on_burn() {
    let crates = crates();
    let lock: toml::Table =
        toml::from_str(&fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
    // What each package of others depends on.
    let mut locked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let list = package.get("dependencies").and_then(toml::Value::as_array);
        let names = list.into_iter().flatten().map(|one| {
            // A version follows where there are several.
            let words = one.as_str().unwrap().split(' ');
            words.take(1).collect::<String>()
        });
        let name = package["name"].as_str().unwrap().to_owned();
        locked.entry(name).or_default().extend(names);
    }
    let is_burn = |name: &str| name == "burn" || name.starts_with("burn-");
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(name) = next.pop() {
            if reached.insert(name.clone()) {
                match crates.get(&name) {
                    Some((ours, others)) => next.extend(ours.iter().chain(others).cloned()),
                    None => next.extend(locked[&name].iter().cloned()),
                }
            }
        }
        reached
    };
    for name in &ORDER[..9] {
        let burn = reached(name).into_iter().find(|name| is_burn(name));
        assert!(burn.is_none(), "{name} depends on {burn:?}");
    }
    // The first crate with tensors, so that the search is known to find them.
    assert!(reached(ORDER[9]).iter().any(|name| is_burn(name)));
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
        // Backends are named by the custom operations: those of any backend, and those of the CPU.
        (
            ": Backend",
            &["miras-engine/src/split.rs", "miras-engine/src/custom.rs"][..],
        ),
        (
            "Flex>",
            &["miras-engine/src/split.rs", "miras-engine/src/kernel.rs"],
        ),
        ("process::exit", &["miras-train/src"]),
        ("println!", &["miras-train/src"]),
        ("DeTable::parse", &["miras-config/src"]),
        // Files and folders are replaced by the atomic writers.
        ("fs::rename", &["miras-run/src"]),
        ("NamedTempFile", &[]),
        ("thread_rng", &[]),
        ("rand::rng", &[]),
        ("::random([", &[]),
        ("::random_like(", &[]),
        ("Distribution::", &[]),
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
        assert!(files.len() > 2, "{axis} has no parts");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().count();
            assert!(lines <= 300, "{} has {lines} lines", file.display());
            for other in AXES.iter().filter(|other| **other != axis) {
                let module = other.replace('-', "_");
                assert!(!text.contains(&module), "{} names {module}", file.display());
            }
        }
    }
}

#[test]
fn no_circle_between_files() {
    let mut found = Vec::new();
    let mut files = 0;
    for name in ORDER {
        let uses = circles::uses_in(&root().join("crates").join(name).join("src"));
        files += uses.len();
        for (file, used) in circles::circles(&uses).into_iter().flatten() {
            let used: Vec<String> = used.into_iter().collect();
            found.push(format!("{name}: {file} uses {}", used.join(", ")));
        }
    }
    assert!(files > 200, "only {files} files");
    assert!(
        found.is_empty(),
        "files that use each other; move what both need to the file that it belongs to:\n{}",
        found.join("\n")
    );
}

/// The table of docs/architecture.md.
#[test]
fn the_tests_that_hold_claims_are_there() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, rest) = page.split_once("| claim | file | test |").unwrap();
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut found = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, file, test] = cells[..] else {
            panic!("{row}");
        };
        let path = root().join("crates").join(file.trim_matches('`'));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let test = test.trim_matches('`');
        let (before, _) = (text.split_once(&format!("fn {test}(")))
            .unwrap_or_else(|| panic!("{file} has no test {test}"));
        let attributes = before.rsplit_once("}\n").map_or(before, |(_, last)| last);
        assert!(attributes.contains("#[test]"), "{file}: {test} is no test");
        found += 1;
    }
    assert!(found > 15, "the table has {found} rows");
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
