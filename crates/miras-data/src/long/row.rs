//! A row of tokens of any length, in little memory.

use std::{ops::Range, sync::Arc};

/// Tokens that lie in few places: what is read of them is copied piece by piece, so that a row of
/// millions takes the memory of what it is made of.
#[derive(Debug, Clone, Default)]
pub struct Row {
    spans: Vec<Span>,
    len: usize,
}

/// `count` tokens from `from` on, begun again at the end.
#[derive(Debug, Clone)]
struct Span {
    tokens: Arc<[i32]>,
    from: usize,
    count: usize,
}

impl Row {
    /// Its tokens.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds tokens.
    pub fn push(&mut self, tokens: impl Into<Arc<[i32]>>) {
        let tokens = tokens.into();
        let count = tokens.len();
        self.push_cyclic(tokens, 0, count);
    }

    /// Adds `count` of tokens that begin again where they end, from `from` on.
    ///
    /// # Panics
    /// If `tokens` is empty and `count` is not 0.
    pub fn push_cyclic(&mut self, tokens: Arc<[i32]>, from: usize, count: usize) {
        if count == 0 {
            return;
        }
        assert!(!tokens.is_empty(), "no tokens to repeat");
        self.len += count;
        let from = from % tokens.len();
        self.spans.push(Span {
            tokens,
            from,
            count,
        });
    }

    /// A copy of some of its tokens.
    ///
    /// # Panics
    /// If it ends before the range does.
    pub fn tokens(&self, range: Range<usize>) -> Vec<i32> {
        assert!(range.end <= self.len, "a row of {} tokens", self.len);
        let mut found = Vec::with_capacity(range.len());
        let mut start = 0;
        for span in &self.spans {
            let end = start + span.count;
            let (mut at, to) = (range.start.max(start), range.end.min(end));
            while at < to {
                let place = (span.from + at - start) % span.tokens.len();
                let count = (span.tokens.len() - place).min(to - at);
                found.extend_from_slice(&span.tokens[place..place + count]);
                at += count;
            }
            start = end;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_piece_is_that_of_the_whole() {
        let mut row = Row::default();
        row.push(vec![1, 2]);
        row.push_cyclic(Arc::from([7, 8, 9]), 5, 8);
        row.push(vec![]);
        row.push(vec![3]);
        let whole = [1, 2, 9, 7, 8, 9, 7, 8, 9, 7, 3];
        assert_eq!(row.len(), whole.len());
        for from in 0..=whole.len() {
            for to in from..=whole.len() {
                assert_eq!(row.tokens(from..to), whole[from..to], "{from}..{to}");
            }
        }
    }
}
