//! What goes into the inner loop and what it carries along.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, MapState};

use crate::{
    Initial, Past, Rule,
    split::{lengths, split, split_gates},
};

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

    /// Whether there are none.
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

/// What a memory carries along a sequence.
#[derive(Debug, Clone)]
pub struct State {
    /// Per map, as it stood at the start of the open chunk.
    pub maps: Vec<MapState>,
    /// The last tokens before the open chunk, where the algorithm has a window.
    pub past: Option<Past>,
    /// The tokens of a chunk that is not yet full.
    pub open: Option<Open>,
}

/// The written part of a chunk that is not yet full: gradients are kept as
/// factors, so that later tokens of the chunk need no second look at these.
#[derive(Debug, Clone)]
pub struct Open {
    /// Per Picard iteration and map; the first are those of the gradients at the anchor. Tokens of
    /// [`State::past`] come first.
    pub iterations: Vec<Vec<Factor>>,
    /// `[1, g, p, 1]` each.
    pub gates: Gates,
    /// Keys `[1, g, p, d_k]` and values `[1, g, p, d_v]`, for an algorithm that takes several
    /// steps at a chunk's end or has a window.
    pub tokens: Option<(Tensor<4>, Tensor<4>)>,
}

impl Open {
    /// Tokens in it.
    pub fn len(&self) -> usize {
        let (_, gate) = self
            .gates
            .iter()
            .next()
            .expect("a step size is always there");
        gate.dims()[2]
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    /// The state at the beginning of a sequence.
    pub fn new(rule: &Rule, initial: &Initial) -> Self {
        let maps = (initial.maps.iter())
            .map(|w| {
                let weights = if rule.retention.is_anchored() {
                    w.zeros_like()
                } else {
                    rule.retention.initial_state(w.clone())
                };
                let slots = vec![weights.zeros_like(); rule.algorithm.slots()];
                MapState { weights, slots }
            })
            .collect();
        Self {
            maps,
            past: Past::absent(rule, initial),
            open: None,
        }
    }

    /// Tokens of the open chunk, `tokens` after the beginning of a sequence.
    pub fn open_after(rule: &Rule, tokens: usize) -> usize {
        if rule.settings.is_exact() {
            0
        } else {
            tokens % rule.settings.chunk
        }
    }

    /// Tokens of the open chunk.
    pub fn open_len(&self) -> usize {
        self.open.as_ref().map_or(0, Open::len)
    }

    /// The same state, every tensor through `f` (detach, move, select memories).
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            maps: self.maps.iter().map(|map| map.map(&f)).collect(),
            past: self.past.as_ref().map(|past| past.map(&f)),
            open: self.open.as_ref().map(|open| Open {
                iterations: (open.iterations.iter())
                    .map(|factors| {
                        (factors.iter())
                            .map(|Factor { x, d }| Factor {
                                x: f(x.clone()),
                                d: f(d.clone()),
                            })
                            .collect()
                    })
                    .collect(),
                gates: open.gates.map(&f),
                tokens: (open.tokens.clone()).map(|(k, v)| (f(k), f(v))),
            }),
        }
    }
}
