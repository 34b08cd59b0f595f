//! Several mistakes at once.

use miras_config::{ConfigError, Layers, Origins, Tree};

use crate::support::{Mlp, Model};

/// Reads a seed, a model and a memory, each by itself.
fn read(tree: &mut Tree) -> Result<(u64, Model, Mlp), ConfigError> {
    let seed = tree.attempt(&["seed"], |tree| tree.value("seed"));
    let model = tree.attempt(&["model"], |tree| {
        let model: Model = tree.section("model")?;
        if model.dim > 1000 {
            let mistake = tree.error("model.dim", "too wide", None);
            tree.note(mistake)?;
        }
        if model.layers > 100 {
            let mistake = tree.error("model.layers", "too deep", None);
            tree.note(mistake)?;
        }
        if !model.dim.is_multiple_of(8) {
            return Err(tree.error("model.dim", "must be a multiple of 8", None));
        }
        Ok(model)
    });
    let memory = tree.attempt(&["memory"], |tree| tree.section::<Mlp>("memory"));
    let (Some(seed), Some(model), Some(memory)) = (seed, model, memory) else {
        return Err(tree.failed());
    };
    Ok((seed.unwrap_or(1), model, memory))
}

fn load(texts: &[(&str, &str)], flags: &[&str]) -> Result<Origins, ConfigError> {
    let mut layers = Layers::new();
    for (name, text) in texts {
        layers.text(name, text)?;
    }
    for flag in flags {
        layers.set(flag)?;
    }
    let mut tree = layers.merge()?;
    let read = read(&mut tree);
    tree.conclude(read).map(|(_, origins)| origins)
}

/// The places of all mistakes, in their order.
fn places(texts: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
    let Err(error) = load(texts, flags) else {
        return Vec::new();
    };
    let report = error.to_string();
    let places: Vec<String> = (report.lines())
        .filter_map(|line| line.trim().strip_prefix("--> "))
        .map(|place| place.replace("  ", " "))
        .collect();
    assert_eq!(error.count(), places.len(), "{report}");
    assert_eq!(report.matches("error: ").count(), places.len(), "{report}");
    places
}

const GOOD: &str = "[model]\ndim = 8\n[memory]\ndepth = 2";

#[test]
fn every_mistake_is_reported_in_the_order_of_the_lines() {
    let text = "\
sede = 1
[memory]
depht = 3
depth = \"two\"
expansion = -1
[model]
dmi = 8
layers = 300
lr = \"x\"
heads = [{ size = 1 }, { siez = 2 }]
tied = true
[modle]
dim = 3
";
    assert_eq!(
        places(&[("a.toml", text)], &[]),
        [
            "a.toml:1:1 (sede)",
            "a.toml:3:1 (memory.depht)",
            "a.toml:4:9 (memory.depth)",
            "a.toml:5:13 (memory.expansion)",
            "a.toml:7:1 (model.dmi)",
            "a.toml:8:10 (model.layers)",
            "a.toml:9:6 (model.lr)",
            "a.toml:10:26 (model.heads[1].siez)",
            "a.toml:12:2 (modle)",
        ]
    );
}

#[test]
fn files_and_flags_are_reported_together() {
    let base = ("base.toml", "[model]\nlayers = 2.5\n[memory]\ndepth = 2");
    let own = ("own.toml", "[model]\nlr = true");
    assert_eq!(
        places(&[base, own], &["memory.x=1", "model.dropout=no"]),
        [
            "base.toml:2:10 (model.layers)",
            "own.toml:2:6 (model.lr)",
            "--set:1:15 (model.dropout)",
            "--set:1:8 (memory.x)",
        ]
    );
    assert_eq!(places(&[("good.toml", GOOD)], &[]), [""; 0]);
}

#[test]
fn what_follows_from_a_mistake_is_not_reported() {
    // Without `dim` the default 64 would be wrong for 3, and without `depth` it is missing.
    for (text, expected) in [
        (
            "[model]\ndim = \"x\"\nlayers = 200\n[memory]\ndepth = 1",
            &["a.toml:2:7 (model.dim)", "a.toml:3:10 (model.layers)"][..],
        ),
        (
            "[model]\ndim = 2001\nlayers = 101\n[memory]\ndepth = 1",
            &["a.toml:2:7 (model.dim)", "a.toml:3:10 (model.layers)"],
        ),
        ("[memory]\ndepht = 3", &["a.toml:2:1 (memory.depht)"]),
        (
            "[model]\ndim = 9\n[memory]",
            &["a.toml:2:7 (model.dim)", "a.toml:3:1 (memory)"],
        ),
        (
            "model = 3\n[memory]\ndepth = 1.5",
            &["a.toml:1:9 (model)", "a.toml:3:9 (memory.depth)"],
        ),
    ] {
        assert_eq!(places(&[("a.toml", text)], &[]), expected, "{text}");
    }
}

#[test]
fn outside_of_an_attempt_the_first_mistake_ends_the_reading() {
    let mut layers = Layers::new();
    layers
        .text("a.toml", "[model]\ndmi = 8\nlr = true")
        .unwrap();
    let mut tree = layers.merge().unwrap();
    let error = tree.section::<Model>("model").unwrap_err();
    assert_eq!(error.count(), 1);
    let mistake = tree.error("model.lr", "no", None);
    assert!(tree.note(mistake).is_err());
}
