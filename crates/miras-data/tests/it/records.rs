//! Texts in the records of a file: how they are put one after the other, and what is refused.

use std::fs;

use miras_data::TextConfig;
use serde_json::json;

use crate::support::{Place, evaluated, gz, notes, text, tokenizer, tokenizer_path, trained, zst};

/// Texts with all that JSON escapes, of different lengths.
fn texts(count: usize) -> Vec<String> {
    let one = |at: usize| format!("Anna \"{at}\" \\ Tom\tä🦀\n{}", "and so on ".repeat(at % 7));
    (0..count).map(one).collect()
}

/// The texts as JSON lines, beside other fields.
fn lines(texts: &[String], field: &str) -> Vec<u8> {
    let line = |(at, text): (usize, &String)| {
        let record = json!({ "id": at, field: text, "meta": { field: [1, "x"] }, "z": null });
        // Line ends as on Windows, and lines that are blank.
        let end = ["\n", "\r\n", "\n\n", " \n"][at % 4];
        format!("{record}{end}")
    };
    let all: String = texts.iter().enumerate().map(line).collect();
    all.into_bytes()
}

fn joined(texts: &[String], separator: &str) -> Vec<u8> {
    texts.join(separator).into_bytes()
}

#[test]
fn the_texts_of_records_are_read_as_if_each_were_a_file() {
    let all = texts(60);
    for separator in ["", "\n\n", "<|end|>"] {
        let place = Place::new(&[
            ("whole", &joined(&all, separator)),
            ("in/1.jsonl", &lines(&all[..20], "text")),
            ("in/2.JSONL.gz", &gz(&lines(&all[20..30], "text"))),
            ("in/3.txt.zst", &zst(all[30].as_bytes())),
            ("in/4/5.ndjson.zst", &zst(&lines(&all[31..59], "text"))),
            ("in/6.txt", all[59].as_bytes()),
        ]);
        let mut config = place.config(&["in"]);
        config.separator = separator.to_owned();
        for fraction in [0.1, 0.3, 0.8] {
            config.valid_fraction = Some(fraction);
            let whole = TextConfig {
                path: place.paths(&["whole"]),
                ..config.clone()
            };
            let (data, expected) = (
                place.open(&config, 3).unwrap(),
                place.open(&whole, 3).unwrap(),
            );
            let (found, wanted) = (data.describe(), expected.describe());
            assert_eq!(found.fingerprint, wanted.fingerprint);
            // The cut is nowhere inside of a separator.
            let bytes = joined(&all, separator);
            let cut = found.train_bytes.unwrap() as usize;
            assert!(cut >= wanted.train_bytes.unwrap() as usize);
            assert!(cut < wanted.train_bytes.unwrap() as usize + separator.len().max(1));
            let cut_before = separator.len().saturating_sub(1);
            let around = &bytes[cut - cut_before..cut + cut_before];
            let is_inside = around
                .windows(separator.len().max(1))
                .any(|at| at == separator.as_bytes());
            assert!(!is_inside, "{:?}", String::from_utf8_lossy(around));
            let tokens = |bytes: &[u8]| bytes.iter().copied().map(i32::from).collect::<Vec<_>>();
            assert_eq!(evaluated(&*data), tokens(&bytes[cut + 1..]));
            let stretch = trained(&*data);
            assert_eq!(stretch, tokens(&bytes[..stretch.len()]));
        }
    }
}

#[test]
fn every_text_is_encoded_by_itself_and_the_separator_is_its_token() {
    // More than ends of texts that are read at once.
    let all = texts(9000);
    let tokenizer = tokenizer();
    for (separator, between) in [("<|end|>", vec![511]), ("", vec![])] {
        let place = Place::new(&[
            ("t.txt", &text(1000)),
            ("1.jsonl.zst", &zst(&lines(&all[..8800], "text"))),
            ("2.txt", all[8800].as_bytes()),
            ("3.jsonl", &lines(&all[8801..], "text")),
        ]);
        let mut config = place.config(&["t.txt"]);
        config.tokenizer = tokenizer_path().to_str().unwrap().to_owned();
        config.separator = separator.to_owned();
        config.valid_path = Some(place.paths(&["1.jsonl.zst", "2.txt", "3.jsonl"]));
        let encoded = all
            .iter()
            .map(|text| tokenizer.encode(text.as_bytes()).unwrap());
        let expected: Vec<Vec<i32>> = encoded.collect();
        let expected = expected.join(&between[..]);
        for _ in 0..2 {
            let data = place.open(&config, 0).unwrap();
            assert!(evaluated(&*data) == expected[1..], "{separator:?}");
        }
        // The same texts cut in two parts.
        config.path = config.valid_path.take().unwrap();
        config.valid_fraction = Some(0.37);
        let data = place.open(&config, 0).unwrap();
        let found = tokenizer.decode(&[trained(&*data), evaluated(&*data)].concat());
        let bytes = joined(&all, separator);
        let about = data.describe();
        assert_eq!(
            about.train_bytes.unwrap() + about.valid_bytes.unwrap(),
            bytes.len() as u64
        );
        assert!(bytes.starts_with(&found[..1000]) && bytes.ends_with(&found[found.len() - 1000..]));
    }
}

