//! Where the gradients of a chunk come from: the one thing in which forms differ.

use burn::tensor::Tensor;
use miras_core::{Coefficients, Factor, Gates, MapState, Rows, rows};

use crate::{
    Form, Initial, Rule, chunk_start::ChunkStart, solved::Solved, substituted::Substituted,
};

/// The gradients of one chunk, but for the state they are taken in.
#[allow(
    clippy::large_enum_variant,
    reason = "one a chunk; the variants hold handles"
)]
pub(crate) enum Gradients {
    /// At the anchor, by the memory's own backward pass, then swept.
    ChunkStart(ChunkStart),
    /// At each token's own weights: affine in the state, after a triangular solve.
    Solved(Solved),
    /// At each token's own weights, token after token.
    Substituted(Substituted),
}

/// Keys, values and gates of a span: `[n, g, c, ·]`; `gates` cover the open chunk's tokens too.
pub(crate) struct SpanTokens {
    pub(crate) k: Tensor<4>,
    pub(crate) v: Tensor<4>,
    pub(crate) gates: Gates,
    /// The gates of the new tokens only, where an open chunk came before them.
    pub(crate) new_gates: Gates,
    /// The sweeps of the open chunk.
    pub(crate) earlier: Option<Vec<Vec<Factor>>>,
}

/// The gradients of a chunk's tokens, as factors per map, and their step sizes.
pub(crate) struct Sweep {
    pub(crate) factors: Vec<Factor>,
    /// After the caps, `[1, g, c, 1]`.
    pub(crate) step: Tensor<4>,
}

impl Sweep {
    /// The factors with step sizes multiplied in, `x` and `u`.
    pub(crate) fn writes(&self) -> Vec<Factor> {
        (self.factors.iter())
            .map(|Factor { x, d }| Factor {
                x: x.clone(),
                d: rows::scale(d.clone(), &self.step),
            })
            .collect()
    }
}

impl Gradients {
    /// Those of all chunks of a span. What needs no state is computed here, for all at once.
    pub(crate) fn of_span(
        rule: &Rule,
        initial: &Initial,
        tokens: SpanTokens,
        log_decay: &Tensor<4>,
        coefficients: &Coefficients,
    ) -> Vec<Self> {
        let before = || before(rule, log_decay, &coefficients.rows);
        match (rule.settings.form, rule.bias.slope()) {
            (Form::ChunkStart, _) => {
                let swept = (rule.settings.sweeps > 0).then(before);
                let chunks = ChunkStart::of_span(rule, tokens, coefficients, swept);
                chunks.into_iter().map(Self::ChunkStart).collect()
            }
            (Form::Exact, Some(slope)) => {
                let chunks = Solved::of_span(rule, initial, tokens, slope, before);
                chunks.into_iter().map(Self::Solved).collect()
            }
            (Form::Exact, None) => {
                let chunks = Substituted::of_span(tokens, before());
                chunks.into_iter().map(Self::Substituted).collect()
            }
        }
    }

    /// The sweeps over the chunk that starts in `maps`; the last one is what is written.
    pub(crate) fn at(self, rule: &Rule, initial: &Initial, maps: &[MapState]) -> Vec<Sweep> {
        match self {
            Gradients::ChunkStart(chunk) => chunk.at(rule, initial, maps),
            Gradients::Solved(chunk) => vec![chunk.at(&maps[0])],
            Gradients::Substituted(chunk) => vec![chunk.at(rule, initial, &maps[0])],
        }
    }
}

/// The state in which the gradient of each token is taken, before its own write.
fn before(rule: &Rule, log_decay: &Tensor<4>, rows: &Rows) -> Rows {
    rows.exclusive(rule.retention.order(), log_decay.clone().exp())
}
