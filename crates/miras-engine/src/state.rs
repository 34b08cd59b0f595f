//! What a memory carries along a sequence.

use burn::tensor::Tensor;
use miras_core::{Factor, Gates, MapState};

use crate::{Initial, Past, Rule, carried};

/// What a memory carries along a sequence.
#[derive(Debug, Clone)]
pub struct State {
    /// Per map, as it stood at the start of the open chunk.
    pub maps: Vec<MapState>,
    /// The last tokens before the open chunk, where the algorithm has a window.
    pub past: Option<Past>,
    /// What the step rules carry, of each that carries something, in their order: `[1, g, 1, n]`. It
    /// stands before the open chunk and, where there is a window, before [`past`](Self::past).
    pub carried: Vec<Tensor<4>>,
    /// The tokens of a chunk that is not yet full.
    pub open: Option<Open>,
    /// Tokens before the open chunk.
    pub position: usize,
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
        let slot = |w: &Tensor<4>| {
            let [n, g, d_in, d_out] = w.dims();
            let [rows, columns] = rule.algorithm.slot_shape([d_in, d_out]);
            Tensor::zeros([n, g, rows, columns], (&w.device(), w.dtype()))
        };
        let maps = (initial.maps.iter())
            .map(|w| {
                let is_distance = rule.retention.is_anchored() || rule.least_squares().is_some();
                let weights = if is_distance {
                    w.zeros_like()
                } else {
                    rule.retention.initial_state(w.clone())
                };
                let slots = vec![slot(w); rule.algorithm.slots()];
                MapState { weights, slots }
            })
            .collect();
        Self {
            maps,
            past: Past::absent(rule, initial),
            carried: carried::new(rule, initial),
            open: None,
            position: 0,
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

    /// Tokens since the beginning of the sequence.
    pub fn tokens(&self) -> usize {
        self.position + self.open_len()
    }

    /// The same state, every tensor through `f` (detach, move, select memories).
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            maps: self.maps.iter().map(|map| map.map(&f)).collect(),
            past: self.past.as_ref().map(|past| past.map(&f)),
            carried: self.carried.iter().cloned().map(&f).collect(),
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
            position: self.position,
        }
    }
}
