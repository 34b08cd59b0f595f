//! Files whose bytes are not the text that is in them, and text with flaws.

use miras_data::TextConfig;

use crate::support::{Place, gz, text, zst};

/// The error with the folder of the test as `DIR`.
fn refused(place: &Place, config: &TextConfig) -> String {
    let error = place.open(config, 0).err().expect("must be refused");
    assert!(matches!(error.field(), Some("path" | "valid_path")));
    let error = error.to_string();
    error.replace(&place.path("")[..place.path("").len() - 1], "DIR")
}

fn records(count: usize) -> Vec<u8> {
    let line = |at| format!("{{\"id\": {at}, \"context\": \"Anna has the red key {at}.\"}}\n");
    (0..count).map(line).collect::<String>().into_bytes()
}

fn wide(text: &str, is_little: bool, mark: &[u8]) -> Vec<u8> {
    let units = text.encode_utf16();
    let bytes = units.flat_map(|unit| {
        if is_little {
            unit.to_le_bytes()
        } else {
            unit.to_be_bytes()
        }
    });
    mark.iter().copied().chain(bytes).collect()
}

/// A file is refused with these words, and taken as it is where its bytes are asked for.
fn is_refused(name: &str, bytes: &[u8], expected: &str) {
    let place = Place::new(&[(name, bytes)]);
    let mut config = place.config(&[name]);
    let error = refused(&place, &config);
    assert!(
        error.starts_with(&format!("path: `DIR/{name}` ")),
        "{error}"
    );
    assert!(error.contains(expected), "{error}\nnot\n{expected}");
    assert!(error.contains("allow_binary = true"), "{error}");
    config.allow_binary = true;
    let data = place.open(&config, 0).unwrap().describe();
    assert_eq!(
        data.train_bytes.unwrap() + data.valid_bytes.unwrap(),
        data.files[0].bytes
    );
}

