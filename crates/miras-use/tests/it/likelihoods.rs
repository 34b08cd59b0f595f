//! Likelihoods of given texts, beside the same ones token by token.

use miras_tasks::Choice;
use miras_use::{Generator, Memory, Scorer, Trained};

use crate::support::{Bench, assert_near};

fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |&(context, continuation): &(&str, &str)| Choice {
        context: context.to_owned(),
        continuation: continuation.to_owned(),
    };
    pairs.iter().map(choice).collect()
}

/// The log-likelihood of bytes after others, and whether each is the likeliest.
fn one_by_one(trained: &Trained, memory: Memory, context: &[u8], bytes: &[u8]) -> (f64, bool) {
    let mut generator = Generator::new(trained, memory).unwrap();
    let ids = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| i32::from(*byte))
            .collect::<Vec<_>>()
    };
    generator.read(&ids(context)).unwrap();
    let (mut log, mut greedy) = (0.0, true);
    for byte in ids(bytes) {
        let logits: Vec<f64> = generator
            .logits()
            .unwrap()
            .iter()
            .map(|x| f64::from(*x))
            .collect();
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
        let own = logits[byte as usize];
        log += own - largest - sum.ln();
        greedy &= own >= largest;
        generator.read(&[byte]).unwrap();
    }
    (log, greedy)
}

const PAIRS: &[(&str, &str)] = &[
    ("Mara has a red ", "kite"),
    ("Mara has a red", " kite in a box under the stairs."),
    ("Tom keeps nine stones", " in"),
    ("Mara has a red", " box"),
    ("", "Once"),
    (" ", "x"),
    (
        "A longer text that reaches over several chunks of eight tokens, with",
        " an end",
    ),
];

#[test]
fn they_are_those_of_reading_token_by_token() {
    let bench = Bench::new();
    let (memory, _) = bench.trained("memory", &[]);
    let (attention, _) = bench.attention("attention");
    let cases = [
        (&memory, Memory::Live),
        (&memory, Memory::Frozen),
        (&attention, Memory::Live),
    ];
    for (trained, how) in cases {
        let scorer = Scorer::new(trained, how).unwrap();
        let all = choices(PAIRS);
        let found = scorer
            .score(&all.iter().collect::<Vec<_>>(), &|_| {})
            .unwrap();
        for ((context, continuation), found) in PAIRS.iter().zip(&found) {
            let whole = format!("{context}{continuation}");
            let read = context.trim_end();
            let context = if read.is_empty() { "\n" } else { read };
            let bytes = &whole.as_bytes()[read.len()..];
            let (log, greedy) = one_by_one(trained, how, context.as_bytes(), bytes);
            assert_near(found.likelihood.log, log, 1e-4 * log.abs());
            assert_eq!(found.likelihood.greedy, greedy);
            assert_eq!((found.tokens, found.bytes), (bytes.len(), bytes.len()));
        }
        // Each alone.
        for (choice, found) in all.iter().zip(&found) {
            let alone = scorer.score(&[choice], &|_| {}).unwrap()[0];
            assert_near(alone.likelihood.log, found.likelihood.log, 1e-4);
        }
    }
    // What an untrained model thinks likeliest is greedy.
    let scorer = Scorer::new(&memory, Memory::Live).unwrap();
    let mut generator = Generator::new(&memory, Memory::Live).unwrap();
    generator.read(&[i32::from(b'a')]).unwrap();
    let logits = generator.logits().unwrap();
    let best =
        (0..128_u8).max_by(|a, b| logits[usize::from(*a)].total_cmp(&logits[usize::from(*b)]));
    let best = char::from(best.unwrap()).to_string();
    let likeliest = choices(&[("a", &best), ("a", "\u{1}")]);
    let found = scorer
        .score(&likeliest.iter().collect::<Vec<_>>(), &|_| {})
        .unwrap();
    let is_ascii_best = logits
        .iter()
        .skip(128)
        .all(|other| other < &logits[usize::from(best.as_bytes()[0])]);
    assert_eq!(found[0].likelihood.greedy, is_ascii_best);
    assert!(found[0].likelihood.log >= found[1].likelihood.log);
}

/// Of a window: where what is read begins, where what is predicted does, and its end.
type Ends = (usize, usize, usize);

#[test]
fn windows_of_a_text_predict_every_token_once() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let scorer = Scorer::new(&trained, Memory::Live).unwrap();
    let text = "Mara has a red kite. Tom keeps nine stones.";
    let read = format!("\n{text}");
    let cases: [([usize; 2], &[Ends]); 3] = [
        ([100, 100], &[(0, 1, 44)]),
        ([20, 20], &[(0, 1, 21), (20, 21, 41), (23, 41, 44)]),
        (
            [20, 10],
            &[(0, 1, 21), (10, 21, 31), (20, 31, 41), (23, 41, 44)],
        ),
    ];
    for (windows, ends) in cases {
        let found = scorer.score_texts(&[text], windows, &|_, _| {}).unwrap();
        let expected: f64 = (ends.iter())
            .map(|&(start, from, to)| {
                let bytes = read.as_bytes();
                one_by_one(
                    &trained,
                    Memory::Live,
                    &bytes[start..from],
                    &bytes[from..to],
                )
                .0
            })
            .sum();
        assert_eq!((found.tokens, found.bytes), (43, 43));
        assert_near(found.likelihood.log, expected, 1e-4 * expected.abs());
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let error = Scorer::new(&trained, Memory::Reset).map(drop).unwrap_err();
    assert!(error.is_usage(), "{error}");
    let scorer = Scorer::new(&trained, Memory::Live).unwrap();
    let empty = &choices(&[("a", "")])[0];
    let error = scorer.score(&[empty], &|_| {}).unwrap_err().to_string();
    assert!(error.contains("no token of its own"), "{error}");
    let (recall, _) = bench.trained("recall", &[crate::support::RECALL]);
    let error = Scorer::new(&recall, Memory::Live).map(drop).unwrap_err();
    assert!(error.is_usage(), "{error}");
}
