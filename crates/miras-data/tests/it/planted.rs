//! Needles planted in rows of text.

use std::{collections::BTreeSet, sync::Arc};

use miras_data::{
    Batch, BuiltinConfig, DataConfig, DataKind, Dataset, Haystack, NeedleKind, Needles, TextConfig,
    Tokenizer, open,
};

use crate::support::{Place, text, tokenizer_path};

const LEN: usize = 320;
const START: &str = " One of the special magic numbers for ";
const QUESTION: &str = "\nWhat is the special magic number for ";
const ROWS: usize = 25;

fn place() -> Place {
    Place::new(&[("a.txt", &text(90_000))])
}

/// Bytes, and tokens of a BPE.
fn tokenizers() -> [(String, Arc<Tokenizer>); 2] {
    let bpe = tokenizer_path().to_str().unwrap().to_owned();
    let opened = Tokenizer::open(&bpe).unwrap();
    [
        ("bytes".to_owned(), Arc::new(Tokenizer::bytes())),
        (bpe, Arc::new(opened)),
    ]
}

fn config(place: &Place, tokenizer: &str, needles: f64) -> TextConfig {
    TextConfig {
        tokenizer: tokenizer.to_owned(),
        seq_len: LEN,
        needles,
        ..place.config(&["a.txt"])
    }
}

/// Rows of training as tokens, the one behind the last input too; each is a target of its own.
fn rows(batch: &Batch) -> Vec<Vec<i32>> {
    assert!((batch.weights.iter()).all(|weight| weight.to_bits() == 1_f32.to_bits()));
    let inputs = batch.inputs.chunks(batch.len);
    let both = inputs.zip(batch.targets.chunks(batch.len));
    both.map(|(inputs, targets)| {
        assert_eq!(inputs[1..], targets[..batch.len - 1]);
        [&inputs[..1], targets].concat()
    })
    .collect()
}

/// Rows of training and of a stream.
fn both(data: &dyn Dataset, step: u64) -> [Vec<Vec<i32>>; 2] {
    [
        data.train_batch(step, 0..ROWS).unwrap(),
        data.stream_batch(step, 0..ROWS, ROWS).unwrap(),
    ]
    .map(|batch| rows(&batch))
}

