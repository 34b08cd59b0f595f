//! The corpus inside the program: short stories that state facts and recall them later.

use std::{
    io::Read,
    sync::{Arc, LazyLock},
};

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::{
    DataError, Description, Problem, Tokenizer, describe,
    problem::{check_seq_len, check_valid_fraction},
    source::{Span, train_bytes},
    windows::Windows,
};

/// Size of the text in bytes.
const BYTES: u64 = 1_049_461;

/// The text, as `scripts/stories.py` wrote it.
static TEXT: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| {
    let mut text = Vec::with_capacity(BYTES as usize);
    GzDecoder::new(&include_bytes!("stories.txt.gz")[..])
        .read_to_end(&mut text)
        .expect("the embedded gzip file is whole");
    Arc::new(text)
});

/// The built-in corpus.
///
/// The text is fixed for ever: it depends on no setting and no seed, so losses of different
/// runs and versions compare.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BuiltinConfig {
    /// Tokens, that is bytes, in a row (1 to the size of the smaller part).
    pub seq_len: usize,
    /// Share of the corpus kept for validation, at its end (between 0 and 1).
    pub valid_fraction: f64,
}

impl Default for BuiltinConfig {
    fn default() -> Self {
        Self {
            seq_len: 256,
            valid_fraction: 0.1,
        }
    }
}

impl BuiltinConfig {
    /// All problems; empty if there are none.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::from_iter(check_seq_len(self.seq_len));
        problems.extend(check_valid_fraction(self.valid_fraction));
        if problems.is_empty() {
            let train = train_bytes(BYTES, self.valid_fraction);
            let most = train.min(BYTES - train).saturating_sub(1);
            if self.seq_len as u64 > most {
                let message = format!(
                    "the built-in corpus has {train} bytes for training and {} for validation: seq_len = {} does not fit, the largest value that fits is {most}",
                    BYTES - train,
                    self.seq_len
                );
                problems.push(("seq_len", message));
            }
        }
        problems
    }
}

/// Opens the corpus.
pub(crate) fn open(config: &BuiltinConfig, seed: u64) -> Result<Windows, DataError> {
    let fingerprint = describe::of_bytes(&TEXT);
    let (train, valid) = Span::split(TEXT.clone(), config.valid_fraction);
    let description = Description {
        kind: "builtin",
        name: "built-in stories, version 1".to_owned(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint,
        valid_fingerprint: None,
        tokenizer: None,
        notes: Vec::new(),
        file_count: 0,
        files: Vec::new(),
    };
    let parts = (Arc::new(train) as _, Arc::new(valid) as _);
    let tokenizer = Arc::new(Tokenizer::bytes());
    Windows::new(parts, tokenizer, config.seq_len, seed, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    fn corpus() -> &'static str {
        str::from_utf8(&TEXT).unwrap()
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
        let strange =
            |c: char| !(c.is_ascii_graphic() || c == ' ' || c == '\n') || "{}<>".contains(c);
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
        let about = open(&BuiltinConfig::default(), 0).unwrap().describe();
        let parts = about.train_bytes.unwrap() + about.valid_bytes.unwrap();
        assert_eq!(parts, BYTES);
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
}
