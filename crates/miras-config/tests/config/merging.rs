//! Which layer wins, what is dropped, and who is said to have written what.

use miras_config::{ConfigError, Layers, Origin};
use toml::Table;

use crate::support::{Memory, Mlp, layers, load, report};

fn line(source: &str, line: usize) -> Origin {
    let source = source.to_owned();
    Origin::Line { source, line }
}

#[test]
fn later_layers_win_key_by_key() -> Result<(), ConfigError> {
    let base = (
        "base",
        "seed = 3\n[model]\ndim = 8\nlr = 1\nheads = [{ size = 1 }]",
    );
    let top = ("top", "[model]\ndim = 16\nheads = []\nbetas = [0, 1]");
    let (config, origins) = load(layers(&[base, top], &["model.dim=32", "model.name=big"])?)?;

    assert_eq!(config.seed, 3);
    assert_eq!(config.model.dim, 32);
    assert_eq!(config.model.name, "big");
    assert_eq!(config.model.heads, []);
    assert_eq!(config.model.layers, 2, "a default");
    for (path, expected) in [
        ("seed", Some(line("base", 1))),
        ("model", Some(line("top", 1))),
        ("model.lr", Some(line("base", 4))),
        ("model.heads", Some(line("top", 3))),
        ("model.heads[0]", None),
        ("model.betas[1]", Some(line("top", 4))),
        ("model.dim", Some(Origin::Set)),
        ("model.layers", None),
    ] {
        assert_eq!(origins.of(path), expected, "{path}");
    }
    Ok(())
}

#[test]
fn an_integer_does_for_a_number() -> Result<(), ConfigError> {
    let text = ("run", "[model]\nlr = 1\ndropout = 0\nbetas = [0, 1]");
    let (config, _) = load(layers(&[text], &[])?)?;
    assert_eq!(config.model.lr.to_bits(), 1.0_f64.to_bits());
    assert_eq!(config.model.dropout.to_bits(), 0.0_f32.to_bits());
    assert_eq!(
        config.model.betas.map(f64::to_bits),
        [0.0, 1.0].map(f64::to_bits)
    );
    Ok(())
}

#[test]
fn a_flag_takes_toml_and_bare_words() -> Result<(), ConfigError> {
    for (value, expected) in [
        ("matrix", "s = 'matrix'"),
        ("/x/y.txt", "s = '/x/y.txt'"),
        ("a=b", "s = 'a=b'"),
        ("two words ", "s = 'two words'"),
        ("\"3\"", "s = '3'"),
        ("'3'", "s = '3'"),
        ("1e-4", "s = 1e-4"),
        ("true", "s = true"),
        ("True", "s = 'True'"),
        (" [1, 2]", "s = [1, 2]"),
        ("{ a = 1 }", "s = { a = 1 }"),
    ] {
        let mut tree = layers(&[], &[&format!("s={value}")])?.merge()?;
        let table: Table = tree.section("")?;
        assert_eq!(Ok(table), expected.parse(), "{value}");
    }
    Ok(())
}

#[test]
fn a_quoted_key_is_one_key() -> Result<(), ConfigError> {
    let mut tree = layers(&[("run", "[axes]\n'a.b' = 1")], &["axes.\"a.b\"=2"])?.merge()?;
    assert!(tree.is_set("axes.\"a.b\""));
    let axes: Table = tree.section("axes")?;
    assert_eq!(axes, Table::from_iter([("a.b".to_owned(), 2.into())]));
    Ok(())
}

