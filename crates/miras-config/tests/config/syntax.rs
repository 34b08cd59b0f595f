//! What is said about texts that are no TOML, and how places are drawn.

use crate::support::{flag, report, text};

#[test]
fn keys_written_twice_have_the_same_frame() {
    text(
        "a = 1\na = 2",
        "
error: `a` is written twice in one table
 --> run.toml:2:1
  |
2 | a = 2
  | ^",
    );
    text(
        "[a]\n[a]",
        "
error: `a` is written twice in one table
 --> run.toml:2:2
  |
2 | [a]
  |  ^",
    );
    text(
        "a = 1\na.b = 2",
        "
error: cannot extend value of type integer with a dotted key
 --> run.toml:2:1
  |
2 | a.b = 2
  | ^",
    );
}

#[test]
fn a_string_whose_quotes_end_too_early_says_so() {
    text(
        "a = \"q\".txt # a file",
        r#"
error: `.txt` stands outside of the quotes
 --> run.toml:1:8
  |
1 | a = "q".txt # a file
  |        ^^^^
  = help: quote all of it: `"q.txt"`"#,
    );
    text(
        "a = ['one', 'q'.txt]",
        r#"
error: `.txt` stands outside of the quotes
 --> run.toml:1:16
  |
1 | a = ['one', 'q'.txt]
  |                ^^^^
  = help: quote all of it: `"q.txt"`"#,
    );
    flag(
        "model.name=\"q\".txt",
        r#"
error: `.txt` stands outside of the quotes
 --> --set:1:15
  |
1 | model.name="q".txt
  |               ^^^^
  = help: quote all of it: `"q.txt"`"#,
    );
    text(
        "a = 'q' + 'b'",
        "
error: unexpected key or value, expected newline, `#`
 --> run.toml:1:9
  |
1 | a = 'q' + 'b'
  |         ^",
    );
}

#[test]
fn values_that_are_no_toml_have_the_same_frame() {
    text(
        "a =",
        "
error: a value is missing here
 --> run.toml:1:4
  |
1 | a =
  |    ^",
    );
    text(
        "a = foo",
        r#"
error: `foo` is no TOML value
 --> run.toml:1:5
  |
1 | a = foo
  |     ^^^
  = help: strings need quotes: `"foo"`"#,
    );
    text(
        "a = [1, 2",
        "
error: unclosed array, expected `]`
 --> run.toml:1:10
  |
1 | a = [1, 2
  |          ^",
    );
    text(
        "[a",
        "
error: unclosed table, expected `]`
 --> run.toml:1:3
  |
1 | [a
  |   ^",
    );
    text(
        r#"a = "x"#,
        r#"
error: invalid basic string, expected `"`
 --> run.toml:1:7
  |
1 | a = "x
  |       ^"#,
    );
    text(
        "a b = 1",
        "
error: key with no value, expected `=`
 --> run.toml:1:3
  |
1 | a b = 1
  |   ^",
    );
    text(
        "a = 99999999999999999999",
        "
error: the integer 99999999999999999999 does not fit in 64 bits
 --> run.toml:1:5
  |
1 | a = 99999999999999999999
  |     ^^^^^^^^^^^^^^^^^^^^",
    );
    text(
        "a = 1__0",
        "
error: `_` may only go between digits
 --> run.toml:1:6
  |
1 | a = 1__0
  |      ^",
    );
    text(
        "a = 1\r\nb =\r\n",
        "
error: a value is missing here
 --> run.toml:2:4
  |
2 | b =
  |    ^",
    );
}

#[test]
fn what_is_no_value_is_told_by_what_stands_there() {
    let said = |text: &str| {
        let report = report(&[("run.toml", text)], &[]);
        let message = report.lines().next().unwrap_or_default().to_owned();
        let help = report
            .split_once("= help: ")
            .map(|(_, help)| help.to_owned());
        (message, help)
    };
    for (text, word) in [
        ("a = null", "null"),
        ("a = ./x # b", "./x"),
        ("a = -x", "-x"),
        ("a = 10%", "10%"),
        ("a = [\n  x,\n]", "x"),
        ("a = [1 2]", "1 2"),
        ("a = { b = x }", "x"),
    ] {
        let message = format!("error: `{word}` is no TOML value");
        let help = format!("strings need quotes: `\"{word}\"`");
        assert_eq!(said(text), (message, Some(help)), "{text}");
    }
    for (text, message) in [
        ("a = { b = }", "a value is missing here"),
        ("a = # b", "a value is missing here"),
        (
            "a = 0xFFFF_FFFF_FFFF_FFFF_F",
            "the integer 0xFFFF_FFFF_FFFF_FFFF_F does not fit in 64 bits",
        ),
        ("a = 01", "unexpected leading zero"),
        ("a = [1,,2]", "extra comma in array, expected value"),
        ("a = {b = 1, b = 2}", "`b` is written twice in one table"),
        (
            "\"a\" = 1\n\"a\" = 2",
            "`\"a\"` is written twice in one table",
        ),
    ] {
        assert_eq!(said(text).0, format!("error: {message}"), "{text}");
    }
}

#[test]
fn tabs_and_wide_letters_keep_the_caret_in_place() {
    text(
        "\t[model]\n\tdim\t=\t'ü' # c",
        "
error: expected an integer, found the string \"ü\"
 --> run.toml:2:8  (model.dim)
  |
2 | \tdim\t=\t'ü' # c
  | \t   \t \t^^^",
    );
    text(
        "[model]\nheads = [{ \"größe\" = 1 }]",
        r#"
error: unknown field `größe`, expected `size`
 --> run.toml:2:12  (model.heads[0]."größe")
  |
2 | heads = [{ "größe" = 1 }]
  |            ^^^^^^^"#,
    );
    text(
        "\n\n\n\n\n\n\n\n\n[model]\nlr = \"\"\"\nx\n\"\"\"",
        r#"
error: expected a number, found the string "x\n"
  --> run.toml:11:6  (model.lr)
   |
11 | lr = """
   |      ^^^"#,
    );
}
