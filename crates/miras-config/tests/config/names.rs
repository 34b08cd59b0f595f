//! What is said about names that nothing knows.

use miras_config::Layers;

use crate::support::{Model, flag, text};

#[test]
fn a_misspelled_key_is_shown_at_the_key_with_the_nearest_name() {
    text(
        "[memory]\nkind = \"mlp\"\ndepth = 2\nexpansoin = 4",
        "
error: unknown field `expansoin`, expected `depth` or `expansion`
 --> run.toml:4:1  (memory.expansoin)
  |
4 | expansoin = 4
  | ^^^^^^^^^
  = help: did you mean `expansion`?",
    );
    text(
        "[memory]\nkindd = \"matrix\"",
        r#"
error: unknown field `kindd`, expected `kind`
 --> run.toml:2:1  (memory.kindd)
  |
2 | kindd = "matrix"
  | ^^^^^
  = help: did you mean `kind`?"#,
    );
    text(
        "[model]\nheads = [{ size = 1 }, { size = 2, siez = 3 }]",
        "
error: unknown field `siez`, expected `size`
 --> run.toml:2:36  (model.heads[1].siez)
  |
2 | heads = [{ size = 1 }, { size = 2, siez = 3 }]
  |                                    ^^^^
  = help: did you mean `size`?",
    );
    text(
        "[model]\nschedule = { cosine = { warmpu = 2 } }",
        "
error: unknown field `warmpu`, expected `warmup`
 --> run.toml:2:25  (model.schedule.cosine.warmpu)
  |
2 | schedule = { cosine = { warmpu = 2 } }
  |                         ^^^^^^
  = help: did you mean `warmup`?",
    );
    flag(
        "memory.expansoin=4",
        "
error: unknown field `expansoin`, expected `depth` or `expansion`
 --> --set:1:8  (memory.expansoin)
  |
1 | memory.expansoin=4
  |        ^^^^^^^^^
  = help: did you mean `expansion`?",
    );
    flag(
        "model.heads=[{size=1},{siz=2}]",
        "
error: unknown field `siz`, expected `size`
 --> --set:1:24  (model.heads[1].siz)
  |
1 | model.heads=[{size=1},{siz=2}]
  |                        ^^^
  = help: did you mean `size`?",
    );
}

#[test]
fn what_no_part_takes_is_an_error() {
    text(
        "[memroy]\nx = 1",
        "
error: unknown section `memroy`, expected one of `memory`, `model`, `seed`
 --> run.toml:1:2  (memroy)
  |
1 | [memroy]
  |  ^^^^^^
  = help: did you mean `memory`?",
    );
    text(
        "sede = 1",
        "
error: unknown field `sede`, expected one of `memory`, `model`, `seed`
 --> run.toml:1:1  (sede)
  |
1 | sede = 1
  | ^^^^
  = help: did you mean `seed`?",
    );
    text(
        "['ké y']\nx = 1",
        r#"
error: unknown section `ké y`, expected one of `memory`, `model`, `seed`
 --> run.toml:1:2  ("ké y")
  |
1 | ['ké y']
  |  ^^^^^^"#,
    );
    flag(
        "depth=3",
        "
error: unknown field `depth`, expected one of `memory`, `model`, `seed`
 --> --set:1:1  (depth)
  |
1 | depth=3
  | ^^^^^",
    );
}

#[test]
fn an_unknown_enum_value_is_shown_at_the_value() {
    text(
        "[model]\nactivation = \"gleu\"",
        r#"
error: unknown value `gleu`, expected one of `gelu`, `silu`, `relu`
 --> run.toml:2:14  (model.activation)
  |
2 | activation = "gleu"
  |              ^^^^^^
  = help: did you mean `gelu`?"#,
    );
    text(
        "[model]\nschedule = { cosin = { warmup = 1 } }",
        "
error: unknown value `cosin`, expected `constant` or `cosine`
 --> run.toml:2:14  (model.schedule.cosin)
  |
2 | schedule = { cosin = { warmup = 1 } }
  |              ^^^^^
  = help: did you mean `cosine`?",
    );
    flag(
        "model.activation=glu",
        "
error: unknown value `glu`, expected one of `gelu`, `silu`, `relu`
 --> --set:1:18  (model.activation)
  |
1 | model.activation=glu
  |                  ^^^
  = help: did you mean `gelu`?",
    );
}

