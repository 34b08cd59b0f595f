//! Axis 4, memory algorithm: the inner optimiser.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod gd;
mod momentum;
mod step_rules;
mod step_size;

pub use gd::Gd;
use miras_core::{MemoryAlgorithm, Part};
pub use momentum::Momentum;
pub use step_rules::{GradCap, Implicit, LoadCap, STEP_RULES, StateCap};
pub use step_size::StepSize;

/// Every memory algorithm, in the order of the documentation.
pub const PARTS: &[Part<dyn MemoryAlgorithm>] = &[gd::PART, momentum::PART];
