//! The contract that every combination of parts holds, as a library: on any device, and over any
//! registry, so that parts of one's own are held to it as well.
//!
//! - [`cases`] is every valid combination of kinds, with the variants of each in turn.
//! - [`run_recurrence`] is the readable truth, [`run_dual`] the chunk form, [`largest_gap`] what
//!   is between them, values and gradients.
//! - [`check`] does all of that on a device, and [`operations`] compares single operations of the
//!   tensor library.

mod cases;
mod check;
mod inputs;
mod operations;
mod runs;

pub use cases::{Case, cases, combinations, for_all};
pub use check::{
    AMPLIFIED, Checked, FLOOR, FORMS, LARGEST, MOST, TYPICAL, WIDE, Wrong, check, check_case,
    wide_cases,
};
pub use inputs::{D, G, Inputs, Size, noise, placed, places, tensor};
pub use operations::{Measured, operations};
pub use runs::{
    Gap, Run, assert_same, difference, largest_gap, made_chunk_start, made_exact, numbers,
    run_cut_off, run_dual, run_recurrence, run_truncated,
};
