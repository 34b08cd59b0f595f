//! Needles in haystacks: what stands where.

use std::sync::Arc;

use miras_data::{Haystack, NeedleKind, Needles, Tokenizer};

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
