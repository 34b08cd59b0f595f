//! Several files: what stands between them, how they are split, and what is said about them.

use miras_data::TextConfig;

use crate::support::{
    Place, evaluated, gz, notes, text, tokenizer, tokenizer_path as path, trained, zst,
};

#[test]
fn a_separator_stands_between_files_and_nowhere_else() {
    let (a, b, c) = (text(700), text(300), text(613));
    for separator in ["", "\n\n", "<|end|>", "-".repeat(70).as_str()] {
        let joined = [&a, separator.as_bytes(), &b, separator.as_bytes(), &c].concat();
        let place = Place::new(&[("1", &a), ("2", &b), ("3.gz", &gz(&c)), ("all", &joined)]);
        let mut config = place.config(&["1", "2", "3.gz"]);
        config.separator = separator.to_owned();
        for fraction in [0.1, 0.5, 0.9] {
            config.valid_fraction = Some(fraction);
            let data = place.open(&config, 3).unwrap();
            let whole = TextConfig {
                path: place.paths(&["all"]),
                ..config.clone()
            };
            let expected = place.open(&whole, 3).unwrap();
            assert_eq!(data.describe().fingerprint, expected.describe().fingerprint);
            assert_eq!(data.describe().valid_bytes, expected.describe().valid_bytes);
            assert_eq!(evaluated(&*data), evaluated(&*expected));
            assert_eq!(trained(&*data), trained(&*expected));
            for index in 0..20 {
                assert_eq!(
                    data.train_batch(index, 0..8).unwrap(),
                    expected.train_batch(index, 0..8).unwrap()
                );
            }
        }
    }
}

#[test]
fn the_split_is_not_inside_of_a_separator() {
    let (a, b) = (text(400), text(600));
    let place = Place::new(&[("1", &a), ("2", &b)]);
    let mut config = place.config(&["1", "2"]);
    config.separator = "<|end|>".to_owned();
    for cut in 395..415_u32 {
        config.valid_fraction = Some(1.0 - (f64::from(cut) + 0.5) / 1007.0);
        let data = place.open(&config, 0).unwrap().describe();
        let expected = if (400..407).contains(&cut) { 407 } else { cut };
        assert_eq!(data.train_bytes, Some(u64::from(expected)), "{cut}");
        assert_eq!(data.valid_bytes, Some(u64::from(1007 - expected)));
    }
}

#[test]
fn no_token_reaches_over_the_border_of_two_files() {
    let head = "Tom wrote a let";
    let (a, b) = (
        format!("{}{head}", "Tom came home. ".repeat(30)),
        "ter and went away.".repeat(30),
    );
    let place = Place::new(&[("0", &text(1000)), ("1", a.as_bytes()), ("2", b.as_bytes())]);
    let mut config = place.config(&["0"]);
    config.valid_path = Some(place.paths(&["1", "2"]));
    config.tokenizer = path().to_str().unwrap().to_owned();
    let encode = |text: &str| tokenizer().encode(text.as_bytes()).unwrap();
    let joined = encode(&format!("{a}{b}"));
    for (separator, between) in [
        ("", vec![]),
        // The token that is written so, and what is not one token.
        ("<|end|>", vec![511]),
        ("\n\n-- \n", encode("\n\n-- \n")),
    ] {
        config.separator = separator.to_owned();
        let expected = [encode(&a), between, encode(&b)].concat();
        let data = place.open(&config, 0).unwrap();
        assert_eq!(evaluated(&*data), expected[1..], "{separator:?}");
        assert_ne!(expected, joined, "the test's own border must matter");
        let bytes = tokenizer().decode(&expected);
        assert_eq!(bytes, format!("{a}{separator}{b}").into_bytes());
        // Once more from the cache.
        let again = place.open(&config, 0).unwrap();
        assert_eq!(evaluated(&*again), expected[1..], "{separator:?}");
    }
}

