//! A text larger than memory in pieces that can be encoded one by one.

use super::Tokenizer;
use crate::{DataError, source::Span};

/// So much text around a cut is encoded as one and in two to see whether it makes a difference.
const AROUND: usize = 256;
/// So many places of one kind are tried.
const TRIES: usize = 32;

/// Cuts a text into blocks whose tokens, one after the other, are those of the whole text.
///
/// A block ends behind a line end that has no white space on either side or, in text without
/// lines, in front of such a space: the patterns by which byte-level tokenizers cut text into
/// words never reach over the former, nor back over the latter. A cut is only made where the
/// 256 bytes before it and those after it have the same tokens as one text and as two.
/// Where there is none, a block grows, up to `most` bytes; then it ends where it is.
pub(crate) struct Blocks<'a> {
    text: &'a Span,
    tokenizer: &'a Tokenizer,
    /// Size of a block that need not grow, and of the largest.
    sizes: (usize, usize),
    /// What is read already and belongs to the next block.
    rest: Vec<u8>,
    /// Where reading goes on.
    at: u64,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(text: &'a Span, tokenizer: &'a Tokenizer, sizes: (usize, usize)) -> Self {
        Self {
            text,
            tokenizer,
            sizes,
            rest: Vec::new(),
            at: 0,
        }
    }

    /// The next block; none behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, DataError> {
        let (mut size, most) = self.sizes;
        loop {
            self.fill(size)?;
            if self.at == self.text.len() && self.rest.len() <= size {
                let last = std::mem::take(&mut self.rest);
                return Ok((!last.is_empty()).then_some(last));
            }
            let cut = self.cut();
            let cut = cut.or_else(|| (size >= most).then(|| whole_characters(&self.rest)));
            if let Some(cut) = cut {
                let rest = self.rest.split_off(cut);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            size = (2 * size).min(most);
        }
    }

    /// Reads until there are `size` bytes, or all that there are.
    fn fill(&mut self, size: usize) -> Result<(), DataError> {
        let had = self.rest.len();
        let more = (size.saturating_sub(had) as u64).min(self.text.len() - self.at);
        self.rest.resize(had + more as usize, 0);
        self.text.read(self.at, &mut self.rest[had..])?;
        self.at += more;
        Ok(())
    }

    /// The last good place to cut what was read.
    fn cut(&self) -> Option<usize> {
        let text = &self.rest;
        let last = text.len().saturating_sub(AROUND);
        let places = || (1..last).rev();
        let lines = places().filter(|&at| text[at - 1] == b'\n' && stands_alone(text, at - 1));
        let spaces = places().filter(|&at| text[at] == b' ' && stands_alone(text, at));
        (lines.take(TRIES).chain(spaces.take(TRIES))).find(|&at| {
            let before = &text[at.saturating_sub(AROUND)..at];
            self.tokenizer.is_cut(before, &text[at..at + AROUND])
        })
    }
}

/// Whether the character at a place, of one byte, has others than white space on both sides.
fn stands_alone(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(4)..at];
    let after = &text[at + 1..text.len().min(at + 5)];
    let is_solid = |character: Option<char>| character.is_some_and(|one| !one.is_whitespace());
    let last = before.utf8_chunks().last();
    let last = last.filter(|chunk| chunk.invalid().is_empty());
    let first = after.utf8_chunks().next();
    is_solid(last.and_then(|chunk| chunk.valid().chars().next_back()))
        && is_solid(first.and_then(|chunk| chunk.valid().chars().next()))
}

/// Length without a character that is cut off at the end.
fn whole_characters(text: &[u8]) -> usize {
    let tail = text.len().saturating_sub(3)..text.len();
    let start = tail.rev().find(|&at| text[at] >= 0xC0);
    match start {
        Some(start) if start > 0 => match str::from_utf8(&text[start..]) {
            Err(error) if error.error_len().is_none() => start,
            _ => text.len(),
        },
        _ => text.len(),
    }
}
