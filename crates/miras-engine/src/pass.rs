//! A span of tokens, written and read.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, LogDecay, MapState, Rows, STEP, Weights};

use crate::{
    Initial, Probe, Read, Rule, State, Tokens,
    least_squares::{self, Written},
    maps::TokenMaps,
    span::before,
    write::{WriteHalf, chunks},
};

/// What a pass leaves.
pub(crate) struct Passed {
    /// `[1, g, t, d_v]`.
    pub(crate) y: Tensor<4>,
    pub(crate) state: State,
    /// Per map, the states before all chunks, `[n, g, d_in, d_out]`.
    pub(crate) starts: Vec<MapState>,
    /// Of each step rule that carries something, what it carries before all chunks, `[n, g, 1, ·]`.
    pub(crate) carried: Vec<Tensor<4>>,
}

/// Whole chunks, or a part of one, which may continue an open one.
pub(crate) fn pass(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    probe: Option<&mut Probe>,
) -> Passed {
    let in_chunks = |x| chunks(rule, x);
    let [q, k, v] = [&tokens.q, &tokens.k, &tokens.v].map(|x| in_chunks(x.clone()));
    let gates = tokens.gates.map(in_chunks);
    let probed = probe.is_some().then(|| (k.clone(), v.clone()));
    let half = WriteHalf::new(rule, initial, state, k, v, gates, probe.is_some());

    let starts = half.walk.stack_starts();
    let read = ReadHalf {
        rule,
        initial,
        starts: &starts,
        writes: &half.walk.stack_writes(),
        first_new: half.first_new,
        step: &half.gates.get(STEP),
    };
    let y = read.outputs(q, &half.rows);
    if let (Some(probe), Some((k, v))) = (probe, probed) {
        let WriteHalf {
            rows, decay, gates, ..
        } = &half;
        let loss = read.loss(k, v, rows, decay, gates);
        probe.record(
            &half.walk,
            &half.end,
            loss,
            &decay.log,
            &gates.get(STEP),
            half.first_new,
        );
    }
    Passed {
        y: from_chunks(y),
        carried: half.walk.stack_carried(),
        state: half.into_state(),
        starts,
    }
}

/// All queries of all chunks at once.
struct ReadHalf<'a> {
    rule: &'a Rule,
    initial: &'a Initial,
    starts: &'a [MapState],
    writes: &'a [Factor],
    /// The first token of the chunk that this call brought.
    first_new: usize,
    /// The step sizes of the chunks' tokens.
    step: &'a Tensor<4>,
}

impl ReadHalf<'_> {
    fn outputs(&self, q: Tensor<4>, rows: &Rows) -> Tensor<4> {
        let rows = rows.from_token(self.first_new);
        self.through(self.rule.settings.read(), &rows, q)
    }

    /// The inner loss of each token before its own write.
    fn loss(
        &self,
        k: Tensor<4>,
        v: Tensor<4>,
        rows: &Rows,
        decay: &LogDecay,
        gates: &Gates,
    ) -> Option<Tensor<4>> {
        let before = before(self.rule, decay, rows);
        // Weights behind a linear link cost nothing to know better.
        let read = if self.rule.has_identity_link() && !self.rule.acts_at_chunk_end() {
            Read::Exact
        } else {
            self.rule.settings.read()
        };
        let k = self.rule.key_rows(k);
        let y = self.through(read, &before.from_token(self.first_new), k);
        let gates = gates.map(|gate| gate.slice(s![.., .., self.first_new.., ..]));
        self.rule.loss(y, v, &gates)
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
        let program = &*initial.program;
        if let Some(by) = rule.least_squares() {
            let written = Written {
                factor: &writes[0],
                step: self.step,
                rows,
            };
            return least_squares::read(by, initial, &starts[0], Some(written), x);
        }
        match read {
            Read::Exact => {
                let maps = TokenMaps::exact(rule, initial, starts, writes, rows);
                rule.memory.forward(program, &maps, x)
            }
            Read::Frozen => {
                let maps = TokenMaps::frozen(rule, initial, starts, writes, rows);
                rule.memory.forward(program, &maps, x)
            }
            Read::Stale => {
                let weights = Weights {
                    maps: &rule.weights(starts, initial),
                    gains: &initial.gains,
                };
                rule.memory.forward(program, &weights, x)
            }
        }
    }
}

/// `[n, g, c, d] → [1, g, n·c, d]`.
fn from_chunks(x: Tensor<4>) -> Tensor<4> {
    let [n, g, c, d] = x.dims();
    x.swap_dims(0, 1).reshape([1, g, n * c, d])
}