#[test]
fn many_small_files_have_the_tokens_of_each() {
    let texts: Vec<String> = (0..9000).map(|at| format!("Anna has key {at}")).collect();
    let names: Vec<String> = (0..9000).map(|at| format!("{at:05}")).collect();
    let files: Vec<(&str, &[u8])> = (names.iter().zip(&texts))
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    let place = Place::new(&files);
    let mut config = place.config(&[""]);
    config.separator = "<|end|>".to_owned();
    config.tokenizer = path().to_str().unwrap().to_owned();
    let data = place.open(&config, 0).unwrap();
    let tokenizer = tokenizer();
    let separated: Vec<Vec<i32>> = (texts.iter().skip(8000))
        .flat_map(|text| [vec![511], tokenizer.encode(text.as_bytes()).unwrap()])
        .collect();
    let separated = separated.concat();
    let found = evaluated(&*data);
    assert!(found.len() > 1000 && separated.ends_with(&found));
}

#[test]
fn how_many_files_there_are_and_which_are_for_validation_is_said() {
    let place = Place::new(&[
        ("a.txt", &text(1000)),
        ("b.txt", &text(1006)[6..]),
        ("c.txt", &text(63)[12..]),
        ("d.txt", &text(124)[24..]),
        ("one/a.txt", &text(500)),
    ]);
    let said = |names: &[&str], fraction| {
        let mut config = place.config(names);
        config.valid_fraction = Some(fraction);
        notes(&place, &config)
    };
    assert_eq!(
        said(&["a.txt", "b.txt"], 0.1),
        [
            "2 files with 2000 bytes are read, in this order: `DIR/a.txt` and `DIR/b.txt`; the \
          validation part is the last 200 of 1000 bytes of `DIR/b.txt`"
        ]
    );
    assert_eq!(
        said(&["?.txt"], 0.1),
        [
            "4 files with 2151 bytes are read, in this order: `DIR/a.txt`, `DIR/b.txt` and 2 more; \
          the validation part is the last 65 of 1000 bytes of `DIR/b.txt` and all of `DIR/c.txt` \
          and `DIR/d.txt`"
        ]
    );
    assert_eq!(
        said(&["a.txt", "b.txt"], 0.5),
        [
            "2 files with 2000 bytes are read, in this order: `DIR/a.txt` and `DIR/b.txt`; the \
          validation part is all of `DIR/b.txt`"
        ]
    );
    assert_eq!(said(&["one"], 0.1), [""; 0]);
    let mut config = place.config(&["a.txt"]);
    config.valid_path = Some(place.paths(&["c.txt", "d.txt"]));
    assert_eq!(
        notes(&place, &config),
        ["1 file with 1000 bytes for training, 2 files with 151 bytes for validation"]
    );
}

#[test]
fn files_that_a_pattern_leaves_out_for_their_compression_are_named() {
    let place = Place::new(&[
        ("books/a.txt", &text(1000)),
        ("books/b.txt.gz", &gz(&text(1006)[6..])),
        ("books/c.txt.gz", &gz(&text(1012)[12..])),
        ("packed/a.txt.gz", &gz(&text(1000))),
        ("packed/d.txt.zst", &zst(&text(1018)[18..])),
    ]);
    for (names, expected) in [
        (
            &["books/*.txt"][..],
            Some(
                "`DIR/books/*.txt` leaves out `DIR/books/b.txt.gz` and `DIR/books/c.txt.gz`: add `DIR/books/*.txt.gz` to the paths to read that as well",
            ),
        ),
        (
            &["books/*.txt.gz"],
            Some(
                "`DIR/books/*.txt.gz` leaves out `DIR/books/a.txt`: add `DIR/books/*.txt` to the paths to read that as well",
            ),
        ),
        (
            &["packed/*.gz"],
            Some(
                "`DIR/packed/*.gz` leaves out `DIR/packed/d.txt.zst`: add `DIR/packed/*.zst` to the paths to read that as well",
            ),
        ),
        (&["books/*.txt", "books/*.txt.gz"], None),
        (&["books/*"], None),
        (&["books"], None),
        (&["books/a.txt"], None),
    ] {
        let notes = notes(&place, &place.config(names));
        let found = notes.iter().find(|note| note.contains("leaves out"));
        assert_eq!(found.map(String::as_str), expected);
    }
}

