//! The tokens of a span, and their gradients.

use burn::tensor::Tensor;
use miras_core::{Factor, Gates, LogDecay, Rows, Side};

use crate::{Open, Rule};

/// Keys, values and gates of a span: `[n, g, c, ·]`; `gates` cover the open chunk's tokens too. Where
/// there is a window, the tokens before each chunk come first; before those of an open one, in
/// `gates` alone.
#[derive(Clone)]
pub(crate) struct SpanTokens {
    pub(crate) k: Tensor<4>,
    pub(crate) v: Tensor<4>,
    pub(crate) gates: Gates,
    /// The gates of the new tokens only, where an open chunk came before them.
    pub(crate) new_gates: Gates,
    /// The open chunk.
    pub(crate) open: Option<Open>,
}

/// The gradients of a chunk's tokens, as factors per map, and their step sizes.
pub(crate) struct ChunkGradients {
    pub(crate) factors: Vec<Factor>,
    /// After the rules, `[1, g, c, 1]`, or per channel `[1, g, c, d]`.
    pub(crate) step: Tensor<4>,
    /// The channels that have steps of their own.
    pub(crate) channels: Option<Side>,
    /// What the step rules carry after each token, `[1, g, c, n]` each.
    pub(crate) carried: Vec<Tensor<4>>,
}

impl ChunkGradients {
    /// The factors with step sizes multiplied in, `x` and `u`.
    pub(crate) fn writes(&self) -> Vec<Factor> {
        (self.factors.iter())
            .map(|Factor { x, d }| {
                let (x, d) = Side::on_writes(self.channels, &self.step, x.clone(), d.clone());
                Factor { x, d }
            })
            .collect()
    }
}

/// The state in which the gradient of each token is taken, before its own write.
pub(crate) fn before(rule: &Rule, decay: &LogDecay, rows: &Rows) -> Rows {
    rows.exclusive(rule.retention.order(), decay.log.clone().exp())
}