#[test]
fn a_missing_field_names_the_key_to_add() {
    text(
        "[memory]\nkind = \"mlp\"",
        "
error: missing field `depth`
 --> run.toml:1:1  (memory)
  |
1 | [memory]
  | ^^^^^^^^
  = help: add `depth = ...` to `memory`",
    );
    text(
        "[[model.heads]]\nsize = 1\n[[model.heads]]",
        "
error: missing field `size`
 --> run.toml:3:1  (model.heads[1])
  |
3 | [[model.heads]]
  | ^^^^^^^^^^^^^^^
  = help: add `size = ...` to `model.heads[1]`",
    );
    flag(
        "memory=mlp",
        "
error: missing field `depth`
 --> --set:1:8  (memory)
  |
1 | memory=mlp
  |        ^^^
  = help: add `depth = ...` to `memory`",
    );
}

#[test]
fn checks_of_the_program_point_at_the_value() {
    text(
        "[model]\ndim = 9",
        "
error: must be a multiple of 8
 --> run.toml:2:7  (model.dim)
  |
2 | dim = 9
  |       ^",
    );
    text(
        "[memory]\nkind = \"matrx\"",
        r#"
error: unknown kind `matrx`
 --> run.toml:2:8  (memory.kind)
  |
2 | kind = "matrx"
  |        ^^^^^^^
  = help: did you mean `matrix`?"#,
    );
    flag(
        "memory.kind=matrx",
        "
error: unknown kind `matrx`
 --> --set:1:13  (memory.kind)
  |
1 | memory.kind=matrx
  |             ^^^^^
  = help: did you mean `matrix`?",
    );
    flag(
        "model.dim = 9",
        "
error: must be a multiple of 8
 --> --set:1:13  (model.dim)
  |
1 | model.dim = 9
  |             ^",
    );
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_belongs() {
    let error = |text: &str, takes_model: bool| {
        let mut layers = Layers::new();
        layers.text("run.toml", text).unwrap();
        let mut tree = layers.merge().unwrap();
        tree.belongs("model.decay", "retention.kind = \"l2\"");
        tree.belongs("model.dims", "data.kind = \"text\"");
        let known = [
            "optim.lr",
            "eval.every",
            "log.every",
            "a.x",
            "b.x",
            "c.x",
            "d.x",
        ];
        tree.suggest(known.map(str::to_owned));
        let read = if takes_model {
            tree.section::<Model>("model").map(drop)
        } else {
            Ok(())
        };
        read.and_then(|()| tree.finish()).unwrap_err().to_string()
    };
    for (text, takes_model, help) in [
        (
            "[model]\ndecay = 1",
            true,
            Some("`decay` belongs to retention.kind = \"l2\""),
        ),
        // One slip from a key of the table, and a key of another kind near it.
        (
            "[model]\ndims = 1",
            true,
            Some("did you mean `dim`? `dims` belongs to data.kind = \"text\""),
        ),
        (
            "[model]\ndecayed = 1",
            true,
            Some("did you mean `decay`, which belongs to retention.kind = \"l2\"?"),
        ),
        (
            "[model]\nevery = 1",
            true,
            Some("did you mean `eval.every` or `log.every`?"),
        ),
        ("lr = 1", false, Some("did you mean `optim.lr`?")),
        // In too many places, in none, or misspelled: as ever.
        ("[model]\nx = 1", true, None),
        ("[model]\ndmi = 1", true, Some("did you mean `dim`?")),
    ] {
        let shown = error(text, takes_model);
        let found = shown.split_once("= help: ").map(|(_, help)| help);
        assert_eq!(found, help, "{shown}");
    }
}