#[test]
fn flaws_of_text_are_dropped_or_said() {
    let (plain, other) = (text(1000), text(1006)[6..].to_vec());
    let marked = |bytes: &[u8]| [b"\xef\xbb\xbf", bytes].concat();
    let place = Place::new(&[
        ("plain.txt", &plain),
        ("other.txt", &other),
        ("marked.txt", &marked(&plain)),
        ("marked2.txt", &marked(&other)),
        ("joined.txt", &[marked(&plain), marked(&other)].concat()),
        ("windows.txt", &b"Anna was here.\r\n".repeat(60)),
        ("mac.txt", &b"Anna was here.\r".repeat(66)),
        ("cut.txt", &[&plain[..], b"\xc3"].concat()),
        ("table.csv", &b"date,words\n1,Anna\n".repeat(60)),
    ]);
    let config = |names: &[&str]| place.config(names);
    let fingerprint = |names: &[&str]| {
        place
            .open(&config(names), 0)
            .unwrap()
            .describe()
            .fingerprint
    };
    assert_eq!(
        fingerprint(&["plain.txt", "other.txt"]),
        fingerprint(&["marked.txt", "marked2.txt"])
    );
    let mut raw = config(&["marked.txt"]);
    raw.allow_binary = true;
    assert_ne!(
        place.open(&raw, 0).unwrap().describe().fingerprint,
        fingerprint(&["plain.txt"])
    );
    assert_eq!(notes(&place, &raw), [""; 0]);
    for (name, expected) in [
        ("plain.txt", None),
        (
            "marked.txt",
            Some("the byte order mark at the start of `DIR/marked.txt` is left out"),
        ),
        (
            "joined.txt",
            Some(
                "`DIR/joined.txt` has 1 byte order mark (U+FEFF) inside the text, the first in line 167, as files have that were put together from others: trained as they are",
            ),
        ),
        (
            "windows.txt",
            Some(
                "in `DIR/windows.txt` 60 lines end with CR LF, as on Windows: both bytes are trained; `sed -i 's/\\r$//' FILE` takes the CR out",
            ),
        ),
        (
            "mac.txt",
            Some(
                "in `DIR/mac.txt` 66 lines end with CR alone, as on old Macs: it is trained as it is; `tr '\\r' '\\n' < FILE` writes LF in its place",
            ),
        ),
        (
            "cut.txt",
            Some("`DIR/cut.txt`: the last character is cut off"),
        ),
        (
            "table.csv",
            Some(
                "`DIR/table.csv` is a table: its lines are trained as they are, with the marks between columns",
            ),
        ),
    ] {
        let notes = notes(&place, &config(&[name]));
        match expected {
            Some(expected) => assert!(notes.iter().any(|note| note == expected), "{notes:?}"),
            None => assert_eq!(notes, [""; 0]),
        }
    }
}