#[test]
fn records_are_read_once_for_each_field_and_separator() {
    let place = Place::new(&[
        ("a.jsonl", &lines(&texts(50), "body")),
        ("b.txt", &text(900)),
    ]);
    let copies = || fs::read_dir(&place.caches()[0]).unwrap().count();
    let mut config = place.config(&["a.jsonl"]);
    config.field = "body".to_owned();
    let first = place.open(&config, 0).unwrap().describe();
    place.open(&config, 0).unwrap();
    assert_eq!(copies(), 1);
    config.separator = "\n\n".to_owned();
    let second = place.open(&config, 0).unwrap().describe();
    assert_eq!(copies(), 2);
    assert_ne!(first.fingerprint, second.fingerprint);
    // Damage of any byte is found, and the copy made anew.
    for entry in fs::read_dir(&place.caches()[0]).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(199) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            for separator in ["", "\n\n"] {
                config.separator = separator.to_owned();
                place.open(&config, 0).unwrap();
            }
            assert!(fs::read(&path).unwrap() == whole, "byte {at}");
        }
    }
    config.path = place.paths(&["b.txt"]);
    config.separator = String::new();
    assert_eq!(
        notes(&place, &config),
        ["field = \"body\" is of JSON lines and Parquet files, and no file is read as such"]
    );
}

#[test]
fn empty_texts_are_left_out_and_the_separator_of_one_text_is_said() {
    let place = Place::new(&[
        (
            "a.jsonl",
            format!(
                "{{\"text\": \"\"}}\n{{\"text\": \"{}\"}}\n{{\"text\": \"\"}}",
                "a ".repeat(500)
            )
            .as_bytes(),
        ),
        ("none.jsonl", b"{\"text\": \"\"}\n"),
        ("blank.jsonl", b" \n\n"),
        ("empty.jsonl", b""),
        ("in/empty.jsonl", b""),
        ("in/good.txt", &text(1000)),
    ]);
    let mut config = place.config(&["a.jsonl"]);
    config.separator = "\n\n".to_owned();
    assert_eq!(
        notes(&place, &config),
        [
            "2 of the 3 texts of `DIR/a.jsonl` are empty and left out",
            "the separator \"\\n\\n\" is used between files and records, and there is one text",
        ]
    );
    for name in ["none.jsonl", "blank.jsonl", "empty.jsonl"] {
        let error = place.open(&place.config(&[name]), 0).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "path: `{}` is empty: there is nothing to train on",
                place.path(name)
            )
        );
    }
    place.open(&place.config(&["in"]), 0).unwrap();
}

/// Records are refused with these words and leave no copy, and are taken as they are where their
/// bytes are asked for.
fn is_refused(field: &str, bytes: &[u8], expected: &str) {
    let place = Place::new(&[("a.jsonl", bytes)]);
    let mut config = place.config(&["a.jsonl"]);
    field.clone_into(&mut config.field);
    let error = place.open(&config, 0).err().expect(expected);
    assert_eq!(
        error.field(),
        Some(&expected[..expected.find(':').unwrap()])
    );
    let error = error
        .to_string()
        .replace(place.path("").trim_end_matches('/'), "DIR");
    assert_eq!(error, expected);
    assert_eq!(fs::read_dir(&place.caches()[0]).unwrap().count(), 0);
    // The bytes as they are.
    config.allow_binary = true;
    config.seq_len = 4;
    place.open(&config, 0).unwrap();
}

