//! Needles in haystacks: what stands where.

use std::sync::Arc;

use miras_data::{
    Batch, DataConfig, Dataset, Haystack, NeedleConfig, NeedleKind, Needles, Paths, Tokenizer, open,
};

use crate::support::tokenizer_path;

/// A text of sentences of many lengths.
fn book() -> String {
    let mut text = String::new();
    for sentence in 0..400 {
        text.push_str("It went on");
        text.push_str(&" and on".repeat(sentence * 7 % 12));
        text.push_str(if sentence % 3 == 0 { ".\n\n" } else { "! " });
    }
    text
}

fn needles(kind: NeedleKind, tokenizer: &Arc<Tokenizer>) -> Needles {
    let haystack = if kind.needs_text() {
        Haystack::text(&book(), tokenizer)
    } else {
        Haystack::noise(tokenizer)
    };
    Needles::new(kind, Arc::new(haystack.unwrap()), Arc::clone(tokenizer))
}

/// The longest sentence of either haystack, with what stands before it.
const SENTENCE: usize = 100;

#[test]
fn a_row_has_the_tokens_asked_for_and_the_needle_where_it_was_asked_for() {
    let tokenizer = Arc::new(Tokenizer::bytes());
    for kind in NeedleKind::ALL {
        let needles = needles(kind, &tokenizer);
        for depth in [0.0, 12.5, 50.0, 99.0, 100.0] {
            for (sample, length) in (0..).zip([600, 1024, 4096, 50_000]) {
                let place = [length as u64, sample];
                let made = |seed, is_hidden| {
                    needles
                        .row(length, depth, &place, seed, 3, is_hidden)
                        .unwrap()
                };
                let hidden = made(7, true);
                let about = format!("{} {depth} {length}", kind.name());
                assert_eq!(hidden.row.len(), length, "{about}");
                let bytes = tokenizer.decode(&hidden.row.tokens(0..length));
                let text = String::from_utf8(bytes.clone()).unwrap();

                let needle = &text[hidden.at..hidden.at + hidden.needle];
                let what = if kind == NeedleKind::Uuid {
                    "uuid"
                } else {
                    "number"
                };
                let start = format!("One of the special magic {what}s for ");
                assert!(needle.trim().starts_with(&start), "{about}: {needle}");
                assert!(
                    needle.contains(&format!(" is: {}.", hidden.value)),
                    "{about}: {needle}"
                );
                assert_eq!(text.matches(&hidden.value).count(), 1, "{about}");

                // Between the first line and the question, at the depth.
                let head = text.find('\n').unwrap() + 1;
                let question = text.rfind("\nWhat is the special magic").unwrap();
                let before = hidden.at - head;
                let haystack = question - head - hidden.needle;
                let wanted = (haystack as f64 * depth / 100.0).round() as usize;
                // Not before the first sentence, which is cut.
                let most = if wanted < SENTENCE / 2 {
                    SENTENCE
                } else {
                    SENTENCE / 2
                };
                let off = before.abs_diff(wanted);
                match depth {
                    0.0 => assert_eq!(before, 0, "{about}"),
                    100.0 => assert_eq!(before, haystack, "{about}"),
                    _ => assert!(off <= most, "{about}: {off} away"),
                }
                if before > 0 {
                    assert!(text[..hidden.at].ends_with(['.', '!']), "{about}");
                }
                let key = needle.trim().strip_prefix(&start).unwrap();
                let key = key.split(' ').next().unwrap();
                let end = format!(
                    "\nWhat is the special magic {what} for {key} mentioned in the provided text? The special magic {what} for {key} mentioned in the provided text is"
                );
                assert!(text.ends_with(&end), "{about}: {}", &text[question..]);

                // The right value first, then three others.
                let values: Vec<_> = hidden
                    .values
                    .iter()
                    .map(|one| tokenizer.decode(one))
                    .collect();
                assert_eq!(values[0], format!(" {}", hidden.value).into_bytes());
                assert_eq!(values.len(), 4);
                for (at, value) in values.iter().enumerate() {
                    assert!(!values[..at].contains(value), "{about}");
                    assert_eq!(value.len(), values[0].len(), "{about}");
                }
                assert_eq!(
                    made(7, true).row.tokens(0..length),
                    hidden.row.tokens(0..length)
                );
                assert_ne!(made(8, true).value, hidden.value);

                let control = made(7, false);
                assert_eq!((control.row.len(), &control.value), (length, &hidden.value));
                let text = tokenizer.decode(&control.row.tokens(0..length));
                assert!(
                    !String::from_utf8(text).unwrap().contains(&hidden.value),
                    "{about}"
                );
            }
        }
    }
}