#[test]
fn a_bare_kind_starts_its_table_afresh() -> Result<(), ConfigError> {
    let base = ("base", "[memory]\nkind = 'mlp'\ndepth = 2\nexpansion = 4");
    let mlp = |depth, expansion| Memory::Mlp(Mlp { depth, expansion });
    for (flags, expected) in [
        (&["memory.depth=3"][..], mlp(3, 4)),
        (&["memory=mlp", "memory.depth=3"], mlp(3, 0)),
    ] {
        let (config, origins) = load(layers(&[base], flags)?)?;
        assert_eq!(config.memory, expected);
        assert_eq!(origins.of("memory.depth"), Some(Origin::Set));
    }
    assert_eq!(report(&[base], &["memory=matrix"]), "ok");
    // The same with no table below.
    let (config, origins) = load(layers(&[], &["memory=mlp", "memory.depth=3"])?)?;
    assert_eq!(config.memory, mlp(3, 0));
    assert_eq!(origins.of("memory.kind"), Some(Origin::Set));
    assert_eq!(report(&[], &["memory=matrix"]), "ok");
    Ok(())
}

#[test]
fn keys_of_another_kind_are_dropped_only_from_below_the_choice() -> Result<(), ConfigError> {
    let base = ("base", "[memory]\nkind = 'mlp'\ndepth = 2");
    let matrix = ("top", "[memory]\nkind = 'matrix'");
    let (_, origins) = load(layers(&[base, matrix], &[])?)?;
    assert_eq!(origins.of("memory.depth"), None);

    let unknown = "error: unknown field `depth`";
    for (texts, flags, expected) in [
        (&[base][..], &["memory.kind=matrix"][..], "ok"),
        (&[base, matrix], &["memory.depth=3"], unknown),
        (
            &[("same", "[memory]\nkind = 'matrix'\ndepth = 3")],
            &[],
            unknown,
        ),
        // No kind was chosen, so nothing belonged to another one.
        (&[("none", "[memory]\ndepth = 3")], &[], unknown),
    ] {
        let report = report(texts, flags);
        assert!(report.starts_with(expected), "{report}");
    }
    Ok(())
}

#[test]
fn naming_the_same_kind_again_hides_no_mistake() {
    let base = ("base", "[memory]\nkind = 'mlp'\ndepth = 2\nexpansoin = 4");
    let report = report(&[base], &["memory.kind=mlp"]);
    assert!(report.contains("base:4:1  (memory.expansoin)"), "{report}");
}

#[test]
fn a_value_left_from_another_kind_that_does_not_fit_says_so() {
    let base = ("base", "[memory]\nkind = 'matrix'\ndepth = 'full'");
    assert_eq!(
        report(&[base], &["memory.kind=mlp"]),
        "\
error: expected an integer, found the string \"full\"
 --> base:3:9  (memory.depth)
  |
3 | depth = 'full'
  |         ^^^^^^
  = help: this was written for another `memory.kind`; set it again"
    );
}

#[test]
fn an_error_at_a_default_says_that_it_is_one() -> Result<(), ConfigError> {
    let tree = layers(&[("run", "[optim]\nlr = 1")], &[])?.merge()?;
    for (path, expected) in [
        (
            "optim.beta",
            "\
error: too large
 --> run:1:1  (optim.beta, a default)
  |
1 | [optim]
  | ^^^^^^^
  = help: lower it",
        ),
        (
            "data.beta",
            "error: too large\n --> default value  (data.beta)\n  = help: lower it",
        ),
    ] {
        let error = tree.error(path, "too large", Some("lower it".to_owned()));
        assert_eq!(error.to_string(), expected);
    }
    Ok(())
}

#[test]
fn only_files_and_flags_count_as_set() -> Result<(), ConfigError> {
    let tree = layers(
        &[("built in", "[model]\ndim = 8\nlr = 1")],
        &["model.dim=16"],
    )?
    .merge()?;
    for (path, expected) in [
        ("model.dim", true),
        ("model", true),
        ("model.lr", false),
        ("mode", false),
    ] {
        assert_eq!(tree.is_set(path), expected, "{path}");
    }
    Ok(())
}

#[test]
fn no_layers_are_an_empty_tree() -> Result<(), ConfigError> {
    let mut tree = Layers::new().merge()?;
    assert_eq!(tree.value::<u8>("a.b")?, None);
    assert_eq!(tree.section::<Table>("c")?, Table::new());
    tree.finish()?;
    Ok(())
}
