use std::{error::Error, fs, path::PathBuf};

use miras_data::{DataConfig, DataError, Paths, TextConfig, open, open_text};

use crate::support::{Place, gz, text, zst};

/// The error and its causes as one line, with the folder of the test as `DIR`.
fn error(place: &Place, change: impl FnOnce(&mut TextConfig)) -> String {
    let mut config = place.config(&["good.txt"]);
    change(&mut config);
    let error = place.open(&config, 0).err().expect("must be refused");
    chain(place, &error)
}

fn chain(place: &Place, error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line.replace(&place.path("")[..place.path("").len() - 1], "DIR")
}

fn place() -> Place {
    Place::new(&[
        ("good.txt", &text(1000)),
        ("books/moby_dick.txt.gz", &gz(&text(1000))),
        ("books/emma.txt", &text(1000)),
        ("empty.txt", b""),
        ("nothing/empty.txt", b""),
        ("damaged.gz", b"not gzip at all"),
        ("short.gz", &gz(&text(1000))[..200]),
        ("damaged.zst", b"not zstd at all"),
        ("short.zst", &zst(&text(1000))[..200]),
        ("nothing.zst", b""),
        ("image.png", &[b'P', b'N', b'G', 0, 1, 2]),
    ])
}

#[test]
fn a_missing_path_is_named_with_the_nearest_one() {
    let place = place();
    let missing = |name| error(&place, |config| config.path = place.paths(&[name]));
    assert_eq!(
        missing("god.txt"),
        "path: `DIR/god.txt` does not exist; did you mean `DIR/good.txt`?"
    );
    assert_eq!(
        missing("books/moby-dick.txt"),
        "path: `DIR/books/moby-dick.txt` does not exist; did you mean `DIR/books/moby_dick.txt.gz`?"
    );
    assert_eq!(
        missing("bokos/emma.txt"),
        "path: `DIR/bokos/emma.txt` does not exist; did you mean `DIR/books`?"
    );
    assert_eq!(
        missing("xyzzy/emma.txt"),
        "path: `DIR/xyzzy/emma.txt` does not exist: there is no `DIR/xyzzy`"
    );
    assert_eq!(missing("xyzzy"), "path: `DIR/xyzzy` does not exist");
    let relative = error(&place, |config| config.path = "xyzzy-xyzzy.txt".into());
    assert!(relative.starts_with("path: `xyzzy-xyzzy.txt` does not exist in `/"));
    let valid = error(&place, |config| {
        config.valid_path = Some(place.paths(&["god.txt"]));
    });
    assert_eq!(
        valid,
        "valid_path: `DIR/god.txt` does not exist; did you mean `DIR/good.txt`?"
    );
}

#[test]
fn a_pattern_without_match_is_named() {
    let place = place();
    let refused = |name| error(&place, |config| config.path = place.paths(&[name]));
    assert_eq!(
        refused("*.csv"),
        "path: no file matches the pattern `DIR/*.csv`"
    );
    assert_eq!(
        refused("b*s"),
        "path: no file matches the pattern `DIR/b*s`; it matches a folder: add `/**/*` for the files in it"
    );
    assert_eq!(
        refused("a[.txt"),
        "path: `DIR/a[.txt` is not a valid pattern: invalid range pattern"
    );
}

#[test]
fn what_holds_nothing_is_refused() {
    let place = place();
    let refused = |name| error(&place, |config| config.path = place.paths(&[name]));
    for name in ["empty.txt", "nothing", "nothing/*"] {
        assert_eq!(
            refused(name),
            format!("path: `DIR/{name}` is empty: there is nothing to train on")
        );
    }
    fs::create_dir(place.path("bare")).unwrap();
    assert_eq!(
        refused("bare"),
        "path: `DIR/bare` is empty: there is nothing to train on"
    );
}

#[test]
fn a_binary_file_is_refused_unless_allowed() {
    let place = place();
    let names = ["good.txt", "image.png"];
    assert_eq!(
        error(&place, |config| config.path = place.paths(&names)),
        "path: `DIR/image.png` holds NUL bytes, the first at byte 3 (line 1), so it is no text; \
         set allow_binary = true to train on its bytes all the same"
    );
    let mut config = place.config(&names);
    config.allow_binary = true;
    assert_eq!(place.open(&config, 0).unwrap().describe().file_count, 2);
}

#[test]
fn text_is_utf8_but_for_a_character_that_is_cut_off() {
    let place = place();
    let long = "ä".repeat(40_000);
    for (name, bytes) in [
        ("tail.txt", [&[b'x'; 999][..], b"\xc3"].concat()),
        ("even.txt", long.clone().into_bytes()),
        ("odd.txt", format!("x{long}").into_bytes()),
    ] {
        fs::write(place.path(name), bytes).unwrap();
        let config = place.config(&[name]);
        place.open(&config, 0).unwrap();
    }
}

