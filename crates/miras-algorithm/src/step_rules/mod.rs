//! Rules of the step size: one file each and one line in [`STEP_RULES`].

mod grad_cap;
mod implicit;
mod load_cap;
mod state_cap;
mod surprise;

use miras_core::StepRulePart;

pub use self::{
    grad_cap::GradCap, implicit::Implicit, load_cap::LoadCap, state_cap::StateCap,
    surprise::SurpriseGate,
};

/// Every step rule, in the order in which they act.
pub const STEP_RULES: &[StepRulePart] = &[
    implicit::PART,
    load_cap::PART,
    surprise::PART,
    grad_cap::PART,
    state_cap::PART,
];
