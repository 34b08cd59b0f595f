//! What goes into the inner loop.

use burn::tensor::{Tensor, s};
use miras_core::Gates;

use crate::split::{lengths, split, split_gates};

/// Keys, values, queries and gates of one call.
///
/// # Shapes
/// `q`: `[1, g, t, d_k]`; `k`: the same, or `[1, g, t, 2·d_k]` with an erase key before each write
/// key, as [`Rule::keys`] says; `v`: `[1, g, t, d_v]`; gates: `[1, g, t, 1]`, or per channel.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Queries.
    pub q: Tensor<4>,
    /// Keys.
    pub k: Tensor<4>,
    /// Values.
    pub v: Tensor<4>,
    /// Gates of all four parts.
    pub gates: Gates,
}

impl Tokens {
    /// How many.
    pub fn len(&self) -> usize {
        self.q.dims()[2]
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pieces of these lengths, which add up to all tokens; the backward pass of them all writes
    /// each token once.
    ///
    /// # Panics
    /// If they do not add up.
    #[must_use]
    pub fn split(&self, lengths: &[usize]) -> Vec<Self> {
        let pieces = |x: &Tensor<4>| split(x.clone(), 2, lengths).into_iter();
        (pieces(&self.q).zip(pieces(&self.k)).zip(pieces(&self.v)))
            .zip(split_gates(&self.gates, 2, lengths))
            .map(|(((q, k), v), gates)| Self { q, k, v, gates })
            .collect()
    }

    /// Pieces of `every` tokens, and one of the rest.
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn split_every(&self, every: usize) -> Vec<Self> {
        self.split(&lengths(self.len(), every))
    }

    /// Tokens `start..end`, whose backward pass writes all tokens: for a loop there is
    /// [`split`](Self::split).
    #[must_use]
    pub fn range(&self, start: usize, end: usize) -> Self {
        if start == 0 && end == self.len() {
            return self.clone();
        }
        let cut = |x: &Tensor<4>| x.clone().slice(s![.., .., start..end, ..]);
        Self {
            q: cut(&self.q),
            k: cut(&self.k),
            v: cut(&self.v),
            gates: self.gates.tokens(start, end),
        }
    }
}