#[test]
fn uuids_are_of_version_4_and_numbers_have_seven_digits() {
    let tokenizer = Arc::new(Tokenizer::bytes());
    for kind in NeedleKind::ALL {
        let needles = needles(kind, &tokenizer);
        for sample in 0..40 {
            let value = needles.row(700, 50.0, &[sample], 1, 0, true).unwrap().value;
            if kind == NeedleKind::Uuid {
                let parts: Vec<_> = value.split('-').map(str::len).collect();
                assert_eq!(parts, [8, 4, 4, 4, 12], "{value}");
                assert_eq!(value.as_bytes()[14], b'4', "{value}");
                assert!("89ab".contains(char::from(value.as_bytes()[19])), "{value}");
                let hex = value.replace('-', "");
                assert!(hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
            } else {
                let number: u64 = value.parse().unwrap();
                assert!((1_000_000..10_000_000).contains(&number));
            }
        }
    }
}

#[test]
fn the_shortest_row_has_one_token_of_haystack() {
    let tokenizer = Arc::new(Tokenizer::bytes());
    let needles = needles(NeedleKind::Noise, &tokenizer);
    let shortest = needles.shortest(50.0, &[3], 1).unwrap();
    let hidden = needles.row(shortest, 50.0, &[3], 1, 0, true).unwrap();
    assert_eq!(hidden.row.len(), shortest);
    let shorter = std::panic::catch_unwind(|| needles.row(shortest - 1, 50.0, &[3], 1, 0, true));
    assert!(shorter.is_err());
}

/// Data of each kind of needle, in a book of its own, with rows of a length for the tokenizer.
fn every_kind(folder: &std::path::Path, tokenizer: &str, seq_len: usize) -> Vec<NeedleConfig> {
    let path = folder.join("book.txt");
    std::fs::write(&path, book()).unwrap();
    let of = |needle: NeedleKind| NeedleConfig {
        needle,
        haystack: if needle.needs_text() {
            path.to_str().unwrap().into()
        } else {
            Paths::default()
        },
        tokenizer: tokenizer.to_owned(),
        seq_len,
    };
    NeedleKind::ALL.map(of).to_vec()
}

fn opened(config: &NeedleConfig, seed: u64) -> Box<dyn Dataset> {
    open(&DataConfig::from(config.clone()), seed).unwrap()
}

/// Rows for training, and as many for evaluation.
fn batches(data: &dyn Dataset, seq_len: usize) -> [Batch; 2] {
    let starts: Vec<u64> = (0..9).map(|row| row * seq_len as u64).collect();
    [
        data.train_batch(0, 0..9).unwrap(),
        data.eval_rows(&starts).unwrap(),
    ]
}

#[test]
fn a_row_of_data_ends_with_the_value_that_is_hidden_in_it_and_only_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = tokenizer_path();
    let of_text = [("bytes", 512), (fixture.to_str().unwrap(), 700)];
    for (setting, seq_len) in of_text {
        let tokenizer = Tokenizer::open(setting).unwrap();
        let mut values = std::collections::BTreeSet::new();
        for config in every_kind(folder.path(), setting, seq_len) {
            let data = opened(&config, 3);
            assert_eq!(data.vocab(), tokenizer.vocab());
            for batch in batches(data.as_ref(), seq_len) {
                assert_eq!((batch.rows, batch.len), (9, seq_len));
                for row in 0..batch.rows {
                    let own = row * batch.len..(row + 1) * batch.len;
                    let (inputs, targets) =
                        (&batch.inputs[own.clone()], &batch.targets[own.clone()]);
                    assert_eq!(inputs[1..], targets[..batch.len - 1]);
                    let counts = &batch.weights[own];
                    let scored = counts.iter().filter(|weight| **weight > 0.0).count();
                    let answer = &counts[batch.len - scored..];
                    assert!(answer.iter().all(|weight| (weight - 1.0).abs() < 1e-9));
                    let text =
                        |tokens: &[i32]| String::from_utf8(tokenizer.decode(tokens)).unwrap();
                    let answer = text(&targets[batch.len - scored..]);
                    let prompt = text(&inputs[..=batch.len - scored]);
                    assert!(
                        prompt.ends_with("mentioned in the provided text is"),
                        "{prompt}"
                    );
                    assert_eq!(
                        prompt.matches(&format!("is:{answer}.")).count(),
                        1,
                        "{answer}"
                    );
                    // No value comes twice, least of all in training and in an evaluation.
                    assert!(values.insert(answer));
                }
            }
        }
    }
}

