//! The chunk-parallel form: the same recurrence without per-token weights.
//!
//! A pass over `n` chunks has two halves. The *write* half walks through the
//! chunks, for it needs each chunk's starting state: gradients there (or, in the
//! exact form, solved for), and the state behind the chunk. The *read* half then
//! runs all queries of all chunks at once. Whatever else needs no state
//! (coefficients, solves) is computed for all chunks before the walk.

use burn::tensor::{Tensor, s};
use miras_core::{ChunkEnd, Factor, Gates, MapState, Rows, STEP, SlotEnd, Weights, rows};

use crate::{
    Form, Initial, Open, Probe, Read, Rule, State, Tokens,
    maps::{DualMaps, token_maps},
    source::{Gradients, SpanTokens},
    split::split_chunks,
    steps::cap_state,
    walk::Walk,
};

/// What [`forward`] gives back.
pub struct Output {
    /// `[1, g, t, d]`.
    pub y: Tensor<4>,
    /// The state after the last token.
    pub state: State,
    /// Diagnostics, if they were asked for.
    pub probe: Option<Probe>,
}

/// Runs tokens through a memory, from `state` on.
///
/// Any number of tokens: an open chunk is filled first, whole chunks go in
/// parallel, and what remains stays open in the state (chunk-start form). Equal
/// to [`crate::recurrence::forward`] over everything since the state was new.
///
/// # Shapes
/// See [`Tokens`] and [`Output`].
///
/// # Panics
/// If there is no token.
pub fn forward(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    probe: bool,
) -> Output {
    assert!(
        !tokens.is_empty(),
        "the inner loop needs at least one token"
    );
    let chunk = rule.settings.chunk;
    let mut state = state;
    let mut outputs = Vec::new();
    let mut seen = probe.then(Probe::default);
    for part in tokens.split(&spans(state.open_len(), tokens.len(), chunk)) {
        let n = (part.len() / chunk).max(1);
        let (y, next) = span(rule, initial, state, &part, n, seen.as_mut());
        outputs.push(y);
        state = next;
    }
    let y = match outputs.len() {
        1 => outputs.remove(0),
        _ => Tensor::cat(outputs, 2),
    };
    Output {
        y,
        state,
        probe: seen,
    }
}

/// How many tokens fill the open chunk, how many make whole chunks, and how many are left.
fn spans(open: usize, total: usize, chunk: usize) -> Vec<usize> {
    let fill = total.min((chunk - open) % chunk);
    let whole = (total - fill) / chunk * chunk;
    let mut lengths = vec![fill, whole, total - fill - whole];
    lengths.retain(|length| *length > 0);
    lengths
}

/// `n` chunks of equal length; the first may continue an open one (then `n` is 1).
fn span(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    n: usize,
    probe: Option<&mut Probe>,
) -> (Tensor<4>, State) {
    let settings = &rule.settings;
    let q = to_chunks(tokens.q.clone(), n);
    let k = to_chunks(tokens.k.clone(), n);
    let v = to_chunks(tokens.v.clone(), n);
    let new_gates = tokens.gates.map(|gate| to_chunks(gate, n));
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
    let span_tokens = SpanTokens {
        k,
        v,
        gates: gates.clone(),
        new_gates,
        earlier,
    };
    let probe_tokens = probe
        .is_some()
        .then(|| (span_tokens.k.clone(), span_tokens.v.clone()));
    let source = Gradients::of_span(rule, initial, span_tokens, &log_decay, &coefficients);

    let chunk_len = coefficients.rows.carry.dims()[2];
    let closed = settings.form == Form::Exact || chunk_len == settings.chunk;
    // A chunk that stays open is written once it closes; until then its end is a diagnostic.
    let ends_are_needed = closed || probe.is_some();

    // The write half.
    let mut walk = Walk::default();
    let mut maps = state.maps;
    let mut sweeps = Vec::new();
    let ends = split_end(&coefficients.end, n);
    for (gradients, end) in source.into_iter().zip(ends) {
        sweeps = gradients.at(rule, initial, &maps);
        let last = sweeps.last().expect("a chunk has gradients");
        let writes = last.writes();
        let next = if ends_are_needed {
            after_chunk(rule, &maps, &end, &writes)
        } else {
            maps.clone()
        };
        walk.push(maps, writes, last, probe.is_some());
        maps = next;
    }

    // The read half.
    let read = ReadHalf {
        rule,
        initial,
        starts: &walk.stack_starts(),
        writes: &walk.stack_writes(),
        first_new: chunk_len - q.dims()[2],
    };
    let y = read.outputs(q, &coefficients.rows);
    if let (Some(probe), Some((k, v))) = (probe, probe_tokens) {
        let loss = read.loss(k, v, &coefficients.rows, &log_decay, &gates);
        probe.record(
            &walk,
            &maps,
            loss,
            &log_decay,
            &gates.get(STEP),
            read.first_new,
            rule.memory.rows(),
        );
    }

    let state = if closed {
        State { maps, open: None }
    } else {
        State {
            maps: walk.starts.remove(0),
            open: Some(Open {
                sweeps: sweeps.into_iter().map(|sweep| sweep.factors).collect(),
                gates,
            }),
        }
    };
    (from_chunks(y), state)
}