#[test]
fn records_and_packed_files_are_refused_by_name_and_content_unless_bytes_are_asked_for() {
    let long = [
        b"{\"text\": \"",
        &text(200_000).escape_ascii().to_string().into_bytes()[..],
        b"\"}\n",
    ]
    .concat();
    for (name, bytes, expected) in [
        // By content, whatever the name.
        (
            "lines.txt",
            records(9000),
            "is JSON lines under a name that does not end in .jsonl: it is read once it has such \
             a name, as by `mv DIR/lines.txt DIR/lines.jsonl`; set allow_binary = true to train on \
             its bytes all the same",
        ),
        (
            "lines.gz",
            gz(&records(100)),
            "as by `mv DIR/lines.gz DIR/lines.jsonl.gz`",
        ),
        (
            "lines.txt.zst",
            zst(&records(100)),
            "as by `mv DIR/lines.txt.zst DIR/lines.jsonl.zst`",
        ),
        ("lines", records(100), "is JSON lines under "),
        ("long.txt", long, "is JSON, "),
        (
            "mark.txt",
            [b"\xef\xbb\xbf", &records(100)[..]].concat(),
            "is JSON lines under ",
        ),
        (
            "d.json",
            b"[{\"text\": 1}, ".repeat(100),
            "is JSON, and its braces, names and escapes would be trained as text: make JSON lines \
             of it, as `jq -c '.[]' DIR/d.json > DIR/d.jsonl` does, whose texts are read; set",
        ),
        (
            "e.json.gz",
            gz(&b"[\"one\", ".repeat(100)),
            "as `zcat DIR/e.json.gz | jq -c '.[] | {text: .}' > DIR/e.jsonl` does",
        ),
        (
            "one.txt",
            [b"{\n \"text\": \"", &b"Anna "[..], &[b'a'; 400], b"\"\n}\n"].concat(),
            "as `jq -c . DIR/one.txt > DIR/one.jsonl` does",
        ),
        (
            "column.dat",
            b"PAR1\x15\0\x15".repeat(100),
            "is a Parquet file under a name that does not end in .parquet: it is read once it has \
             such a name, as by `mv DIR/column.dat DIR/column.parquet`",
        ),
        (
            "f.arrow",
            b"\xff\xff\xff\xff\x10\0".repeat(100),
            "is an Arrow file, and there is no reader of these: make a Parquet file of it, as \
             `python3 -c 'import pandas, sys; pandas.read_feather(sys.argv[1])\
             .to_parquet(sys.argv[2])' DIR/f.arrow DIR/f.parquet` does, whose texts are read",
        ),
        (
            "g.txt",
            b"PK\x03\x04\x14\0".repeat(100),
            "is a zip archive: unpack it first",
        ),
        (
            "h.xz",
            b"\xfd7zXZ\xff".repeat(100),
            "with xz (.gz and .zst are unpacked): unpack it first, as by `unxz DIR/h.xz`",
        ),
        (
            "i.txt",
            gz(&text(1000)),
            "is compressed with gzip under a name that does not end in .gz: it is read once it has \
             such a name, as by `mv DIR/i.txt DIR/i.txt.gz`",
        ),
        (
            "j.txt",
            zst(&text(1000)),
            "is compressed with zstd under a name that does not end in .zst: it is read once it \
             has such a name, as by `mv DIR/j.txt DIR/j.txt.zst`",
        ),
    ] {
        is_refused(name, &bytes, expected);
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_by_file_and_line_however_late_it_shows() {
    let late = |bytes: &[u8]| [&text(99_999), bytes, b"\n", &text(600)].concat();
    let line = 99_999 / 6 + 1;
    let latin = format!(
        "is not UTF-8 text: line {line} has the byte 0xFC at byte 100001 of the file; if it is \
         Latin-1, `iconv -f LATIN1 -t UTF-8 DIR/latin.txt > DIR/latin.utf8.txt` converts it"
    );
    let windows = format!(
        "line {line} has the byte 0x93 at byte 100001 of the file; if it is Windows-1252, `iconv \
         -f WINDOWS-1252 -t UTF-8 DIR/quoted.txt > "
    );
    let nul =
        format!("holds NUL bytes, the first at byte 100001 (line {line}), so it is no text; set");
    let words = "Anna put the red key under the lamp.\n".repeat(30);
    for (name, bytes, expected) in [
        (
            "marked.txt",
            wide(&words, true, b"\xff\xfe"),
            "is UTF-16, and UTF-8 is what is read: convert it, as by `iconv -f UTF-16 -t UTF-8 \
             DIR/marked.txt > DIR/marked.utf8.txt`; set",
        ),
        (
            "big.txt",
            wide(&words, false, b"\xfe\xff"),
            "iconv -f UTF-16 -t",
        ),
        (
            "bare.txt",
            wide(&words, true, b""),
            "is UTF-16, and UTF-8 is what is read: convert it, as by `iconv -f UTF-16LE ",
        ),
        (
            "bare.be.txt",
            wide(&words, false, b""),
            "`iconv -f UTF-16BE ",
        ),
        (
            "latin.txt",
            late(b"a\nf\xfcr"),
            &latin
                .replace("byte 100001", "byte 100002")
                .replace(&format!("line {line}"), &format!("line {}", line + 1)),
        ),
        ("quoted.txt", late(b"a \x93b\x94"), &windows),
        ("nul.txt", late(b"a \0"), &nul),
        (
            "joined.txt",
            [&text(600)[..], &wide(&words, true, b"\xff\xfe")].concat(),
            "is UTF-8 up to byte 600 (line 101) and UTF-16 from there on, as files have that were \
             put together from others: convert the rest, as by `( cat DIR/joined.txt | head -c 600; \
             cat DIR/joined.txt | tail -c +601 | iconv -f UTF-16 -t UTF-8 ) > DIR/joined.utf8.txt`; \
             set",
        ),
        (
            "short.txt",
            [b"One line.\n", &wide(&words, true, b"\xff\xfe")[..]].concat(),
            "is UTF-8 up to byte 10 (line 2) and UTF-16 from there on",
        ),
        (
            "bare.joined.txt",
            [
                &text(99_999)[..],
                &wide(&words.replace("Anna", "\u{e9}"), true, b""),
            ]
            .concat(),
            "(line 16667) and UTF-16 from there on",
        ),
        (
            "early.txt",
            [b"It was \xfcber. ", &text(600)[..]].concat(),
            "line 1 has the byte 0xFC at byte 7 of the file",
        ),
        (
            "packed.txt.gz",
            gz(&[&text(600)[..], b"\xfc\n"].concat()),
            "`zcat DIR/packed.txt.gz | iconv -f LATIN1 -t UTF-8 > DIR/packed.utf8.txt` converts it",
        ),
    ] {
        is_refused(name, &bytes, expected);
    }
}

#[test]
fn the_file_is_named_where_others_are_text() {
    let place = Place::new(&[
        ("books/a.txt", &text(1000)),
        ("books/b.json", &records(10)),
        ("books/c.json.gz", &gz(&records(10))),
        ("books/d/e.txt", &text(1006)[6..]),
    ]);
    for names in [&["books"][..], &["books/*", "books/d/e.txt"]] {
        let error = refused(&place, &place.config(names));
        assert!(
            error.starts_with("path: `DIR/books/b.json` is JSON,"),
            "{error}"
        );
        assert!(error.contains("(2 of the 4 files are such)"), "{error}");
    }
    let mut config = place.config(&["books/a.txt"]);
    config.valid_path = Some(place.paths(&["books/b.json"]));
    let error = refused(&place, &config);
    assert!(
        error.starts_with("valid_path: `DIR/books/b.json` is JSON,"),
        "{error}"
    );
    assert!(!error.contains("are such"), "{error}");
}

#[test]
fn prose_that_begins_like_another_format_is_text() {
    for start in [
        "[Illustration: {a lamp}]\n",
        "{\"a\": 1} is how JSON looks.\n",
        "PK is short for many things.\n",
        "BZh\n",
        "%PDF-1.4 begins a PDF.\n",
        "12\n13\n",
    ] {
        let place = Place::new(&[("a.txt", &[start.as_bytes(), &text(1000)].concat())]);
        place.open(&place.config(&["a.txt"]), 0).unwrap();
    }
}