#[test]
fn rows_of_needles_depend_on_seed_step_number_and_purpose_only() {
    let folder = tempfile::tempdir().unwrap();
    for config in every_kind(folder.path(), "bytes", 600) {
        let [data, other] = [3, 4].map(|seed| opened(&config, seed));
        let rows = |rows| data.train_batch(5, rows).unwrap().inputs;
        assert_eq!(rows(0..7), [rows(0..2), rows(2..7)].concat());
        assert_ne!(rows(0..1), other.train_batch(5, 0..1).unwrap().inputs);
        assert_ne!(rows(0..1), data.train_batch(6, 0..1).unwrap().inputs);
        // Another seed, or length, draws other rows of the same data.
        let long = NeedleConfig {
            seq_len: 700,
            ..config.clone()
        };
        let of = |data: &dyn Dataset| data.describe().fingerprint;
        assert_eq!(of(data.as_ref()), of(other.as_ref()));
        assert_eq!(of(data.as_ref()), of(opened(&long, 3).as_ref()));
        if config.needle.needs_text() {
            let path = folder.path().join("another.txt");
            std::fs::write(&path, book() + "And then.").unwrap();
            let elsewhere = NeedleConfig {
                haystack: path.to_str().unwrap().into(),
                ..config
            };
            assert_ne!(of(data.as_ref()), of(opened(&elsewhere, 3).as_ref()));
        }
    }
}

#[test]
fn needles_that_do_not_fit_are_refused_with_what_would() {
    let refused = |config: NeedleConfig| {
        let opened = open(&DataConfig::from(config), 1);
        opened.err().expect("a refusal").to_string()
    };
    let of = |needle, haystack: &str| NeedleConfig {
        needle,
        haystack: match haystack {
            "" => Paths::default(),
            path => path.into(),
        },
        ..NeedleConfig::default()
    };
    let short = NeedleConfig {
        seq_len: 300,
        ..NeedleConfig::default()
    };
    let message = refused(short.clone());
    assert!(
        message.starts_with("seq_len: a row has a prompt"),
        "{message}"
    );
    let needed = message.rsplit("seq_len = ").next().unwrap();
    let needed: usize = needed.strip_suffix(" or more").unwrap().parse().unwrap();
    let longer = |seq_len| NeedleConfig {
        seq_len,
        ..short.clone()
    };
    opened(&longer(needed), 1).train_batch(9, 0..64).unwrap();
    refused(longer(needed - 1));
    let missing = refused(of(NeedleKind::Text, ""));
    assert!(
        missing.starts_with("haystack: must name a text"),
        "{missing}"
    );
    let unused = refused(of(NeedleKind::Noise, "book.txt"));
    assert!(
        unused.contains("has no effect with needle = \"noise\""),
        "{unused}"
    );
    let nowhere = refused(of(NeedleKind::Uuid, "no/such/book.txt"));
    assert!(
        nowhere.contains("no/such/book.txt` does not exist"),
        "{nowhere}"
    );
}