/// The key and the value between the words of a sentence, and where it ends.
fn between<'a>(text: &'a str, [before, inside, behind]: [&str; 3]) -> ([&'a str; 2], usize) {
    let rest = text.strip_prefix(before).unwrap();
    let (key, rest) = rest.split_once(inside).unwrap();
    let (value, rest) = rest.split_once(behind).unwrap();
    ([key, value], text.len() - rest.len())
}

/// Checks a planted row against the one of the text, and gives the token at which its needle begins.
fn check(row: &[i32], of_text: &[i32], tokenizer: &Tokenizer) -> usize {
    let said = tokenizer.decode(row);
    let said = String::from_utf8_lossy(&said);
    let needle = said.find(START).unwrap();
    let question = said.rfind(QUESTION).unwrap();
    let (hidden, len) = between(&said[needle..], [START, " is: ", "."]);
    let inside = " mentioned in the provided text? The special magic number for ";
    let (key, asked) = said[question + QUESTION.len()..]
        .split_once(inside)
        .unwrap();
    let (again, value) = asked
        .split_once(" mentioned in the provided text is ")
        .unwrap();
    assert_eq!((key, value), (again, hidden[1]));
    assert_eq!(key, hidden[0]);
    assert!(value.len() == 7 && value.parse::<u32>().unwrap() >= 1_000_000);
    assert!(needle + len <= question);
    // All other tokens are those of the text.
    let sentence = tokenizer
        .encode(said[needle..needle + len].as_bytes())
        .unwrap();
    let tail = format!("{QUESTION}{key}{inside}{key} mentioned in the provided text is");
    let tail = [tail, format!(" {value}")].map(|part| tokenizer.encode(part.as_bytes()).unwrap());
    let tail = tail.concat();
    let end = row.len() - tail.len();
    assert_eq!(row[end..], tail);
    let is_there = |at: &usize| row[*at..].starts_with(&sentence);
    let at = (0..end).find(is_there).unwrap();
    assert_eq!(row[..at], of_text[..at]);
    let behind = at + sentence.len();
    assert_eq!(row[behind..end], of_text[behind..end]);
    at
}

#[test]
fn so_many_rows_have_a_needle_with_its_question_and_others_are_those_of_the_text() {
    let place = place();
    for (name, tokenizer) in tokenizers() {
        let clean = place.open(&config(&place, &name, 0.0), 1).unwrap();
        let some = place.open(&config(&place, &name, 0.2), 1).unwrap();
        let all = place.open(&config(&place, &name, 1.0), 1).unwrap();
        let (mut planted, mut places, mut count) = (0, BTreeSet::new(), 0);
        for step in 0..10 {
            let parts = both(&*clean, step).into_iter().zip(both(&*some, step));
            for ((clean, some), all) in parts.zip(both(&*all, step)) {
                for ((clean, some), all) in clean.iter().zip(&some).zip(&all) {
                    count += 1;
                    places.insert(check(all, clean, &tokenizer));
                    if some != clean {
                        assert_eq!(some, all);
                        planted += 1;
                    }
                }
            }
        }
        let (count, p) = (f64::from(count), 0.2);
        let off = (f64::from(planted) - count * p).abs();
        assert!(off < 5.0 * (count * p * (1.0 - p)).sqrt(), "{planted}");
        // Anywhere before the question.
        let most = *places.last().unwrap();
        assert!(places.first().unwrap() * 10 < most, "{places:?}");
        assert!(places.len() > most / 2, "{places:?}");
    }
}

#[test]
fn a_needle_is_a_function_of_seed_step_and_row_and_validation_has_none() {
    let place = place();
    let open = |needles, seed| {
        let config = config(&place, "bytes", needles);
        place.open(&config, seed).unwrap()
    };
    let whole = open(0.5, 1).train_batch(7, 0..9).unwrap();
    let parts = [0..2, 2..9].map(|rows| open(0.5, 1).train_batch(7, rows).unwrap());
    let together = parts.each_ref().map(rows).concat();
    assert_eq!(together, rows(&whole));
    assert_eq!(parts[0].bytes + parts[1].bytes, whole.bytes);
    assert_eq!(whole.bytes, (9 * LEN) as u64);
    // Keys and values of other steps, rows and seeds are others.
    let ends = [(1, 0), (1, 1), (2, 0)].map(|(seed, step)| {
        let batch = open(1.0, seed).train_batch(step, 0..9).unwrap();
        let ends = rows(&batch).into_iter().map(|row| row[LEN - 7..].to_vec());
        ends.collect::<Vec<_>>()
    });
    let different: BTreeSet<_> = ends.concat().into_iter().collect();
    assert_eq!(different.len(), 27);
    let starts = [0, 100, 8000];
    let of_text = open(0.0, 1).eval_rows(&starts).unwrap();
    assert_eq!(open(1.0, 1).eval_rows(&starts).unwrap(), of_text);
    let about = [0.0, 1.0].map(|share| open(share, 1).describe());
    assert_eq!(about[0].fingerprint, about[1].fingerprint);
    assert_eq!(about[1].valid_fingerprint, None);
    assert_eq!((about[0].notes.len(), about[1].notes.len()), (0, 1));
}

#[test]
fn the_sentences_are_those_that_the_task_asks_for() {
    let place = place();
    for (name, tokenizer) in tokenizers() {
        let haystack = Haystack::text("Words. And more.", &tokenizer).unwrap();
        let task = Needles::new(NeedleKind::Text, Arc::new(haystack), Arc::clone(&tokenizer));
        let hidden = task.row(600, 50.0, &[1], 42, 0, true).unwrap();
        let prompt = hidden.row.tokens(0..600);
        let asked = tokenizer.decode(&prompt);
        let asked = String::from_utf8(asked).unwrap();
        let question = &asked[asked.rfind(QUESTION).unwrap()..];
        let sentence = tokenizer.decode(&prompt[hidden.at..][..hidden.needle]);
        let sentence = String::from_utf8(sentence).unwrap();
        let ([key, value], _) = between(&sentence, [START, " is: ", "."]);
        let config = config(&place, &name, 1.0);
        let data = place.open(&config, 3).unwrap();
        let row = rows(&data.train_batch(0, 0..1).unwrap()).remove(0);
        let said = tokenizer.decode(&row);
        let said = String::from_utf8_lossy(&said).into_owned();
        let needle = said.find(START).unwrap();
        let ([own, number], len) = between(&said[needle..], [START, " is: ", "."]);
        let planted = said[needle..needle + len]
            .replace(own, key)
            .replace(number, value);
        assert_eq!(planted, sentence);
        let end = &said[said.rfind(QUESTION).unwrap()..];
        let end = end.replace(own, key).replace(number, value);
        assert_eq!(end, format!("{question} {value}"));
    }
}

#[test]
fn rows_that_are_too_short_are_refused_with_the_least_that_is_not() {
    let place = place();
    for (name, _) in tokenizers() {
        let with = |seq_len, needles, seed| {
            let config = TextConfig {
                seq_len,
                ..config(&place, &name, needles)
            };
            place.open(&config, seed)
        };
        let error = with(20, 0.01, 1).err().unwrap();
        assert_eq!(error.field(), Some("seq_len"));
        let error = error.to_string();
        let least = error.split("use seq_len = ").nth(1).unwrap();
        let least: usize = least.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(
            error,
            format!(
                "seq_len: a needle and its question with the answer take rows of up to {least} \
                 tokens, and seq_len = 20: use seq_len = {least} or more, or leave needles = 0.01 out"
            )
        );
        for seed in [1, 2] {
            assert!(with(least - 1, 0.01, seed).is_err());
            let data = with(least, 1.0, seed).unwrap();
            data.train_batch(0, 0..200).unwrap();
        }
        with(20, 0.0, 1).unwrap();
    }
    // ` One of … for KEY is: VALUE.`, the question with KEY twice and ` VALUE`, of which the last
    // byte is a target alone; a key has 16 characters at most, its hyphen among them.
    let words = "\nWhat is the special magic number for  mentioned in the provided text? \
                 The special magic number for  mentioned in the provided text is 1234567";
    let longest = START.len() + " is: 1234567.".len() + words.len() + 3 * "patient-mountain".len();
    assert_eq!(longest - 1, 240);
    let bytes = TextConfig {
        seq_len: longest - 1,
        ..config(&place, "bytes", 1.0)
    };
    place.open(&bytes, 1).unwrap();
    let bytes = TextConfig {
        seq_len: longest - 2,
        ..bytes
    };
    assert!(place.open(&bytes, 1).is_err());
}

#[test]
fn the_built_in_corpus_can_have_them_and_shares_beyond_are_refused() {
    let builtin = |needles| {
        DataConfig::from(BuiltinConfig {
            needles,
            ..BuiltinConfig::default()
        })
    };
    let row = |needles| {
        let batch = open(&builtin(needles), 1).unwrap().train_batch(0, 0..1);
        rows(&batch.unwrap()).remove(0)
    };
    check(&row(1.0), &row(0.0), &Tokenizer::bytes());
    let place = place();
    for share in [-0.1, 1.1, f64::NAN] {
        let expected = format!("must be a share of the training rows from 0 to 1, got {share}");
        let expected = [("needles", expected)];
        assert_eq!(builtin(share).validate(), expected);
        assert_eq!(config(&place, "bytes", share).validate(), expected);
    }
}
