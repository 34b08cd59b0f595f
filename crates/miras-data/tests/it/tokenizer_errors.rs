use std::fs;

use miras_data::{DataError, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::tokenizer_path as path;

/// A folder of files, and what is said to the tokenizer in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn setting(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn open(&self, name: &str) -> String {
        self.told(Tokenizer::open(&self.setting(name)).err().unwrap())
    }

    /// What encoding a text says with a changed tokenizer.
    fn encode(&self, change: impl FnOnce(&mut Value), text: &str) -> String {
        let mut json = serde_json::from_slice(&fs::read(path()).unwrap()).unwrap();
        change(&mut json);
        self.write("changed.json", &json.to_string());
        let tokenizer = Tokenizer::open(&self.setting("changed.json")).unwrap();
        self.told(tokenizer.encode(text.as_bytes()).unwrap_err())
    }

    fn told(&self, error: DataError) -> String {
        assert_eq!(error.field(), Some("tokenizer"));
        error
            .to_string()
            .replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn files_that_are_missing_are_named() {
    let place = Place::new();
    place.write("gpt2/vocab.json", "{\"a\": 0}");
    place.write("bare/readme.txt", "nothing");
    place.write("merges/merges.txt", "a b\n");
    place.write("own/mine.json", "{\"a\": 0}");
    for (name, expected) in [
        (
            "gtp2",
            "tokenizer: `DIR/gtp2` does not exist; did you mean `DIR/gpt2`?",
        ),
        (
            "bare",
            "tokenizer: `DIR/bare` is a folder without a tokenizer: it should hold a \
             tokenizer.json, or a vocab.json with merges.txt beside it",
        ),
        (
            "gpt2",
            "tokenizer: `DIR/gpt2` has a vocabulary without its merges: there is no `merges.txt` \
             beside `vocab.json`",
        ),
        (
            "merges/merges.txt",
            "tokenizer: `DIR/merges/merges.txt` has merges without a vocabulary: there is no \
             `vocab.json` beside `merges.txt`",
        ),
        (
            "own/mine.json",
            "tokenizer: `DIR/own/mine.json` is a vocabulary without its merges: there is no \
             `merges.txt` beside it",
        ),
    ] {
        assert_eq!(place.open(name), expected);
    }
}

#[test]
fn files_of_another_format_are_told_what_was_expected() {
    let place = Place::new();
    place.write("text.json", "once upon a time");
    place.write("list.json", "[1, 2]");
    place.write(
        "half/tokenizer.json",
        "{\"version\": \"1.0\", \"model\": {}}",
    );
    place.write("table/vocab.json", "[]");
    place.write("table/merges.txt", "");
    place.write("three/vocab.json", "{\"a\": 0}");
    place.write("three/merges.txt", "#version: 0.2\na b c\n");
    place.write("unknown/vocab.json", "{\"a\": 0, \"b\": 1}");
    place.write("unknown/merges.txt", "a b\n");
    place.write("none/vocab.json", "{}");
    place.write("none/merges.txt", "");
    let model = |model: Value| json!({ "version": "1.0", "added_tokens": [], "model": model });
    let words = model(json!({ "type": "WordLevel", "vocab": { "a": 0 }, "unk_token": "a" }));
    place.write("words.json", &words.to_string());
    let characters = model(json!({ "type": "BPE", "vocab": { "a": 0 }, "merges": [] }));
    place.write("characters.json", &characters.to_string());
    let merges = model(json!({ "type": "BPE", "vocab": { "a": 0 }, "merges": ["a b"] }));
    place.write("merges.json", &merges.to_string());
    for (name, expected) in [
        (
            "text.json",
            "is not JSON, expected a tokenizer.json, or a vocab.json with merges.txt beside it: ",
        ),
        (
            "list.json",
            "is JSON but no tokenizer, expected a tokenizer.json, or",
        ),
        ("half", "is no tokenizer.json that can be read: "),
        (
            "table",
            "has a vocabulary that is no JSON table of tokens and their numbers: ",
        ),
        (
            "three",
            "has merges whose line 2 is not two tokens with a space between: \"a b c\"",
        ),
        (
            "unknown",
            "has merges that do not fit its vocabulary: `a b` needs a token `ab`",
        ),
        (
            "merges.json",
            "has merges that do not fit its vocabulary: `a b` needs a token `b`",
        ),
        (
            "none",
            "has a vocabulary of 0 tokens, expected 1 to 16777216",
        ),
        (
            "words.json",
            "holds a WordLevel model, expected byte-level BPE as of GPT-2",
        ),
        (
            "characters.json",
            "is BPE over characters, expected byte-level BPE as of GPT-2",
        ),
    ] {
        let error = place.open(name);
        let expected = format!("tokenizer: `DIR/{name}` {expected}");
        assert!(error.starts_with(&expected), "{error}\nnot {expected}");
    }
}

#[test]
fn a_text_that_tokens_would_not_spell_is_refused() {
    let place = Place::new();
    let without = |json: &mut Value, token: &str| {
        // Its number stays, so that no other changes.
        let vocab = json["model"]["vocab"].as_object_mut().unwrap();
        let id = vocab.remove(token).unwrap();
        vocab.insert("<unk>".to_owned(), id);
    };
    assert_eq!(
        place.encode(|json| without(json, "Z"), "The Zoo"),
        "tokenizer: `DIR/changed.json` has no token for \"Zoo\" at byte 4 of the text"
    );
    let unknown = |json: &mut Value| {
        without(json, "Z");
        json["model"]["unk_token"] = "<unk>".into();
    };
    assert_eq!(
        place.encode(unknown, "The Zoo"),
        "tokenizer: `DIR/changed.json` has no token for \"Zoo\" at byte 4 of the text and writes \
         `<unk>`"
    );
    assert_eq!(
        place.encode(unknown, "ZZZ"),
        "tokenizer: `DIR/changed.json` knows nothing of the text, which becomes `<unk>` alone, \
         from \"ZZZ\" at byte 0 of the text on"
    );
    let spaced = |json: &mut Value| json["pre_tokenizer"]["add_prefix_space"] = true.into();
    assert_eq!(
        place.encode(spaced, "q"),
        "tokenizer: `DIR/changed.json` changes the text: at byte 0 of the text it has \" q\" for \"q\", and \
         bits a byte would mean nothing; use one without normalizer and without a space put in \
         front"
    );
    let lower = |json: &mut Value| json["normalizer"] = json!({ "type": "Lowercase" });
    let error = place.encode(lower, "so Big");
    assert!(
        error.contains("changes the text: at byte 2 of the text it has \" big\" for \" Big\""),
        "{error}"
    );
}

#[test]
fn an_added_token_that_swallows_white_space_is_named() {
    let place = Place::new();
    let with = |property: &'static str| {
        move |json: &mut Value| json["added_tokens"][0][property] = true.into()
    };
    for (property, text, at, side) in [
        ("lstrip", "Anna \n<|end|>", 4, "before"),
        ("lstrip", "Anna <|end|> <|end|>", 4, "before"),
        ("rstrip", "<|end|>  Anna", 7, "after"),
        ("rstrip", "Anna<|end|>\n", 11, "after"),
    ] {
        assert_eq!(
            place.encode(with(property), text),
            format!(
                "tokenizer: `DIR/changed.json` changes the text: at byte {at} of the text its \
                 added token `<|end|>` swallows the white space {side} it, because it has \
                 {property} = true: set that to false in tokenizer.json, or take the token out of \
                 added_tokens"
            ),
            "{text:?}"
        );
    }
}