#[test]
fn validation_text_that_is_trained_on_is_refused_and_overlap_is_said() {
    let (train, other) = (text(3000), text(6000)[3000..].to_vec());
    let place = Place::new(&[
        ("train.txt", &train),
        ("copy.txt", &train),
        ("copy.gz", &gz(&train)),
        ("marked.txt", &[b"\xef\xbb\xbf", &train[..]].concat()),
        ("first.txt", &train[..1500]),
        ("second.txt", &train[1500..]),
        ("other.txt", &other),
        ("half.txt", &[&train[1500..], &other[..1500]].concat()),
        ("changed.txt", &[&train[..2999], b"!"].concat()),
    ]);
    let with = |path: &[&str], valid: &[&str]| {
        let mut config = place.config(path);
        config.valid_path = Some(place.paths(valid));
        config
    };
    for (path, valid) in [
        (&["train.txt"][..], &["copy.txt"][..]),
        (&["train.txt"], &["copy.gz"]),
        (&["train.txt"], &["marked.txt"]),
        (&["train.txt"], &["other.txt", "copy.txt"]),
        (&["other.txt", "train.txt"], &["copy.txt"]),
        (&["first.txt", "second.txt"], &["copy.txt"]),
        (&["train.txt"], &["first.txt", "second.txt"]),
    ] {
        let error = place.open(&with(path, valid), 0).err().unwrap();
        assert_eq!(error.field(), Some("valid_path"), "{error}");
        let error = error.to_string();
        assert!(error.contains("has the same bytes as"), "{error}");
        assert!(error.contains("leave valid_path out"), "{error}");
    }
    for (valid, samples) in [
        ("other.txt", 0),
        ("half.txt", 4),
        ("second.txt", 8),
        ("changed.txt", 7),
    ] {
        let notes = notes(&place, &with(&["train.txt"], &[valid]));
        let found = notes
            .iter()
            .find_map(|note| note.split_once(" samples of 256 bytes"));
        let expected = (samples > 0).then(|| format!("{samples} of 8"));
        assert_eq!(
            found.map(|(count, _)| count.to_owned()),
            expected,
            "{valid}: {notes:?}"
        );
    }
    let notes = notes(
        &place,
        &place.config(&["other.txt", "train.txt", "copy.txt"]),
    );
    let expected = "`DIR/copy.txt` has the same bytes as `DIR/train.txt`: if one is in the \
                    validation part, that measures what was learned by heart";
    assert!(notes.iter().any(|note| note == expected), "{notes:?}");
}

#[test]
fn a_separator_without_effect_or_without_a_token_is_said() {
    let place = Place::new(&[("a.txt", &text(1000)), ("b.txt", &text(1006)[6..])]);
    let said = |names: &[&str], separator: &str, tokenizer: &str| {
        let mut config = place.config(names);
        config.separator = separator.to_owned();
        config.tokenizer = tokenizer.to_owned();
        let notes = notes(&place, &config).into_iter();
        notes
            .filter(|note| note.contains("separator"))
            .collect::<Vec<_>>()
    };
    let bpe = path().to_str().unwrap().to_owned();
    let both = ["a.txt", "b.txt"];
    assert_eq!(
        said(&["a.txt"], "\n\n", "bytes"),
        ["the separator \"\\n\\n\" is used between files and records, and there is one text"]
    );
    assert_eq!(
        said(&both, "<|endoftext|>", &bpe),
        ["the separator \"<|endoftext|>\" is 12 tokens, because the tokenizer has no token for it"]
    );
    assert_eq!(said(&both, "<|end|>", &bpe), [""; 0]);
    assert_eq!(said(&both, "<|endoftext|>", "bytes"), [""; 0]);
    assert_eq!(said(&["a.txt"], "", &bpe), [""; 0]);
}

#[test]
fn text_that_a_tokenizer_changes_is_named_by_file_and_line() {
    let place = Place::new(&[
        ("a.txt", &text(90_000)),
        ("b.txt", &text(1000)),
        (
            "c.txt",
            "one\ntwo\nAt the cafe\u{301} again\n".repeat(60).as_bytes(),
        ),
    ]);
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path()).unwrap()).unwrap();
    json["normalizer"] = serde_json::json!({ "type": "NFC" });
    std::fs::write(place.path("nfc.json"), json.to_string()).unwrap();
    let mut config = place.config(&["a.txt", "b.txt", "c.txt"]);
    config.tokenizer = place.path("nfc.json");
    let expected = format!(
        "changes the text: in line 3 of `{}` it has \"\u{e9} again\\none\\n\" for \"e\\u{{301}} again\\n",
        place.path("c.txt")
    );
    for (fraction, separator) in [(0.5, ""), (0.001, "\n"), (0.03, "<|end|>")] {
        config.valid_fraction = Some(fraction);
        config.separator = separator.to_owned();
        let error = place.open(&config, 0).err().unwrap();
        assert_eq!(error.field(), Some("tokenizer"));
        assert!(
            error.to_string().contains(&expected),
            "{error}\nnot\n{expected}"
        );
    }
}
