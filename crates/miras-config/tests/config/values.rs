//! What is said about values that do not fit.

use crate::support::{flag, layers, load, report, text};

#[test]
fn a_wrong_type_is_shown_at_the_value_in_plain_words() {
    text(
        "[model]\ndim = \"two\"",
        r#"
error: expected an integer, found the string "two"
 --> run.toml:2:7  (model.dim)
  |
2 | dim = "two"
  |       ^^^^^"#,
    );
    text(
        "[model]\ndim = 1.0",
        "
error: expected an integer, found the number 1.0
 --> run.toml:2:7  (model.dim)
  |
2 | dim = 1.0
  |       ^^^
  = help: write it as 1",
    );
    text(
        "[model]\nlr = \"x\"",
        r#"
error: expected a number, found the string "x"
 --> run.toml:2:6  (model.lr)
  |
2 | lr = "x"
  |      ^^^"#,
    );
    text(
        "[model]\ntied = 1",
        "
error: expected `true` or `false`, found the integer 1
 --> run.toml:2:8  (model.tied)
  |
2 | tied = 1
  |        ^",
    );
    text(
        "[model]\nname = 3",
        "
error: expected a string, found the integer 3
 --> run.toml:2:8  (model.name)
  |
2 | name = 3
  |        ^
  = help: write it in quotes: \"3\"",
    );
    text(
        "[model]\nlimit = \"x\"",
        r#"
error: expected an integer, found the string "x"
 --> run.toml:2:9  (model.limit)
  |
2 | limit = "x"
  |         ^^^"#,
    );
}

#[test]
fn tables_arrays_and_names_are_not_mixed_up() {
    text(
        "[model]\nheads = 3",
        "
error: expected an array, found the integer 3
 --> run.toml:2:9  (model.heads)
  |
2 | heads = 3
  |         ^",
    );
    text(
        "model = [1, 2]",
        "
error: expected a table, found an array
 --> run.toml:1:9  (model)
  |
1 | model = [1, 2]
  |         ^^^^^^",
    );
    text(
        "[model]\nschedule = \"cosine\"",
        r#"
error: expected a table, found a name alone
 --> run.toml:2:12  (model.schedule)
  |
2 | schedule = "cosine"
  |            ^^^^^^^^"#,
    );
    text(
        "[model]\nactivation = 3",
        "
error: expected one of `gelu`, `silu`, `relu`, found an integer
 --> run.toml:2:14  (model.activation)
  |
2 | activation = 3
  |              ^",
    );
    text(
        "[model]\nschedule = { cosine = { warmup = 1 }, constant = 1 }",
        "
error: expected a table with one key, `constant` or `cosine`, found 2 keys
 --> run.toml:2:12  (model.schedule)
  |
2 | schedule = { cosine = { warmup = 1 }, constant = 1 }
  |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
    text(
        r#"memory = "mlp""#,
        r#"
error: expected a table, found a string
 --> run.toml:1:10  (memory)
  |
1 | memory = "mlp"
  |          ^^^^^
  = help: to choose a kind, write `memory.kind = "mlp"`"#,
    );
}

#[test]
fn a_wrong_type_in_a_flag_is_shown_in_the_flag() {
    flag(
        "memory.depth=two",
        r#"
error: expected an integer, found the string "two"
 --> --set:1:14  (memory.depth)
  |
1 | memory.depth=two
  |              ^^^"#,
    );
    flag(
        "model={dim=8, lr='x'}",
        r#"
error: expected a number, found the string "x"
 --> --set:1:18  (model.lr)
  |
1 | model={dim=8, lr='x'}
  |                  ^^^"#,
    );
    flag("model=tiny","
error: unknown field `kind`, expected one of `dim`, `layers`, `lr`, `dropout`, `tied`, `name`, `activation`, `schedule`, `betas`, `heads`, `limit`
 --> --set:1:1  (model.kind)
  |
1 | model=tiny
  | ^^^^^
  = help: a bare word for the table `model` names its kind");
}

#[test]
fn a_number_out_of_range_names_the_range() {
    text(
        "[model]\nlayers = 300",
        "
error: expected an integer from 0 to 255, found the integer 300
 --> run.toml:2:10  (model.layers)
  |
2 | layers = 300
  |          ^^^",
    );
    text(
        "[model]\ndim = -1",
        "
error: expected an integer of at least 0, found the integer -1
 --> run.toml:2:7  (model.dim)
  |
2 | dim = -1
  |       ^^",
    );
    text(
        "[model]\nlimit = -1",
        "
error: expected an integer from 0 to 4294967295, found the integer -1
 --> run.toml:2:9  (model.limit)
  |
2 | limit = -1
  |         ^^",
    );
}

#[test]
fn array_elements_and_lengths_are_checked() {
    text(
        "[model]\nbetas = [0.9, \"é\"]",
        r#"
error: expected a number, found the string "é"
 --> run.toml:2:15  (model.betas[1])
  |
2 | betas = [0.9, "é"]
  |               ^^^"#,
    );
    text(
        "[model]\nbetas = [1, 2, 3]",
        "
error: expected an array of length 2, found one of length 3
 --> run.toml:2:9  (model.betas)
  |
2 | betas = [1, 2, 3]
  |         ^^^^^^^^^",
    );
    text(
        "[model]\nbetas = [1]",
        "
error: expected an array of length 2, found one of length 1
 --> run.toml:2:9  (model.betas)
  |
2 | betas = [1]
  |         ^^^",
    );
}

#[test]
fn a_number_in_a_flag_is_a_text_where_a_text_belongs() {
    for (flag, expected) in [
        ("model.name=2024", "2024"),
        ("model.name=1e5", "1e5"),
        ("model.name=007", "007"),
        ("model.name=0x10", "0x10"),
        ("model.name=true", "true"),
        ("model.name=inf", "inf"),
        ("model={name=1.50}", "1.50"),
        ("model.name=\"[draft] a\"", "[draft] a"),
    ] {
        let (config, _) = load(layers(&[], &[flag]).unwrap()).unwrap();
        assert_eq!(config.model.name, expected, "{flag}");
    }
    flag(
        "model.name=[draft] a.txt",
        r#"
error: unexpected content
 --> --set:1:19
  |
1 | model.name=[draft] a.txt
  |                   ^
  = help: if it is text, quote it: `--set 'model.name="[draft] a.txt"'`"#,
    );
}

#[test]
fn a_number_in_other_words_is_told_how_to_be_written() {
    for (value, help) in [
        ("model.dim=1e3", Some("write it as 1000")),
        ("model.dim=8.0", Some("write it as 8")),
        ("model.dim='64'", Some("write it as 64")),
        ("model.dim=1,024", Some("write it as 1024")),
        ("model.dim=8.5", None),
        ("model.layers='300'", None),
        ("model.layers=1e9", None),
        ("model.dim=inf", None),
        ("model.lr='1e-3'", Some("write it as 0.001")),
        ("model.lr='2'", Some("write it as 2")),
        ("model.tied='true'", Some("write it as true")),
        ("model.lr=fast", None),
    ] {
        let error = report(&[], &[value]);
        let found = error.split_once("= help: ").map(|(_, help)| help);
        assert_eq!(found, help, "{error}");
    }
    for value in ["model.dim=1_000", "model.dim=+8", "model.lr=1"] {
        assert_eq!(report(&[], &[value]), "ok", "{value}");
    }
}