#[test]
fn a_normalizer_of_unicode_is_named_with_what_brings_a_text_into_its_form() {
    let place = Place::new();
    for (normalizer, form) in [
        (json!({ "type": "NFC" }), "NFC"),
        (
            json!({ "type": "Sequence", "normalizers": [{ "type": "NFKC" }] }),
            "NFKC",
        ),
    ] {
        let error = place.encode(|json| json["normalizer"] = normalizer, "At the cafe\u{301}");
        let expected = format!(
            "changes the text: at byte 10 of the text it has \"\u{e9}\" for \"e\\u{{301}}\" (its \
             normalizer is {form}), and bits a byte would mean nothing; bring the text into that \
             form first, as by `python3 -c 'import sys, unicodedata as u; \
             sys.stdout.write(u.normalize(\"{form}\", sys.stdin.read()))' < FILE > NEW`, or use a \
             tokenizer without normalizer"
        );
        assert!(error.ends_with(&expected), "{error}\nnot {expected}");
    }
}

#[test]
fn dropout_truncation_and_padding_are_off() {
    let place = Place::new();
    let mut json: Value = serde_json::from_slice(&fs::read(path()).unwrap()).unwrap();
    json["model"]["dropout"] = 0.5.into();
    json["truncation"] = json!({
        "max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"
    });
    json["padding"] = json!({
        "strategy": { "Fixed": 400 }, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "!"
    });
    place.write("changed.json", &json.to_string());
    let changed = Tokenizer::open(&place.setting("changed.json")).unwrap();
    let text = b"Anna put the red key under the lamp and went away.";
    let expected = crate::support::tokenizer().encode(text).unwrap();
    assert_eq!(changed.encode(text).unwrap(), expected);
}