#[test]
fn a_damaged_compressed_file_is_refused_and_leaves_no_copy() {
    let place = place();
    for (name, what) in [
        ("damaged.gz", "gzip"),
        ("short.gz", "gzip"),
        ("damaged.zst", "zstd"),
        ("short.zst", "zstd"),
        ("nothing.zst", "zstd"),
    ] {
        // The cause is the decompressor's text and may differ between its versions.
        let error = error(&place, |config| config.path = place.paths(&[name]));
        let expected =
            format!("cannot decompress `DIR/{name}`: it is damaged or not a {what} file: ");
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(fs::read_dir(&place.caches()[0]).unwrap().count(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let place = place();
    let config = place.config(&["books/moby_dick.txt.gz"]);
    let folder = PathBuf::from(place.path("good.txt/cache"));
    let error = open_text(&config, 0, &[folder]).err().unwrap();
    assert!(
        chain(&place, &error).starts_with(
            "cannot write a copy of the text of `DIR/books/moby_dick.txt.gz` to `DIR/good.txt/cache`; \
             set XDG_CACHE_HOME to a folder with room: "
        ),
        "{error}"
    );
}

#[test]
fn a_part_that_does_not_fill_a_row_is_refused_with_the_numbers() {
    let place = place();
    let refused = |seq_len| error(&place, |config| config.seq_len = seq_len);
    assert_eq!(
        refused(100),
        "the validation part has 100 bytes, but seq_len = 100 needs at least 101: \
         use seq_len = 99 or less, or give more text or a larger validation part"
    );
    assert_eq!(
        refused(1000),
        "the training part has 900 bytes, but seq_len = 1000 needs at least 1001: \
         use seq_len = 899 or less, or give more text"
    );
    let config = TextConfig {
        seq_len: 99,
        ..place.config(&["good.txt"])
    };
    place.open(&config, 0).unwrap();
}

#[test]
fn a_file_given_twice_is_refused() {
    let place = place();
    assert_eq!(
        error(&place, |config| config.path =
            place.paths(&["good.txt", "g*.txt"])),
        "`DIR/good.txt` is given twice, by `path = DIR/good.txt` and by `path = DIR/g*.txt`: \
         text used for both training and validation would spoil the measure"
    );
    assert_eq!(
        error(&place, |config| config.valid_path =
            Some(place.paths(&["good.txt"]))),
        "`DIR/good.txt` is given twice, by `path = DIR/good.txt` and by `valid_path = DIR/good.txt`: \
         text used for both training and validation would spoil the measure"
    );
}

#[test]
#[cfg(unix)]
fn a_device_and_a_path_through_a_file_are_refused() {
    let place = place();
    assert_eq!(
        error(&place, |config| config.path = "/dev/null".into()),
        "path: `/dev/null` is neither a file nor a folder; write its contents to a file first"
    );
    let through = error(&place, |config| config.path = place.paths(&["good.txt/x"]));
    assert!(
        through.starts_with("cannot read `DIR/good.txt/x`: "),
        "{through}"
    );
}

#[test]
fn a_file_cut_short_while_training_is_an_error() {
    let place = place();
    let data = place.open(&place.config(&["good.txt"]), 0).unwrap();
    fs::write(place.path("good.txt"), "short").unwrap();
    let error = data.train_batch(0, 0..4).unwrap_err();
    assert_eq!(
        chain(&place, &error),
        "cannot read `DIR/good.txt`: failed to fill whole buffer"
    );
}

#[test]
fn impossible_batches_are_refused() {
    let place = place();
    let data = place.open(&place.config(&["good.txt"]), 0).unwrap();
    let text = |result: Result<_, DataError>| result.unwrap_err().to_string();
    assert_eq!(
        text(data.train_batch(0, 0..0)),
        "a batch of 0 rows of 16 tokens is not possible: rows must be from 1 to 16777216"
    );
    assert!(text(data.train_batch(0, 0..usize::MAX)).contains("not possible"));
    assert_eq!(
        text(data.eval_rows(&[0, 500])),
        "there is no evaluation row at token 500: the validation part has 99 tokens that can be scored, counted from 0"
    );
}

#[test]
fn impossible_values_are_refused_all_at_once() {
    let config = TextConfig {
        path: Paths::default(),
        field: String::new(),
        mix: Vec::new(),
        tokenizer: " ".to_owned(),
        seq_len: 0,
        valid_fraction: Some(1.5),
        valid_path: Some(" ".into()),
        separator: String::new(),
        corrupt: 1.0,
        needles: 1.5,
        allow_binary: false,
    };
    let error = open(&DataConfig::Text(config), 0).err().unwrap();
    assert_eq!(error.field(), Some("path"));
    assert_eq!(
        error.to_string(),
        "path: must name a file, a folder or a pattern such as `books/*.txt`\n\
         valid_path: must name a file, a folder or a pattern such as `books/*.txt`\n\
         field: must name the field with the text of a record, such as \"text\"\n\
         tokenizer: must be \"bytes\" or the path of a tokenizer\n\
         seq_len: must be from 1 to 16777216 tokens, got 0\n\
         corrupt: must be a share of the tokens from 0 to below 1, got 1\n\
         needles: must be a share of the training rows from 0 to 1, got 1.5\n\
         valid_fraction: has no effect beside valid_path, which is the whole validation part: \
         leave one of them out\n\
         valid_fraction: must lie between 0 and 1, both excluded, got 1.5"
    );
}
