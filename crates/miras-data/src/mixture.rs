//! Sources of training rows, and from which each row is.

use std::sync::Arc;

use miras_random::Stream;

use crate::{DataError, source::Tokens};

/// What rows are drawn from.
pub(crate) struct Source {
    /// What it is called in messages.
    pub(crate) name: String,
    pub(crate) tokens: Arc<dyn Tokens>,
    /// A number above 0; the expected share of the rows is this over the sum of all.
    pub(crate) weight: f64,
}

impl Source {
    /// The only one.
    pub(crate) fn alone(tokens: Arc<dyn Tokens>) -> Self {
        Self {
            name: String::new(),
            tokens,
            weight: 1.0,
        }
    }
}

/// Sources, from one of which each row is: drawn by the weights, from the seed, the step and the
/// number of the row alone.
pub(crate) struct Mixture {
    sources: Vec<Source>,
    /// Where the share of each ends in [0, 1).
    ends: Vec<f64>,
}

impl Mixture {
    /// Of one source or more.
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        let shares = shares(sources.iter().map(|source| source.weight));
        let mut end = 0.0;
        let ends = shares.iter().map(|share| {
            end += share;
            end
        });
        Self {
            ends: ends.collect(),
            sources,
        }
    }

    /// The source, if there is one alone.
    pub(crate) fn only(&self) -> Option<&dyn Tokens> {
        match self.sources.as_slice() {
            [one] => Some(&*one.tokens),
            _ => None,
        }
    }

    /// The source of a row of `len` tokens, and where in it the row begins; `place` is the step,
    /// the number of the row in it and, if the first draw is not used, the number of the draw.
    pub(crate) fn draw(&self, seed: u64, place: &[u64], len: usize) -> (&dyn Tokens, u64) {
        let last = self.sources.len() - 1;
        // The rows of one source do not depend on there being mixtures.
        let number = if last == 0 {
            0
        } else {
            let point = Stream::new(seed, "mix", place).unit();
            self.ends.partition_point(|&end| end <= point).min(last)
        };
        let tokens = &*self.sources[number].tokens;
        let starts = tokens.len() - len as u64;
        let offset = Stream::new(seed, "train", place).below(starts);
        (tokens, offset)
    }
}

/// The share of each weight in the sum of all.
pub(crate) fn shares(weights: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let sum: f64 = weights.clone().sum();
    weights.map(|weight| weight / sum).collect()
}

/// Tokens one after the other.
pub(crate) struct Chain {
    /// Where each part starts.
    parts: Vec<(u64, Arc<dyn Tokens>)>,
    len: u64,
}

impl Chain {
    pub(crate) fn new(parts: impl IntoIterator<Item = Arc<dyn Tokens>>) -> Self {
        let mut len = 0;
        let parts = parts.into_iter().map(|tokens| {
            let start = len;
            len += tokens.len();
            (start, tokens)
        });
        Self {
            parts: parts.collect(),
            len,
        }
    }

    /// Fills the buffer from `offset` on, part by part.
    fn walk<T>(
        &self,
        offset: u64,
        buffer: &mut [T],
        fill: impl Fn(&dyn Tokens, u64, &mut [T]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let after = self.parts.partition_point(|(start, _)| *start <= offset);
        let (mut offset, mut rest) = (offset, buffer);
        for (start, tokens) in &self.parts[after.saturating_sub(1)..] {
            let inside = offset - start;
            let count = (tokens.len() - inside).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(count as usize);
            if !now.is_empty() {
                fill(&**tokens, inside, now)?;
            }
            offset += count;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl Tokens for Chain {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        self.walk(offset, buffer, |tokens, inside, now| {
            tokens.read(inside, now)
        })
    }

    fn weigh(&self, offset: u64, weights: &mut [f32]) -> Result<(), DataError> {
        self.walk(offset, weights, |tokens, inside, now| {
            tokens.weigh(inside, now)
        })
    }
}

/// Tokens in memory.
impl Tokens for Vec<i32> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        let start = offset as usize;
        buffer.copy_from_slice(&self[start..start + buffer.len()]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_its_parts_one_after_the_other() {
        let parts: [Vec<i32>; 5] = [vec![0, 1, 2], vec![3], vec![], vec![4, 5], vec![6, 7, 8, 9]];
        let chain = Chain::new(parts.map(|part| Arc::new(part) as _));
        assert_eq!(Tokens::len(&chain), 10);
        for start in 0..10 {
            for end in start..=10 {
                let mut found = vec![-1; end - start];
                chain.read(start as u64, &mut found).unwrap();
                let expected: Vec<i32> = (start as i32..end as i32).collect();
                assert_eq!(found, expected);
            }
        }
    }
}
