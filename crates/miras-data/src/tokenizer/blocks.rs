//! Cuts a text that may be larger than memory into blocks that can be encoded one by one.

use super::Tokenizer;
use crate::{DataError, source::Span};

/// Bytes on each side of a cut that are encoded joined and apart, to compare the tokens.
const CONTEXT_BYTES: usize = 256;
/// Places of one kind that are tried.
const MAX_TRIES: usize = 32;

/// Cuts a text into blocks whose tokens, one after the other, are those of the whole text.
///
/// A block ends after a line end with no white space on either side or, in text without lines,
/// before such a space: the patterns by which byte-level tokenizers split text into words do not
/// match across the former, nor back across the latter. A cut is only made where the 256 bytes
/// before and after it have the same tokens joined and apart. If there is no such place, the block
/// grows up to the maximum size and is cut there.
pub(crate) struct Blocks<'a> {
    text: &'a Span,
    tokenizer: &'a Tokenizer,
    /// The first and the maximum size of a block.
    sizes: (usize, usize),
    /// Bytes that were read and belong to the next block.
    rest: Vec<u8>,
    /// The offset of the next read.
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

    /// The next block; `None` after the last.
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

    /// Reads until there are `size` bytes, or to the end.
    fn fill(&mut self, size: usize) -> Result<(), DataError> {
        let had = self.rest.len();
        let more = (size.saturating_sub(had) as u64).min(self.text.len() - self.at);
        self.rest.resize(had + more as usize, 0);
        self.text.read(self.at, &mut self.rest[had..])?;
        self.at += more;
        Ok(())
    }

    /// The last place where the bytes that were read can be cut.
    fn cut(&self) -> Option<usize> {
        let text = &self.rest;
        let last = text.len().saturating_sub(CONTEXT_BYTES);
        let places = || (1..last).rev();
        let lines = places().filter(|&at| text[at - 1] == b'\n' && stands_alone(text, at - 1));
        let spaces = places().filter(|&at| text[at] == b' ' && stands_alone(text, at));
        (lines.take(MAX_TRIES).chain(spaces.take(MAX_TRIES))).find(|&at| {
            let before = &text[at.saturating_sub(CONTEXT_BYTES)..at];
            self.tokenizer.is_cut(before, &text[at..at + CONTEXT_BYTES])
        })
    }
}

/// Whether the one-byte character at an offset has no white space on either side.
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

/// The length without an incomplete character at the end.
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
