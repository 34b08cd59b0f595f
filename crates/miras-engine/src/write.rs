//! The write half of a pass: the walk from chunk to chunk.

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, ChunkEnd, ChunkWrite, Factor, Gates, LogDecay, MapState, Rows, SlotEnd,
};

use crate::{
    Initial, Open, Past, Rule, State, carried,
    chunk_start::{WholeChunk, after_open, keeps_tokens},
    least_squares, scan,
    source::GradientSource,
    span::{ChunkGradients, SpanTokens},
    split::{split, split_chunks, split_gates},
    steps::{gated, ruled_states},
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
    pub(crate) decay: LogDecay,
    /// The state after each token.
    pub(crate) rows: Rows,
    /// The first token of the chunk that this span brought.
    pub(crate) first_new: usize,
    pub(crate) walk: Walk,
    /// Tokens before the first chunk, and those of all chunks.
    position: usize,
    tokens: usize,
    /// Whether the last chunk is full.
    closed: bool,
    /// The maps after the last chunk, as if it were full; only if it is, or for a probe.
    pub(crate) end: Vec<MapState>,
    /// What the step rules carry after it.
    carried: Vec<Tensor<4>>,
    /// The gradients of the last chunk, iteration by iteration.
    iterations: Vec<ChunkGradients>,
    /// The tokens before each chunk, where there is a window.
    past: Option<Past>,
    /// The chunks' own tokens, where an open chunk keeps its own.
    own: Option<Past>,
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
        let new_tokens = Past {
            k,
            v,
            gates: new_gates,
        };
        let State {
            maps,
            past,
            carried,
            open,
            position,
        } = state;
        let gates = match &open {
            None => new_tokens.gates.clone(),
            Some(open) => open.gates.clone().followed_by(new_tokens.gates.clone()),
        };
        let past = past.map(|past| past.before_each(&new_tokens));
        let of_past = past.as_ref().map(|past| &past.gates);
        let decay = rule.log_decay(&gates);
        let coefficients = rule.coefficients(decay.clone(), &gates, of_past);
        assert_slots(rule, &coefficients.rows);
        let own = keeps_tokens(rule).then(|| {
            let kept = open.as_ref().and_then(|open| open.tokens.clone());
            let (k, v) = after_open(kept, &new_tokens.k, &new_tokens.v);
            Past {
                k,
                v,
                gates: gates.clone(),
            }
        });
        let taken = match (&past, &open) {
            (Some(past), None) => past.followed_by(&new_tokens),
            _ => new_tokens,
        };
        let tokens = SpanTokens {
            k: taken.k,
            v: taken.v,
            gates: match of_past {
                Some(past) => past.clone().followed_by(gates.clone()),
                None => gates.clone(),
            },
            new_gates: taken.gates,
            open,
        };
        let len = coefficients.rows.carry.dims()[2];
        let closed = rule.settings.is_exact() || len == rule.settings.chunk;
        let scanned = if probe {
            None
        } else {
            scan::walk(rule, initial, &tokens, &decay, &coefficients, &maps)
        };
        let Walked {
            walk,
            end,
            carried,
            iterations,
        } = if let Some((walk, end)) = scanned {
            // No rule that carries anything goes with solves.
            Walked {
                walk,
                end,
                carried,
                iterations: Vec::new(),
            }
        } else {
            let source = GradientSource::of_span(rule, initial, tokens, &decay, &coefficients);
            let ends = split_end(&coefficients.end, n);
            let gates = split_gates(&gates, 0, &vec![1; n]);
            let chunks = source.iter().zip(ends).zip(&gates);
            let chunks = chunks.map(|((source, end), gates)| (source, end, gates));
            walked(
                rule,
                initial,
                (maps, carried, position),
                chunks,
                closed,
                probe,
            )
        };
        Self {
            gates,
            decay,
            rows: coefficients.rows,
            first_new: len - new,
            walk,
            position,
            tokens: n * len,
            closed,
            end,
            carried,
            iterations,
            past,
            own,
        }
    }

    /// The state after the span.
    pub(crate) fn into_state(mut self) -> State {
        if self.closed {
            let past = self.past.zip(self.own).map(|(past, own)| {
                let tokens = past.k.dims()[2];
                past.followed_by(&own).last(tokens)
            });
            return State {
                maps: self.end,
                past,
                carried: self.carried,
                open: None,
                position: self.position + self.tokens,
            };
        }
        State {
            maps: self.walk.starts.remove(0),
            past: self.past,
            carried: self.walk.carried.remove(0),
            open: Some(Open {
                iterations: (self.iterations.into_iter())
                    .map(|gradients| gradients.factors)
                    .collect(),
                gates: self.gates,
                tokens: self.own.map(|own| (own.k, own.v)),
            }),
            position: self.position,
        }
    }
}

