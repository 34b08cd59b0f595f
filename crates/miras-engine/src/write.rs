//! The write half of a pass: the walk from chunk to chunk.

use burn::tensor::Tensor;
use miras_core::{ChunkEnd, Factor, Gates, MapState, Rows, STEP, SlotEnd, rows};

use crate::{
    Form, Initial, Open, Rule, State,
    source::{Gradients, SpanTokens, Sweep},
    split::{split, split_chunks, split_gates},
    steps::cap_state,
    walk::Walk,
};

/// Writes tokens into a memory and reads nothing; the state is that of a joint pass over the same
/// tokens, [`dual::forward`](crate::dual::forward).
///
/// # Shapes
/// `k`, `v`: `[1, g, t, d]`; gates: `[1, g, t, 1]`.
pub fn write(
    rule: &Rule,
    initial: &Initial,
    state: State,
    k: Tensor<4>,
    v: Tensor<4>,
    gates: &Gates,
) -> State {
    let lengths = spans(rule, &state, k.dims()[2]);
    let in_chunks = |x| chunks(rule, x);
    let mut state = state;
    for ((k, v), gates) in (split(k, 2, &lengths).into_iter())
        .zip(split(v, 2, &lengths))
        .zip(split_gates(gates, 2, &lengths))
    {
        let (k, v, gates) = (in_chunks(k), in_chunks(v), gates.map(in_chunks));
        state = WriteHalf::new(rule, initial, state, k, v, gates, false).into_state();
    }
    state
}

/// Lengths of the parts of a pass that are computed at once: the tokens that fill the open chunk,
/// all whole chunks, the rest.
pub(crate) fn spans(rule: &Rule, state: &State, total: usize) -> Vec<usize> {
    let chunk = rule.settings.chunk;
    let fill = total.min((chunk - state.open_len()) % chunk);
    let whole = (total - fill) / chunk * chunk;
    let mut lengths = vec![fill, whole, total - fill - whole];
    lengths.retain(|length| *length > 0);
    lengths
}

/// The chunks of a span, `[1, g, n·c, d] → [n, g, c, d]`; a part of a chunk is one.
pub(crate) fn chunks(rule: &Rule, x: Tensor<4>) -> Tensor<4> {
    let [_, g, t, d] = x.dims();
    let n = t / rule.settings.chunk;
    if n <= 1 {
        return x;
    }
    x.reshape([g, n, t / n, d]).swap_dims(0, 1)
}

/// What writing a span gives: the next state, and what reading the span needs.
pub(crate) struct WriteHalf {
    /// The gates of the chunks' tokens, those of an open chunk first.
    pub(crate) gates: Gates,
    /// `[n, g, c, 1]`.
    pub(crate) log_decay: Tensor<4>,
    /// The state after each token.
    pub(crate) rows: Rows,
    /// The first token of the chunk that this span brought.
    pub(crate) first_new: usize,
    pub(crate) walk: Walk,
    /// Whether the last chunk is full.
    closed: bool,
    /// The maps after the last chunk, as if it were full; only if it is, or for a probe.
    pub(crate) end: Vec<MapState>,
    /// The gradients of the last chunk.
    sweeps: Vec<Sweep>,
}

impl WriteHalf {
    /// Writes `n` chunks of equal length, `[n, g, c, ·]`; the first may continue an open one (then
    /// `n` is 1). Factors are kept for a probe if `probe` says so.
    pub(crate) fn new(
        rule: &Rule,
        initial: &Initial,
        state: State,
        k: Tensor<4>,
        v: Tensor<4>,
        new_gates: Gates,
        probe: bool,
    ) -> Self {
        let [n, _, new, _] = k.dims();
        let (gates, earlier) = match state.open {
            None => (new_gates.clone(), None),
            Some(open) => (open.gates.followed_by(new_gates.clone()), Some(open.sweeps)),
        };
        let log_decay = rule.retention.log_decay(&gates, &gates.get(STEP));
        let coefficients = rule.algorithm.coefficients(log_decay.clone(), &gates);
        if !rule.algorithm.acts_at_chunk_end() {
            let slots = coefficients.rows.slots.len();
            assert_eq!(
                slots,
                rule.algorithm.slots(),
                "coefficients of slots, and slots"
            );
        }
        let tokens = SpanTokens {
            k,
            v,
            gates: gates.clone(),
            new_gates,
            earlier,
        };
        let source = Gradients::of_span(rule, initial, tokens, &log_decay, &coefficients);

        let len = coefficients.rows.carry.dims()[2];
        let closed = rule.settings.form == Form::Exact || len == rule.settings.chunk;

        let mut walk = Walk::default();
        let mut maps = state.maps;
        let mut sweeps = Vec::new();
        let ends = split_end(&coefficients.end, n);
        for (gradients, end) in source.into_iter().zip(ends) {
            sweeps = gradients.at(rule, initial, &maps);
            let last = sweeps.last().expect("a chunk has gradients");
            let writes = last.writes();
            let next = if closed || probe {
                after_chunk(rule, &maps, &end, &writes)
            } else {
                maps.clone()
            };
            walk.push(maps, writes, last, probe);
            maps = next;
        }
        Self {
            gates,
            log_decay,
            rows: coefficients.rows,
            first_new: len - new,
            walk,
            closed,
            end: maps,
            sweeps,
        }
    }

    /// The state after the span.
    pub(crate) fn into_state(mut self) -> State {
        if self.closed {
            return State {
                maps: self.end,
                open: None,
            };
        }
        State {
            maps: self.walk.starts.remove(0),
            open: Some(Open {
                sweeps: (self.sweeps.into_iter())
                    .map(|sweep| sweep.factors)
                    .collect(),
                gates: self.gates,
            }),
        }
    }
}

/// The state of every map after a chunk.
pub(crate) fn after_chunk(
    rule: &Rule,
    maps: &[MapState],
    end: &ChunkEnd,
    writes: &[Factor],
) -> Vec<MapState> {
    (maps.iter().zip(writes))
        .map(|(map, Factor { x, d: u })| {
            let next = if rule.algorithm.acts_at_chunk_end() {
                let write = x.clone().transpose();
                let write = write.matmul(rows::scale(u.clone(), &end.writes));
                (rule.algorithm).chunk_step(map.clone(), end.carry.clone(), write)
            } else {
                map.after_chunk(end, x, u)
            };
            cap_state(&rule.settings, next)
        })
        .collect()
}

/// The end coefficients of each chunk.
fn split_end(end: &ChunkEnd, n: usize) -> Vec<ChunkEnd> {
    let mut carry = split_chunks(end.carry.clone()).into_iter();
    let mut writes = split_chunks(end.writes.clone()).into_iter();
    let mut slots: Vec<_> = (end.slots.iter())
        .map(|slot| {
            (split_chunks(slot.share.clone()).into_iter())
                .zip(split_chunks(slot.carry.clone()))
                .zip(split_chunks(slot.writes.clone()))
        })
        .collect();
    (0..n)
        .map(|_| ChunkEnd {
            carry: carry.next().expect("one per chunk"),
            writes: writes.next().expect("one per chunk"),
            slots: (slots.iter_mut())
                .map(|slot| {
                    let ((share, carry), writes) = slot.next().expect("one per chunk");
                    SlotEnd {
                        share,
                        carry,
                        writes,
                    }
                })
                .collect(),
        })
        .collect()
}
