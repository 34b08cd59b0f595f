use std::time::Instant;

use super::*;
use crate::Dataset;

fn corpus() -> String {
    story::corpus(LEAST_BYTES)
}

#[test]
fn the_text_never_changes() {
    let text = corpus();
    assert_eq!(text.len() as u64, BYTES);
    assert_eq!(
        describe::of_bytes(text.as_bytes()),
        "sha256:0ea5bc9d348d1a809f09bf076c9aa6e813738317f8e2867e3ff5418d66404670"
    );
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
fn every_form_names_lists_and_slots_that_exist() {
    let names = ["n", "m", "o", "he", "him", "his", "village"];
    for kind in facts::KINDS {
        let all = [
            kind.tell,
            kind.write,
            kind.changed,
            kind.ask,
            kind.reply,
            kind.quiz,
        ];
        for form in all.into_iter().flatten().chain([&kind.note]) {
            for name in form.split('{').skip(1) {
                let name = name.split('}').next().unwrap();
                let name = name.strip_prefix("a ").unwrap_or(name);
                let known = names.contains(&name)
                    || kind.slots.iter().any(|(slot, _)| *slot == name)
                    || words::list(name).is_some();
                assert!(known, "{name} in {form}");
            }
        }
        assert_eq!(kind.change.is_empty(), kind.changed.is_empty());
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
fn opening_takes_well_under_a_second() {
    let start = Instant::now();
    let data = open(&BuiltinConfig::default(), 0).unwrap();
    assert!(start.elapsed().as_secs_f32() < 1.0);
    let about = data.describe();
    assert_eq!(
        about.train_bytes.unwrap() + about.valid_bytes.unwrap(),
        BYTES
    );
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
    open(&config, 0).unwrap();
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