/// Checks that each slot of an algorithm of tokens has coefficients.
fn assert_slots(rule: &Rule, rows: &Rows) {
    if matches!(rule.algorithm.kind(), AlgorithmKind::Linear(_)) {
        let (found, needed) = (rows.slots.len(), rule.algorithm.slots());
        assert_eq!(found, needed, "coefficients of slots, and slots");
    }
}

/// A walk, the maps after its last chunk and what the step rules carry there, and the gradients of that
/// chunk.
struct Walked {
    walk: Walk,
    end: Vec<MapState>,
    carried: Vec<Tensor<4>>,
    iterations: Vec<ChunkGradients>,
}

/// From chunk to chunk, from these maps and what the step rules carry, after so many tokens, on.
fn walked<'a>(
    rule: &Rule,
    initial: &Initial,
    (mut maps, mut carried, mut position): (Vec<MapState>, Vec<Tensor<4>>, usize),
    chunks: impl Iterator<Item = (&'a GradientSource, ChunkEnd, &'a Gates)>,
    closed: bool,
    probe: bool,
) -> Walked {
    let mut walk = Walk::default();
    let mut iterations = Vec::new();
    let is_full = closed && !rule.settings.is_exact();
    for (source, end, gates) in chunks {
        position += rule.settings.chunk;
        iterations = source.at(rule, initial, &maps, &carried);
        let last = iterations.last().expect("a chunk has gradients");
        let writes = last.writes();
        let next = if closed || probe {
            let chunk = ChunkState {
                maps: &maps,
                end: &end,
                gates,
                writes: &writes,
                whole: source.whole(),
                carried: &carried,
                position: is_full.then_some(position),
            };
            after_chunk(rule, initial, chunk)
        } else {
            maps.clone()
        };
        let handed_on = carried::handed_on(rule, &last.carried);
        if probe {
            walk.gates.extend(gated(rule, &initial.program, last));
        }
        walk.push(maps, carried, writes, last, probe);
        (maps, carried) = (next, handed_on);
    }
    Walked {
        walk,
        end: maps,
        carried,
        iterations,
    }
}

/// A chunk and the state that it began in.
pub(crate) struct ChunkState<'a> {
    pub(crate) maps: &'a [MapState],
    pub(crate) end: &'a ChunkEnd,
    pub(crate) gates: &'a Gates,
    /// The factors of its tokens with step sizes multiplied in.
    pub(crate) writes: &'a [Factor],
    /// Where its end takes gradients anew.
    pub(crate) whole: Option<&'a WholeChunk>,
    /// What the step rules carry before it.
    pub(crate) carried: &'a [Tensor<4>],
    /// Tokens of the sequence up to its end, if it is full.
    pub(crate) position: Option<usize>,
}

/// The state of every map after a chunk.
pub(crate) fn after_chunk(rule: &Rule, initial: &Initial, chunk: ChunkState<'_>) -> Vec<MapState> {
    let ChunkState {
        maps,
        end,
        gates,
        writes,
        whole,
        carried,
        position,
    } = chunk;
    let algorithm = match rule.algorithm.kind() {
        AlgorithmKind::Linear(_) => {
            let maps = (maps.iter().zip(writes))
                .map(|(map, Factor { x, d: u })| map.after_chunk(end, x, u))
                .collect();
            return ruled_states(rule, &initial.places, maps, position);
        }
        AlgorithmKind::LeastSquares(_) => {
            return vec![least_squares::after_chunk(&maps[0], end, gates, &writes[0])];
        }
        AlgorithmKind::ChunkEnd(algorithm) => algorithm,
    };
    let mut maps = maps.to_vec();
    let mut writes = writes.to_vec();
    for step in 0..algorithm.steps() {
        if step > 0 {
            let whole = whole.expect("kept for an algorithm of several steps");
            writes = whole.at(rule, initial, &maps, carried).writes();
        }
        let carry = match step {
            0 => end.carry.clone(),
            _ => end.carry.ones_like(),
        };
        maps = (maps.into_iter().zip(&writes))
            .map(|(map, Factor { x, d: u })| {
                let chunk = ChunkWrite {
                    step,
                    carry: carry.clone(),
                    write: end.sum(x, u),
                    gates,
                };
                algorithm.step(map, &chunk)
            })
            .collect();
    }
    let maps = rule.settled(maps, initial);
    ruled_states(rule, &initial.places, maps, position)
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
            channels: end.channels,
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
