//! A small tokenizer for tests, and text that is awkward to cut.

use std::path::PathBuf;

use crate::Tokenizer;

/// 512 byte-level tokens, trained on the built-in corpus; `tests.rs` makes the file.
pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/stories-512.json")
}

pub(crate) fn tokenizer() -> Tokenizer {
    Tokenizer::open(path().to_str().unwrap()).unwrap()
}

/// Line ends of all kinds, runs of white space, long lines, contractions, characters of two to
/// four bytes, an added token.
pub(crate) fn awkward() -> String {
    let lines = [
        "It's what they'd said, we'll see: 'twas 1234567 or 12 34.\n",
        "\n\n  \n \n",
        "Tabs\tand  two spaces \n and a space at a line end \n",
        "Windows\r\nline ends\r\n\r\n",
        "Straße, naïve, Ελλάδα, 中文字没有空格。\n中文\n😀😀 😀\n",
        "\u{a0}\u{2028}no-break and separator\u{85}next\n",
        "<|end|>\n<|end|>the story ends. <|end|> \n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "------------------------------------\n....!!!\n",
        "    indented:\n        more\n    less\n",
        "One long line without an end but with words in it. ",
    ];
    let mut text = String::new();
    // Every line meets every other.
    for at in 0..lines.len() {
        for step in 0..lines.len() {
            text.push_str(lines[(at * step + step) % lines.len()]);
        }
        text.push_str(lines[at]);
    }
    text
}
