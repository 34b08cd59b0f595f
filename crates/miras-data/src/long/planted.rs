//! Needles in rows of text that is trained on.

use std::sync::Arc;

use miras_random::Stream;

use super::{NeedleKind, haystack::BETWEEN, needle::Drawn};
use crate::{DataError, Tokenizer};

/// What is planted: what [`Needles`](super::Needles) ask for in text.
const KIND: NeedleKind = NeedleKind::Text;
/// A needle that does not fit is drawn again, up to so many times in all.
const DRAWS: u64 = 1000;
/// The first number of the place of a planted needle; rows of needles alone have others.
const PLANTED: u64 = 2;

/// A share of the rows of text has a needle at a random place, and at its end the question with the
/// answer, in the place of the tokens that stood there.
pub(crate) struct Planted {
    share: f64,
    tokenizer: Arc<Tokenizer>,
}

impl Planted {
    /// None where no row has one.
    ///
    /// # Errors
    /// If rows of `seq_len` tokens are too short for some needles, or the tokenizer cannot spell them.
    pub(crate) fn new(
        share: f64,
        tokenizer: &Arc<Tokenizer>,
        seq_len: usize,
    ) -> Result<Option<Self>, DataError> {
        if share <= 0.0 {
            return Ok(None);
        }
        let tokenizer = Arc::clone(tokenizer);
        let planted = Self { share, tokenizer };
        // Of one seed, so that all seeds are refused or none is.
        let needed = (0..DRAWS).map(|draw| {
            let [needle, question] = planted.draw(0, [0, 0, draw])?;
            Ok(needle.len() + question.len())
        });
        let needed = needed.collect::<Result<Vec<_>, DataError>>()?;
        // The last token of a row is a target alone.
        let needed = needed.into_iter().max().unwrap_or(0).saturating_sub(1);
        if needed <= seq_len {
            return Ok(Some(planted));
        }
        let problem = format!(
            "a needle and its question with the answer take rows of up to {needed} tokens, and \
             seq_len = {seq_len}: use seq_len = {needed} or more, or leave needles = {share} out"
        );
        Err(DataError::Config {
            problems: vec![("seq_len", problem)],
        })
    }

    /// Plants a needle in a row of training and the token behind it, if it is a row that has one: a
    /// function of the seed, the step and the number of the row alone.
    pub(crate) fn plant(
        &self,
        row: &mut [i32],
        seed: u64,
        [step, number]: [u64; 2],
    ) -> Result<(), DataError> {
        let mut stream = Stream::new(seed, "plant", &[step, number]);
        if stream.unit() >= self.share {
            return Ok(());
        }
        for draw in 0..DRAWS {
            let [needle, question] = self.draw(seed, [step, number, draw])?;
            let Some(spare) = row.len().checked_sub(needle.len() + question.len()) else {
                continue;
            };
            let at = stream.index(spare + 1);
            let end = row.len() - question.len();
            row[at..at + needle.len()].copy_from_slice(&needle);
            row[end..].copy_from_slice(&question);
            return Ok(());
        }
        let problem = format!("of {DRAWS} needles none fits in {} tokens", row.len() - 1);
        Err(DataError::Config {
            problems: vec![("seq_len", problem)],
        })
    }

    /// The tokens of a needle, and of its question with the answer.
    fn draw(&self, seed: u64, [step, number, draw]: [u64; 3]) -> Result<[Vec<i32>; 2], DataError> {
        let place = [PLANTED, step, number, draw];
        let drawn = Drawn::new(KIND, [BETWEEN, ""], &self.tokenizer, &place, seed)?;
        let answer = drawn.answer(&self.tokenizer)?;
        Ok([drawn.needle, [drawn.tail, answer].concat()])
    }
}
