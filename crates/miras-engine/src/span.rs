//! The tokens of a span, and their gradients.

use burn::tensor::Tensor;
use miras_core::{Factor, Gates, Rows, rows};

use crate::{Open, Rule};

/// Keys, values and gates of a span: `[n, g, c, ·]`; `gates` cover the open chunk's tokens too.
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
    /// After the rules, `[1, g, c, 1]`.
    pub(crate) step: Tensor<4>,
}

impl ChunkGradients {
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

/// The state in which the gradient of each token is taken, before its own write.
pub(crate) fn before(rule: &Rule, log_decay: &Tensor<4>, rows: &Rows) -> Rows {
    rows.exclusive(rule.retention.order(), log_decay.clone().exp())
}
