//! Axis 2, attentional bias: the inner loss a memory is trained on, token by token.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod dot;
mod huber;
mod l2;

pub use dot::Dot;
pub use huber::{Huber, Scope};
pub use l2::L2;
use miras_core::{AttentionalBias, Part};

/// Every attentional bias, in the order of the documentation.
pub const PARTS: &[Part<dyn AttentionalBias>] = &[dot::PART, l2::PART, huber::PART];
