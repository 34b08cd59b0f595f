//! Axis 4, memory algorithm: the inner optimiser.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod adam;
mod average;
mod gd;
mod momentum;
mod momentum_gate;
mod multi_step;
mod muon;
mod nesterov;
mod newton;
mod omega;
mod rmsprop;
mod step_rules;
mod step_size;

pub use adam::Adam;
pub use gd::Gd;
use miras_core::{MemoryAlgorithm, Part};
pub use momentum::Momentum;
pub use multi_step::MultiStep;
pub use muon::{Muon, Placement};
pub use nesterov::Nesterov;
pub use newton::Newton;
pub use omega::Omega;
pub use rmsprop::Rmsprop;
pub use step_rules::{GradCap, Implicit, LoadCap, STEP_RULES, StateCap, SurpriseGate};
pub use step_size::StepSize;

/// Every memory algorithm, in the order of the documentation.
pub const PARTS: &[Part<dyn MemoryAlgorithm>] = &[
    gd::PART,
    momentum::PART,
    nesterov::PART,
    omega::PART,
    multi_step::PART,
    muon::PART,
    adam::PART,
    rmsprop::PART,
    newton::PART,
];
