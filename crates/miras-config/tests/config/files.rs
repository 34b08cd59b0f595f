//! Files: what they extend, and what is said about those that cannot be read.

use std::{error::Error, fs, path::Path};

use miras_config::{ConfigError, Layers};

use crate::support::load;

type Outcome = Result<(), Box<dyn Error>>;

/// Writes files into a new folder.
fn folder(files: &[(&str, &[u8])]) -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for (name, bytes) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(folder.path()))?;
        fs::write(file, bytes)?;
    }
    Ok(folder)
}

fn file(path: &Path) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new();
    layers.file(path)?;
    Ok(layers)
}

/// What is said about `run.toml` among these files, with `DIR` for the folder.
fn report(files: &[(&str, &[u8])]) -> Result<String, Box<dyn Error>> {
    let folder = folder(files)?;
    Ok(match file(&folder.path().join("run.toml")).and_then(load) {
        Ok(_) => "ok".to_owned(),
        Err(error) => named(&error, folder.path()),
    })
}

fn named(error: &ConfigError, folder: &Path) -> String {
    let folder = folder.display().to_string();
    error.to_string().replace(&folder, "DIR")
}

#[test]
fn extended_files_come_below_in_their_order() -> Outcome {
    let folder = folder(&[
        (
            "run.toml",
            b"extends = ['presets/a.toml', 'b.toml']\nseed = 4",
        ),
        (
            "presets/a.toml",
            b"extends = '../root.toml'\n[model]\ndim = 16\nlr = 1",
        ),
        (
            "root.toml",
            b"seed = 2\n[model]\ndim = 8\nlr = 3\nname = 'root'",
        ),
        ("b.toml", b"\xef\xbb\xbf[model]\ndim = 32"),
    ])?;
    let (config, origins) = load(file(&folder.path().join("run.toml"))?)?;
    assert_eq!(config.seed, 4);
    assert_eq!(config.model.dim, 32);
    assert_eq!(config.model.name, "root");
    for (path, expected) in [
        ("seed", Some("DIR/run.toml:2")),
        ("model.dim", Some("DIR/b.toml:2")),
        ("model.lr", Some("DIR/presets/a.toml:4")),
        ("model.name", Some("DIR/root.toml:5")),
        ("extends", None),
    ] {
        let origin = origins.of(path).map(|origin| origin.to_string());
        let dir = folder.path().display().to_string();
        let origin = origin.map(|origin| origin.replace(&dir, "DIR"));
        assert_eq!(origin.as_deref(), expected, "{path}");
    }
    Ok(())
}

#[test]
fn a_mistake_in_an_extended_file_is_shown_there() -> Outcome {
    let report = report(&[
        ("run.toml", b"extends = 'base.toml'\n[model]\nlr = 1"),
        ("base.toml", b"[model]\n\ndmi = 8"),
    ])?;
    assert!(
        report.ends_with(
            "
 --> DIR/base.toml:3:1  (model.dmi)
  |
3 | dmi = 8
  | ^^^
  = help: did you mean `dim`?"
        ),
        "{report}"
    );
    Ok(())
}

#[test]
fn mistakes_in_extends_are_shown_at_its_value() -> Outcome {
    let base = ("base.toml", &b"extends = 'run.toml'"[..]);
    for (run, expected) in [
        (
            "extends = 'base.toml'",
            "
error: `extends` runs in a circle: DIR/run.toml -> DIR/base.toml -> DIR/run.toml
 --> DIR/base.toml:1:11  (extends)
  |
1 | extends = 'run.toml'
  |           ^^^^^^^^^^",
        ),
        (
            "extends = './run.toml'",
            "
error: `extends` runs in a circle: DIR/run.toml -> DIR/run.toml
 --> DIR/run.toml:1:11  (extends)
  |
1 | extends = './run.toml'
  |           ^^^^^^^^^^^^",
        ),
        (
            "extends = ['bsae.toml']",
            "
error: there is no file `DIR/bsae.toml`
 --> DIR/run.toml:1:12  (extends)
  |
1 | extends = ['bsae.toml']
  |            ^^^^^^^^^^^
  = help: did you mean `base.toml`?",
        ),
        (
            "extends = 'sub/..'",
            "
error: `DIR` is a folder, not a file
 --> DIR/run.toml:1:11  (extends)
  |
1 | extends = 'sub/..'
  |           ^^^^^^^^",
        ),
        (
            "extends = ''",
            "
error: `extends` names an empty path
 --> DIR/run.toml:1:11  (extends)
  |
1 | extends = ''
  |           ^^",
        ),
        (
            "extends = ['base.toml', 3]",
            "
error: `extends` takes a path or a list of paths, found an integer
 --> DIR/run.toml:1:25  (extends[1])
  |
1 | extends = ['base.toml', 3]
  |                         ^",
        ),
        (
            "extends = true",
            "
error: `extends` takes a path or a list of paths, found a boolean
 --> DIR/run.toml:1:11  (extends)
  |
1 | extends = true
  |           ^^^^",
        ),
    ] {
        let report = report(&[("run.toml", run.as_bytes()), ("sub/x.toml", b""), base])?;
        assert_eq!(report, expected.trim_start(), "{run}");
    }
    Ok(())
}

#[test]
fn a_table_in_one_file_and_a_value_in_another_clash() -> Outcome {
    let base = ("base.toml", &b"[memory]\n[model]\ndim = 8"[..]);
    for (run, expected) in [
        (
            "extends = 'base.toml'\nmemory = 'mlp'",
            "
error: `memory` is a table in DIR/base.toml:1, but is used as a string here
 --> DIR/run.toml:2:10  (memory)
  |
2 | memory = 'mlp'
  |          ^^^^^
  = help: to choose a kind, write `memory.kind = \"mlp\"`",
        ),
        (
            "extends = 'base.toml'\n[model.dim]\nx = 1",
            "
error: `model.dim` is an integer in DIR/base.toml:3, but is used as a table here
 --> DIR/run.toml:2:1  (model.dim)
  |
2 | [model.dim]
  | ^^^^^^^^^^^",
        ),
    ] {
        let report = report(&[("run.toml", run.as_bytes()), base])?;
        assert_eq!(report, expected.trim_start());
    }
    Ok(())
}

#[test]
fn files_that_cannot_be_read_are_named() -> Outcome {
    let folder = folder(&[("run.toml", b"a = 1\nb = '\xff'"), ("sub/x.toml", b"")])?;
    for (path, expected) in [
        (
            folder.path().join("run.toml"),
            "error: `DIR/run.toml` is not UTF-8 text: see line 2",
        ),
        (
            folder.path().join("sub"),
            "error: `DIR/sub` is a folder, not a file",
        ),
        (
            folder.path().join("runn.toml"),
            "error: there is no file `DIR/runn.toml`\n  = help: did you mean `run.toml`?",
        ),
        (
            folder.path().join("run.toml/x.toml"),
            "error: cannot read `DIR/run.toml/x.toml`: Not a directory (os error 20)",
        ),
        ("".into(), "error: the path of the config file is empty"),
    ] {
        let error = file(&path).err().ok_or("this was read")?;
        assert_eq!(named(&error, folder.path()), expected);
    }
    Ok(())
}
