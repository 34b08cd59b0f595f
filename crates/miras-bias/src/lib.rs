//! Axis 2, attentional bias: the inner loss a memory is trained on, token by token.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod dot;
mod epsilon_insensitive;
mod erase;
mod huber;
mod kl;
mod l1;
mod l2;
mod lp;
mod robust;
mod sign;

pub use dot::Dot;
pub use epsilon_insensitive::EpsilonInsensitive;
pub use erase::Erase;
pub use huber::{Huber, Scope};
pub use kl::Kl;
pub use l1::L1;
pub use l2::L2;
pub use lp::{Lp, LpForm};
use miras_core::{AttentionalBias, Part};
pub use robust::Robust;

/// Every attentional bias, in the order of the documentation.
pub const PARTS: &[Part<dyn AttentionalBias>] = &[
    dot::PART,
    l2::PART,
    erase::PART,
    lp::PART,
    l1::PART,
    epsilon_insensitive::PART,
    huber::PART,
    robust::PART,
    kl::PART,
];
