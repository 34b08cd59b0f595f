//! The two sides of a map, and what has a value of its own of a gate.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::rows;

/// The side of a map whose features have a decay each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Its input, the features of keys.
    Key,
    /// Its output, the features of values.
    Value,
}

impl Side {
    /// A value for each feature `[n, g, 1, d]` as a factor of a state `[n, g, d_in, d_out]`; one
    /// for all of them, `[n, g, 1, 1]`, where there is no side.
    pub fn on_state(side: Option<Self>, by: Tensor<4>) -> Tensor<4> {
        match side {
            Some(Side::Key) => by.swap_dims(2, 3),
            Some(Side::Value) | None => by,
        }
    }

    /// Numbers of writes `[n, g, c, w]` as factors of what the writes are made of, `x` and `u`:
    /// of `x` for channels of keys, else of `u`.
    pub fn on_writes(
        side: Option<Self>,
        by: &Tensor<4>,
        x: Tensor<4>,
        u: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        match side {
            Some(Side::Key) => (rows::scale(x, by), u),
            Some(Side::Value) | None => (x, rows::scale(u, by)),
        }
    }
}

/// What has a value of its own of a gate, as a part's setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Each head.
    #[default]
    Head,
    /// Each feature of a head's keys.
    Key,
    /// Each feature of its values.
    Value,
}

impl Channels {
    /// The side, if it is that of features.
    pub fn side(self) -> Option<Side> {
        match self {
            Self::Head => None,
            Self::Key => Some(Side::Key),
            Self::Value => Some(Side::Value),
        }
    }
}
