//! What is said about `--set` and about layers that do not fit together.

use crate::support::{flag, report, text};

#[test]
fn a_set_flag_that_is_no_assignment_says_so() {
    flag(
        "model",
        "
error: expected KEY=VALUE
 --> --set:1:1
  |
1 | model
  | ^^^^^
  = help: for example `--set memory.kind=matrix`",
    );
    flag(
        "",
        "
error: expected KEY=VALUE
 --> --set:1:1
  |
1 |
  | ^
  = help: for example `--set memory.kind=matrix`",
    );
    flag(
        "=3",
        "
error: a key is missing before `=`
 --> --set:1:1
  |
1 | =3
  | ^
  = help: a key is names joined by dots, like `memory.kind`",
    );
    flag(
        "a b=3",
        "
error: `a b` is no key
 --> --set:1:1
  |
1 | a b=3
  | ^^^
  = help: a key is names joined by dots, like `memory.kind`",
    );
    flag(
        "a..b=1",
        "
error: `a..b` is no key
 --> --set:1:1
  |
1 | a..b=1
  | ^^^^
  = help: a key is names joined by dots, like `memory.kind`",
    );
    flag(
        "[a]\n[b]\nc=3",
        "
error: `[a]\n[b]\nc` is no key
 --> --set:1:1
  |
1 | [a]
  | ^^^
  = help: a key is names joined by dots, like `memory.kind`",
    );
    flag(
        "#=3",
        "
error: `#` is no key
 --> --set:1:1
  |
1 | #=3
  | ^
  = help: a key is names joined by dots, like `memory.kind`",
    );
}

#[test]
fn a_flag_with_a_broken_value_says_so() {
    flag(
        "model.dim=",
        "
error: a value is missing after `=`
 --> --set:1:11  (model.dim)
  |
1 | model.dim=
  |           ^",
    );
    flag(
        "model.dim=[1",
        "
error: unclosed array, expected `]`
 --> --set:1:13
  |
1 | model.dim=[1
  |             ^
  = help: if it is text, quote it: `--set 'model.dim=\"[1\"'`",
    );
    flag(
        "model.dim='x",
        "
error: invalid literal string, expected `'`
 --> --set:1:13
  |
1 | model.dim='x
  |             ^",
    );
    flag(
        "model.lr=99999999999999999999",
        "
error: the integer 99999999999999999999 does not fit in 64 bits
 --> --set:1:10
  |
1 | model.lr=99999999999999999999
  |          ^^^^^^^^^^^^^^^^^^^^",
    );
    flag(
        "model.lr=1e-4x",
        r#"
error: expected a number, found the string "1e-4x"
 --> --set:1:10  (model.lr)
  |
1 | model.lr=1e-4x
  |          ^^^^^"#,
    );
}

#[test]
fn a_table_and_another_value_clash() {
    flag(
        "model.dim.x=1",
        "
error: `model.dim` is an integer in base.toml:2, but is used as a table here
 --> --set:1:7  (model.dim)
  |
1 | model.dim.x=1
  |       ^^^",
    );
    flag(
        "model=3",
        "
error: `model` is a table in base.toml:1, but is used as an integer here
 --> --set:1:7  (model)
  |
1 | model=3
  |       ^",
    );
}

#[test]
fn a_flag_that_leaves_nothing_of_another_says_so() {
    let base = [("base.toml", "[memory]\nkind = \"mlp\"\ndepth = 2\n")];
    let expected = "
error: `--set memory=matrix` discards the earlier `--set memory.depth=3`
 --> --set:1:8  (memory)
  |
1 | memory=matrix
  |        ^^^^^^
  = help: put it first, or choose the kind alone with `memory.kind`";
    for texts in [&base[..], &[]] {
        assert_eq!(
            report(texts, &["memory.depth=3", "memory=matrix"]),
            expected.trim_start()
        );
    }
    let expected = "
error: `--set memory.kind=matrix` discards the earlier `--set memory.depth=3`
 --> --set:1:14  (memory.depth)
  |
1 | memory.depth=3
  |              ^
  = help: leave the earlier one out: it belongs to another kind";
    assert_eq!(
        report(&base, &["memory.depth=3", "memory.kind=matrix"]),
        expected.trim_start()
    );
    for flags in [
        ["memory=mlp", "memory=matrix"],
        ["memory.kind=mlp", "memory=matrix"],
        ["memory=matrix", "memory=matrix"],
        ["model.dim=8", "model.dim=16"],
    ] {
        assert_eq!(report(&base, &flags), "ok", "{flags:?}");
    }
}

#[test]
fn extends_works_in_files_only() {
    text(
        r#"extends = "a.toml""#,
        r#"
error: `extends` works in files only
 --> run.toml:1:11  (extends)
  |
1 | extends = "a.toml"
  |           ^^^^^^^^"#,
    );
    flag(
        "extends=a.toml",
        "
error: `extends` works in files only
 --> --set:1:9  (extends)
  |
1 | extends=a.toml
  |         ^^^^^^",
    );
}
