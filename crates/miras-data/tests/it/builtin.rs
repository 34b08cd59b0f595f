//! The corpus inside the program.

use std::io::Read;

use flate2::read::GzDecoder;
use miras_data::{BuiltinConfig, DataConfig, DataKind, open};
use miras_run::sha256_hex;

/// As `scripts/stories.py` wrote it.
fn corpus() -> String {
    let mut text = String::new();
    GzDecoder::new(&include_bytes!("../../src/stories.txt.gz")[..])
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn the_text_never_changes() {
    let text = corpus();
    let hash = "0ea5bc9d348d1a809f09bf076c9aa6e813738317f8e2867e3ff5418d66404670";
    assert_eq!(sha256_hex(text.as_bytes()), hash);
    let data = open(&DataConfig::default(), 0).unwrap();
    assert_eq!(data.describe().fingerprint, format!("sha256:{hash}"));
}

#[test]
fn the_text_is_plain_and_every_brace_is_filled() {
    let text = corpus();
    let strange = |c: char| !(c.is_ascii_graphic() || c == ' ' || c == '\n') || "{}<>".contains(c);
    assert_eq!(text.find(strange), None);
    for flaw in [
        "  ", " .", " ,", " a a", "a the ", "..", ",,", " \n", "\n\n\n",
    ] {
        let at = text.find(flaw);
        assert_eq!(
            at,
            None,
            "{flaw:?}: {:?}",
            at.map(|at| &text[at - 60..at + 20])
        );
    }
}

#[test]
fn made_up_words_come_back_in_their_story() {
    let text = corpus();
    let (mut told, mut recalled) = (0, 0);
    for story in text.split("\n\n") {
        if let Some((_, after)) = story.split_once("The secret word of ") {
            let word = after.split('"').nth(1).unwrap_or_default();
            let replaced = after.contains("chose a new word");
            told += usize::from(!replaced);
            recalled += usize::from(!replaced && story.matches(word).count() > 1);
        }
    }
    assert!(told > 50 && recalled == told, "{recalled} of {told}");
}

#[test]
fn sentences_are_varied() {
    let text = corpus();
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut unique = lines.clone();
    unique.sort_unstable();
    unique.dedup();
    assert!(
        unique.len() * 100 > lines.len() * 85,
        "{} of {}",
        unique.len(),
        lines.len()
    );
}

#[test]
fn the_two_parts_are_the_whole_text() {
    let about = open(&DataConfig::default(), 0).unwrap().describe();
    let parts = about.train_bytes.unwrap() + about.valid_bytes.unwrap();
    assert_eq!(parts, corpus().len() as u64);
}

#[test]
fn a_row_longer_than_the_corpus_is_refused_with_the_longest_that_fits() {
    let mut config = BuiltinConfig {
        seq_len: 500_000,
        ..BuiltinConfig::default()
    };
    let problems = config.validate();
    assert_eq!(problems[0].0, "seq_len");
    let most = problems[0].1.rsplit(' ').next().unwrap().parse().unwrap();
    config.seq_len = most;
    assert_eq!(config.validate(), []);
    open(&config.clone().into(), 0).unwrap();
    config.seq_len = most + 1;
    assert_eq!(config.validate().len(), 1);
    for valid_fraction in [0.0, 1.0, -1.0, f64::NAN] {
        let config = BuiltinConfig {
            valid_fraction,
            ..BuiltinConfig::default()
        };
        assert_eq!(config.validate()[0].0, "valid_fraction");
    }
}
