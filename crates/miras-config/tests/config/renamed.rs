//! Keys that had other names in earlier versions.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs;

use miras_config::{ConfigError, Layers, Renamed, Tree, present_name};
use toml::Value;

const RENAMED: &[Renamed] = &[
    Renamed {
        old: "model.heads",
        new: "mixer.heads",
    },
    Renamed {
        old: "model.mixer",
        new: "mixer.kind",
    },
    Renamed {
        old: "algorithm.sweeps",
        new: "algorithm.passes",
    },
];

const NOTE: &str = "run.toml:3: `model.heads` is now `mixer.heads`; the old spelling still works";

/// The merged layers of files on top of each other and `--set`, and the notes.
fn merged(files: &[&str], set: &[&str]) -> Result<(Tree, Vec<String>), ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let mut layers = Layers::new();
    layers.text("defaults", "[model]\nheads = 1\ndim = 8")?;
    for (number, text) in files.iter().enumerate() {
        let file = folder.path().join(format!("{number}run.toml"));
        fs::write(&file, text).unwrap();
        layers.file(&file)?;
    }
    for assignment in set {
        layers.set(assignment)?;
    }
    let notes = layers.rename(RENAMED)?;
    assert_eq!(layers.rename(RENAMED)?, [""; 0], "said once");
    Ok((layers.merge()?, notes))
}

fn whole(tree: &mut Tree) -> String {
    let table: toml::Table = tree.section("").unwrap();
    table.to_string()
}

fn refused(files: &[&str], set: &[&str]) -> String {
    match merged(files, set) {
        Err(error) => error.to_string(),
        Ok((mut tree, _)) => panic!("accepted: {}", whole(&mut tree)),
    }
}

#[test]
fn an_old_name_has_the_new_place_and_a_note_with_its_line() {
    let (mut tree, notes) = merged(&["[model]\ndim = 16\nheads = 4\n"], &[]).unwrap();
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(note.ends_with(NOTE), "{note}");
    assert_eq!(tree.written_as("mixer.heads"), Some("model.heads"));
    assert!(tree.is_set("mixer"));
    let error = tree
        .error("mixer.heads", "mixer.heads is odd", None)
        .to_string();
    assert!(
        error.contains("run.toml:3:9  (mixer.heads, written as model.heads)"),
        "{error}"
    );
    assert!(error.contains("3 | heads = 4"), "{error}");
    assert_eq!(
        whole(&mut tree),
        "[model]\ndim = 16\n\n[mixer]\nheads = 4\n"
    );
    let origins = tree.finish().unwrap();
    let origin = origins.of("mixer.heads").unwrap().to_string();
    assert!(origin.ends_with("run.toml:3"), "{origin}");
}

#[test]
fn built_in_layers_are_read_without_a_note() {
    let (mut tree, notes) = merged(&[], &[]).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(whole(&mut tree), "[model]\ndim = 8\n\n[mixer]\nheads = 1\n");
}

#[test]
fn the_later_layer_counts_by_whichever_name() {
    for (files, set, heads) in [
        (vec!["model.heads = 2", "mixer.heads = 3"], vec![], 3),
        (vec!["mixer.heads = 3", "model.heads = 2"], vec![], 2),
        (vec!["mixer.heads = 3"], vec!["model.heads=5"], 5),
        (
            vec!["model.heads = 3"],
            vec!["model.heads=5", "mixer.heads=6"],
            6,
        ),
    ] {
        let (mut tree, _) = merged(&files, &set).unwrap();
        assert_eq!(
            tree.value("mixer.heads").unwrap(),
            Some(heads),
            "{files:?} {set:?}"
        );
    }
}

#[test]
fn a_name_is_said_once_however_often_it_is_written() {
    let files = ["[model]\n\nheads = 2", "model.heads = 3"];
    let (_, notes) = merged(&files, &["model.heads=5", "model.mixer=memory"]).unwrap();
    let [heads, mixer] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(heads.ends_with(NOTE), "{heads}");
    let expected = "--set: `model.mixer` is now `mixer.kind`; the old spelling still works";
    assert_eq!(mixer, expected);
}

