//! Values out of one file, set in another configuration.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use miras_config::{ConfigError, Layers};
use serde::Deserialize;
use toml::{Table, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mlp {
    #[serde(default)]
    depth: usize,
}

const FILE: &str = "\
[memory]
kind = 'mlp'
depth = 2

[sweep]
memory = ['matrix', { kind = 'mlp', depth = 3 }, { kind = 'mlp', deth = 3 }]
'memory.depth' = [4, 'deep']
";

/// The configuration with the `at`-th value of `sweep.KEY`, and how it reads.
fn with(key: &str, at: usize) -> Result<(String, usize), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sweep.toml");
    std::fs::write(&file, FILE).unwrap();
    let mut layers = Layers::new();
    layers.file(&file).unwrap();
    let mut sweep = layers.split_off("sweep").merge().unwrap();
    let table: Table = sweep.section("sweep").unwrap();
    let place = miras_config::item_path(&miras_config::key_path("sweep", key), at);
    let value: Value = table[key].as_array().unwrap()[at].clone();
    layers.assign(&sweep.assigned(&place, key, value)).unwrap();
    let read = || {
        let mut tree = layers.merge()?;
        let kind: Option<String> = tree.value("memory.kind")?;
        let mlp: Mlp = tree.at("memory").part()?;
        tree.finish()?;
        Ok((kind.unwrap_or_default(), mlp.depth))
    };
    read().map_err(|error: ConfigError| {
        error
            .to_string()
            .replace(&*dir.path().to_string_lossy(), "")
    })
}

#[test]
fn a_name_or_a_table_with_a_kind_starts_afresh() {
    assert_eq!(with("memory", 0), Ok(("matrix".into(), 0)));
    assert_eq!(with("memory", 1), Ok(("mlp".into(), 3)));
    assert_eq!(with("memory.depth", 0), Ok(("mlp".into(), 4)));
}

#[test]
fn mistakes_are_shown_in_the_file_that_gives_the_value() {
    let error = with("memory", 2).unwrap_err();
    assert!(error.contains("unknown field `deth`"), "{error}");
    assert!(error.contains("/sweep.toml:6:66"), "{error}");
    let error = with("memory.depth", 1).unwrap_err();
    assert!(error.contains("/sweep.toml:7:22"), "{error}");
}
