//! Files that a program carries in itself.

use std::{error::Error, fs};

use miras_config::{Layers, Library};

type Outcome = Result<(), Box<dyn Error>>;

const LIBRARY: Library = Library::new(
    &[
        (
            "presets/base.toml",
            "seed = 1\n[model]\ndim = 8\nlayers = 4",
        ),
        (
            "presets/tiny.toml",
            "extends = 'base.toml'\n[model]\ndim = 16",
        ),
        (
            "presets/wrong.toml",
            "extends = ['tiny.toml']\n[model]\ndmi = 16",
        ),
        (
            "recall/tiny.toml",
            "extends = ['../presets/tiny.toml']\n[model]\nlayers = 1",
        ),
    ],
    &["presets"],
    "`list` lists them",
);

/// The settled number of `model.KEY`, and where it comes from.
fn number(layers: Layers, key: &str) -> Result<(i64, String), Box<dyn Error>> {
    let mut tree = layers.merge()?;
    let number: Option<i64> = tree.value(&format!("model.{key}"))?;
    tree.section::<toml::Table>("")?;
    let origin = tree.finish()?.of(&format!("model.{key}"));
    Ok((
        number.ok_or("not set")?,
        origin.ok_or("no origin")?.to_string(),
    ))
}

fn named(name: &str) -> Result<Layers, miras_config::ConfigError> {
    let mut layers = Layers::with_library(LIBRARY);
    layers.file(name.as_ref())?;
    Ok(layers)
}

#[test]
fn names_lead_to_files_that_extend_each_other() -> Outcome {
    for (name, key, expected) in [
        ("tiny", "dim", (16, "tiny (built in):3")),
        ("tiny", "layers", (4, "base (built in):4")),
        ("presets/tiny", "layers", (4, "base (built in):4")),
        ("recall/tiny", "dim", (16, "tiny (built in):3")),
        ("recall/tiny", "layers", (1, "recall/tiny (built in):3")),
    ] {
        let found = number(named(name)?, key)?;
        assert_eq!((found.0, &*found.1), expected, "{name}");
    }
    let names: Vec<_> = LIBRARY.names().collect();
    assert_eq!(names, ["base", "tiny", "wrong", "recall/tiny"]);
    assert!(
        LIBRARY
            .text("tiny")
            .is_some_and(|text| text.contains("dim = 16"))
    );
    Ok(())
}

#[test]
fn a_file_on_the_disk_goes_first_and_may_extend_a_name() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mine.toml");
    fs::write(&file, "extends = 'recall/tiny'\n[model]\ndim = 32")?;
    let mut layers = Layers::with_library(LIBRARY);
    layers.file(&file)?;
    let (layers_set, _) = number(layers.clone(), "layers")?;
    assert_eq!((number(layers, "dim")?.0, layers_set), (32, 1));

    // A file of the name, beside the one that extends it.
    fs::create_dir(folder.path().join("recall"))?;
    fs::write(folder.path().join("recall/tiny"), "[model]\nlayers = 9")?;
    let mut layers = Layers::with_library(LIBRARY);
    layers.file(&file)?;
    assert_eq!(number(layers, "layers")?.0, 9);
    Ok(())
}

#[test]
fn a_mistake_in_it_is_shown_there() -> Outcome {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Model {
        #[serde(rename = "dim")]
        _dim: usize,
        #[serde(rename = "layers")]
        _layers: usize,
    }
    let mut tree = named("wrong")?.merge()?;
    let error = tree
        .section::<Model>("model")
        .err()
        .ok_or("this was read")?;
    assert_eq!(
        error.to_string(),
        "\
error: unknown field `dmi`, expected `dim` or `layers`
 --> wrong (built in):3:1  (model.dmi)
  |
3 | dmi = 16
  | ^^^
  = help: did you mean `dim`?"
    );
    Ok(())
}

#[test]
fn a_name_that_is_not_there_gets_a_suggestion() {
    for (name, help) in [
        ("tinny", "did you mean `tiny`, which is built in?"),
        ("tiny.toml", "did you mean `tiny`, which is built in?"),
        (
            "configs/presets/tiny.toml",
            "did you mean `tiny`, which is built in?",
        ),
        (
            "recall/tinny",
            "did you mean `recall/tiny`, which is built in?",
        ),
        ("zzz", "`list` lists them"),
        ("model.dim=8", "to set a key, write `--set model.dim=8`"),
    ] {
        let error = named(name).map(|_| ()).unwrap_err();
        assert_eq!(error.message(), format!("there is no file `{name}`"));
        assert_eq!(error.advice(), Some(help), "{name}");
    }
}
