//! Axis 3, retention gate: how the past is kept or forgotten.
//!
//! One file a part and one line in [`PARTS`]; `docs/architecture.md` says how to add one.

mod l2;
mod none;

pub use l2::{Gate, L2};
use miras_core::{Part, RetentionGate};
pub use none::Keep;

/// Every retention gate, in the order of the documentation.
pub const PARTS: &[Part<dyn RetentionGate>] = &[none::PART, l2::PART];