#[test]
fn both_names_in_one_layer_are_an_error() {
    let error = refused(&["[model]\nheads = 2\n[mixer]\nheads = 2"], &[]);
    for piece in [
        "error: `model.heads` is the old name of `mixer.heads`, and both are set",
        "2 | heads = 2",
        "help: leave `model.heads` out",
    ] {
        assert!(error.contains(piece), "{error}");
    }
}

#[test]
fn entries_of_lists_have_the_same_names() {
    let text =
        "[[layers]]\nat = [0]\n[layers.algorithm]\nsweeps = 2\n[[layers]]\nalgorithm.sweeps = 3\n";
    let (mut tree, notes) = merged(&[text], &["layers.1.algorithm.sweeps=4"]).unwrap();
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(
        note.contains("`algorithm.sweeps` is now `algorithm.passes`"),
        "{note}"
    );
    assert_eq!(tree.value("layers.0.algorithm.passes").unwrap(), Some(2));
    assert_eq!(tree.value("layers.1.algorithm.passes").unwrap(), Some(4));
    let error = refused(&["[[layers]]\nalgorithm = { sweeps = 1, passes = 2 }"], &[]);
    assert!(
        error.contains("`layers[0].algorithm.sweeps` is the old name"),
        "{error}"
    );
}

#[test]
fn a_mistake_in_the_place_of_a_table_stays_one() {
    let error = refused(&["mixer = 3\nmodel.heads = 2"], &[]);
    assert!(
        error.contains("`mixer` is used as a table by `model.heads`"),
        "{error}"
    );
}

#[test]
fn the_kind_of_a_table_can_have_an_old_name() {
    let (mut tree, _) = merged(&[], &["model.mixer=attention", "mixer.heads=2"]).unwrap();
    assert_eq!(
        tree.value::<String>("mixer.kind").unwrap().as_deref(),
        Some("attention")
    );
}

#[test]
fn keys_that_a_sweep_names_are_renamed_as_well() {
    let text = "[sweep.axes]\n'model.heads' = [2, 4]\n";
    let mut layers = Layers::new();
    layers.text("sweep.toml", text).unwrap();
    layers.text("run.toml", "[model]\nheads = 1").unwrap();
    layers.rename(RENAMED).unwrap();
    let sweep = layers.split_off("sweep").merge().unwrap();
    let at = "sweep.axes.\"model.heads\"";
    let set = sweep.assigned(at, "model.heads", Value::Integer(2));
    assert_eq!(set.key(), "mixer.heads");
    let note = "sweep.toml:2: `model.heads` is now `mixer.heads`; the old spelling still works";
    assert_eq!(set.note_of_name().as_deref(), Some(note));
    let expected = ("mixer.heads".to_owned(), Some(note.to_owned()));
    assert_eq!(sweep.present_name(at, "model.heads"), expected);
    layers.assign(&set).unwrap();
    let mut tree = layers.merge().unwrap();
    assert_eq!(tree.written_as("mixer.heads"), Some("model.heads"));
    assert_eq!(tree.value("mixer.heads").unwrap(), Some(2));
}

#[test]
fn names_in_entries_and_in_renamed_tables_are_found() {
    let name = |key: &str| present_name(RENAMED, key);
    assert_eq!(name("model.heads").as_deref(), Some("mixer.heads"));
    let inner = name("layers.3.algorithm.sweeps");
    assert_eq!(inner.as_deref(), Some("layers.3.algorithm.passes"));
    let table = [Renamed {
        old: "a.b",
        new: "c",
    }];
    assert_eq!(present_name(&table, "a.b.d[1]").as_deref(), Some("c.d[1]"));
    for other in ["model.heads_of", "mixer.heads", "x.model.heads", "heads"] {
        assert_eq!(name(other), None, "{other}");
    }
}
