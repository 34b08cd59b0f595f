//! Sentences to hide something between.

use std::sync::Arc;

use miras_random::Stream;

use super::Row;
use crate::{DataError, Tokenizer};

/// The sentences of noise, as in RULER, after Mohtashami and Jaggi (2023).
const NOISE: &str =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/// What stands between two sentences of a text.
pub(super) const BETWEEN: &str = " ";

/// A sentence ends after so many words, if it has no other end before.
const MAX_WORDS: usize = 100;

/// Sentences as tokens, that begin again where they end.
///
/// Each is encoded on its own, behind what stands between two of them, so that their tokens are the
/// same in any row.
#[derive(Debug)]
pub struct Haystack {
    tokens: Arc<[i32]>,
    /// Where each sentence ends; ascending, the last one at the end of the tokens.
    ends: Vec<usize>,
    joint: &'static str,
}

impl Haystack {
    /// The same line again and again.
    ///
    /// # Errors
    /// If the tokenizer cannot spell it.
    pub fn noise(tokenizer: &Tokenizer) -> Result<Self, DataError> {
        Self::of("\n", std::iter::once(NOISE.to_owned()), tokenizer)
    }

    /// The sentences of a text, its blanks and ends of lines a space each.
    ///
    /// # Errors
    /// If the tokenizer cannot spell it, or there is no word.
    pub fn text(text: &str, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        Self::of(BETWEEN, sentences(text), tokenizer)
    }

    fn of(
        joint: &'static str,
        sentences: impl Iterator<Item = String>,
        tokenizer: &Tokenizer,
    ) -> Result<Self, DataError> {
        let (mut tokens, mut ends) = (Vec::new(), Vec::new());
        for sentence in sentences {
            tokens.extend(tokenizer.encode(format!("{joint}{sentence}").as_bytes())?);
            ends.push(tokens.len());
        }
        if tokens.is_empty() {
            let problem = "has no word to make a haystack of".to_owned();
            return Err(DataError::Config {
                problems: vec![("haystack", problem)],
            });
        }
        Ok(Self {
            tokens: tokens.into(),
            ends,
            joint,
        })
    }

    /// What stands before each sentence.
    pub fn joint(&self) -> &'static str {
        self.joint
    }

    /// `len` tokens that end with a sentence, which one is drawn; the first sentence may be cut.
    pub fn background(&self, len: usize, stream: &mut Stream) -> Background<'_> {
        let end = self.ends[stream.index(self.ends.len())];
        let all = self.tokens.len();
        Background {
            of: self,
            from: (end + all - len % all) % all,
            len,
        }
    }

    /// How far before `place` a sentence ends, and how far behind it.
    fn around(&self, place: usize) -> [usize; 2] {
        let place = place % self.tokens.len();
        if place == 0 {
            return [0, 0];
        }
        let next = self.ends.partition_point(|end| *end < place);
        let before = match next {
            _ if self.ends[next] == place => place,
            0 => 0,
            next => self.ends[next - 1],
        };
        [place - before, self.ends[next] - place]
    }
}

/// Some of the tokens of a haystack.
#[derive(Debug, Clone, Copy)]
pub struct Background<'a> {
    of: &'a Haystack,
    from: usize,
    len: usize,
}

impl Background<'_> {
    /// The place between two sentences, or at either end, that is nearest to `at`.
    pub fn nearest(&self, at: usize) -> usize {
        let [before, behind] = self.of.around(self.from + at);
        let (before, behind) = (at.saturating_sub(before), (at + behind).min(self.len));
        if at - before <= behind - at {
            before
        } else {
            behind
        }
    }

    /// The first place behind `at`, between two sentences or at the end.
    pub fn behind(&self, at: usize) -> usize {
        let [_, behind] = self.of.around(self.from + at + 1);
        (at + 1 + behind).min(self.len)
    }

    /// Adds its tokens from `from` to `to`.
    pub fn push(&self, row: &mut Row, from: usize, to: usize) {
        let tokens = Arc::clone(&self.of.tokens);
        row.push_cyclic(tokens, self.from + from, to - from);
    }
}

/// What ends in `.`, `!` or `?`, behind which quotes may stand, and a blank.
fn sentences(text: &str) -> impl Iterator<Item = String> {
    let mut words = text.split_whitespace().peekable();
    std::iter::from_fn(move || {
        words.peek()?;
        let mut sentence = String::new();
        for count in 1.. {
            let Some(word) = words.next() else {
                break;
            };
            if count > 1 {
                sentence.push(' ');
            }
            sentence.push_str(word);
            let bare = word.trim_end_matches(['"', '\'', '”', '’', ')', '_']);
            if bare.ends_with(['.', '!', '?']) || count == MAX_WORDS {
                break;
            }
        }
        Some(sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_their_marks_or_are_cut() {
        let text = "One  two.\nThree “four!” Five\n\nsix? seven";
        let found: Vec<_> = sentences(text).collect();
        assert_eq!(found, ["One two.", "Three “four!”", "Five six?", "seven"]);
        let long = "word ".repeat(2 * MAX_WORDS + 1);
        assert_eq!(sentences(&long).count(), 3);
        assert!(Haystack::text(" \n", &Tokenizer::bytes()).is_err());
    }

    #[test]
    fn the_nearest_place_is_between_sentences_or_at_an_end() {
        let bytes = Tokenizer::bytes();
        let haystack = Haystack::text("Ab. Cdefg. H. Ijkl.", &bytes).unwrap();
        let (period, ends) = (haystack.tokens.len(), haystack.ends.clone());
        for sample in 0..8 {
            let len = 11 + 9 * sample as usize;
            let mut stream = Stream::new(1, "test", &[sample]);
            let background = haystack.background(len, &mut stream);
            let mut row = Row::default();
            background.push(&mut row, 0, len);
            assert_eq!(row.len(), len);
            assert_eq!(row.tokens(len - 1..len), [i32::from(b'.')]);
            let is_place = |at: usize| {
                at == 0 || at == len || ends.contains(&(((background.from + at - 1) % period) + 1))
            };
            for at in 0..len {
                let next = (at + 1..=len).find(|&one| is_place(one)).unwrap();
                assert_eq!(background.behind(at), next, "{at} of {len}");
            }
            for at in 0..=len {
                let found = background.nearest(at);
                assert!(is_place(found), "{found} of {len}");
                let best = (0..=len)
                    .filter(|&one| is_place(one))
                    .map(|one| one.abs_diff(at));
                assert_eq!(found.abs_diff(at), best.min().unwrap(), "{at} of {len}");
            }
        }
    }
}