#[test]
fn a_record_that_cannot_be_read_is_named_by_file_and_line() {
    let good = "{\"id\": 1, \"text\": \"Anna has the red key.\"}\n";
    let row = |bad: &str| [good.repeat(30), bad.to_owned()].concat().into_bytes();
    let mut latin = row("");
    latin.extend(b"{\"text\": \"f\xfcr\"}\n");
    for (field, bytes, expected) in [
        (
            "text",
            row("{\"body\": \"x\", \"id\": 3}\n"),
            "field: line 31 of `DIR/a.jsonl` has no field \"text\", it has \"body\" and \"id\"; did you mean field = \"body\"?",
        ),
        (
            "txt",
            row(""),
            "field: line 1 of `DIR/a.jsonl` has no field \"txt\", it has \"id\" and \"text\"; did you mean field = \"text\"?",
        ),
        (
            "text",
            row("{}\n"),
            "field: line 31 of `DIR/a.jsonl` has no field \"text\", it has none",
        ),
        (
            "id",
            row(""),
            "field: line 1 of `DIR/a.jsonl` has a number in \"id\", expected a string",
        ),
        (
            "text",
            row("\n{\"text\": null}\n"),
            "field: line 32 of `DIR/a.jsonl` has null in \"text\", expected a string",
        ),
        (
            "text",
            row("{\"text\": [\"a\"]}\n"),
            "field: line 31 of `DIR/a.jsonl` has a list in \"text\", expected a string",
        ),
        (
            "text",
            row("{\"text\": {\"a\": 1}}\n"),
            "field: line 31 of `DIR/a.jsonl` has an object in \"text\", expected a string",
        ),
        (
            "text",
            row("{\"text\": true}\n"),
            "field: line 31 of `DIR/a.jsonl` has a boolean in \"text\", expected a string",
        ),
        (
            "text",
            row("{\"text\": \"a\\u0000b\"}\n"),
            "field: line 31 of `DIR/a.jsonl` has a NUL character in \"text\", so it is no text",
        ),
        (
            "text",
            row("[\"a\"]\n"),
            "path: line 31 of `DIR/a.jsonl` is JSON but no object, expected a record such as {\"text\": \"…\"}",
        ),
        (
            "text",
            row("\"a\"\n"),
            "path: line 31 of `DIR/a.jsonl` is JSON but no object, expected a record such as {\"text\": \"…\"}",
        ),
        (
            "text",
            row("{\"text\": \"a\"} {\"text\": \"b\"}\n"),
            "path: line 31 of `DIR/a.jsonl` is not JSON: trailing characters at column 15",
        ),
        (
            "text",
            row("{'text': 'a'}\n"),
            "path: line 31 of `DIR/a.jsonl` is not JSON: key must be a string at column 2",
        ),
        (
            "text",
            row("{\"text\": \"a\n b\"}\n"),
            "path: line 31 of `DIR/a.jsonl` is not JSON: EOF while parsing a string at column 11",
        ),
        (
            "text",
            row("{\"text\": \"\\ud800\"}\n"),
            "path: line 31 of `DIR/a.jsonl` is not JSON: unexpected end of hex escape at column 17",
        ),
        (
            "text",
            row("{\"text\": \"Anna has"),
            "path: line 31 of `DIR/a.jsonl` is not JSON: EOF while parsing a string at column 18; it is the last line and has no end, so the file may have been cut short",
        ),
        (
            "text",
            latin,
            "path: line 31 of `DIR/a.jsonl` is not UTF-8: it has the byte 0xFC at byte 11 of the line",
        ),
    ] {
        is_refused(field, &bytes, expected);
    }
}

#[test]
fn a_last_line_without_an_end_is_read_if_it_is_whole() {
    let row = "{\"id\": 1, \"text\": \"Anna has the red key.\"}\n".repeat(31);
    let place = Place::new(&[("a.jsonl", row.trim_end().as_bytes())]);
    let about = place
        .open(&place.config(&["a.jsonl"]), 0)
        .unwrap()
        .describe();
    assert_eq!(about.files[0].bytes, 31 * 21);
}

#[test]
fn a_text_that_a_tokenizer_changes_is_named_by_its_number() {
    let mut all = texts(40);
    all[33] = "At the cafe\u{301} again".to_owned();
    let place = Place::new(&[("a.jsonl", &lines(&all, "text"))]);
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(tokenizer_path()).unwrap()).unwrap();
    json["normalizer"] = json!({ "type": "NFC" });
    fs::write(place.path("nfc.json"), json.to_string()).unwrap();
    let mut config = place.config(&["a.jsonl"]);
    config.separator = "\n".to_owned();
    config.tokenizer = place.path("nfc.json");
    let error = place.open(&config, 0).err().unwrap().to_string();
    let expected = format!("in text 34 of `{}`", place.path("a.jsonl"));
    assert!(error.contains(&expected), "{error}");
}