/// All queries of all chunks at once.
struct ReadHalf<'a> {
    rule: &'a Rule,
    initial: &'a Initial,
    starts: &'a [MapState],
    writes: &'a [Factor],
    /// The first token of the chunk that this call brought.
    first_new: usize,
}

impl ReadHalf<'_> {
    fn outputs(&self, q: Tensor<4>, rows: &Rows) -> Tensor<4> {
        let rows = rows.from_token(self.first_new);
        self.through(self.rule.settings.read, &rows, q)
    }

    /// The inner loss of each token before its own write.
    fn loss(
        &self,
        k: Tensor<4>,
        v: Tensor<4>,
        rows: &Rows,
        log_decay: &Tensor<4>,
        gates: &Gates,
    ) -> Option<Tensor<4>> {
        let before = rows.exclusive(self.rule.retention.order(), log_decay.clone().exp());
        // Weights behind a linear link cost nothing to know better.
        let read = if self.rule.has_identity_link() {
            Read::Exact
        } else {
            self.rule.settings.read
        };
        let y = self.through(read, &before.from_token(self.first_new), k);
        let gates = gates.map(|gate| gate.slice(s![.., .., self.first_new.., ..]));
        self.rule.bias.loss(y, v, &gates)
    }

    /// The memory with each row through the weights that `rows` describes for it, as far as
    /// the read rule looks at them.
    fn through(&self, read: Read, rows: &Rows, x: Tensor<4>) -> Tensor<4> {
        let Self {
            rule,
            initial,
            starts,
            writes,
            ..
        } = self;
        match read {
            Read::Exact => {
                let maps = token_maps(rule, initial, starts, writes, rows);
                rule.memory.forward(&*maps, x)
            }
            Read::Frozen => {
                let maps = DualMaps {
                    initial,
                    anchors: rule.anchors(initial),
                    scales: Some(rule.scales(starts, initial)),
                    starts,
                    writes,
                    rows,
                };
                rule.memory.forward(&maps, x)
            }
            Read::Stale => {
                let weights = Weights {
                    maps: &rule.weights(starts, initial),
                    gains: &initial.gains,
                };
                rule.memory.forward(&weights, x)
            }
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

/// `[1, g, n·c, d] → [n, g, c, d]`.
fn to_chunks(x: Tensor<4>, n: usize) -> Tensor<4> {
    let [_, g, t, d] = x.dims();
    if n == 1 {
        return x;
    }
    x.reshape([g, n, t / n, d]).swap_dims(0, 1)
}

/// `[n, g, c, d] → [1, g, n·c, d]`.
fn from_chunks(x: Tensor<4>) -> Tensor<4> {
    let [n, g, c, d] = x.dims();
    x.swap_dims(0, 1).reshape([1, g, n * c, d])
}
