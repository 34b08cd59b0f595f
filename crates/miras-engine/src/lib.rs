//! The inner loop: what a memory does with a sequence.
//!
//! - [`recurrence`] is the truth: one token after the other, weights written out.
//! - [`dual`] computes the same in parallel over chunks, without per-token weights.
//! - [`cost`] counts what that takes, without computing anything.
//! - [`frozen`] reads a memory without writing in it.
//!
//! They agree in outputs and gradients for every valid combination of parts;
//! `miras-registry/tests/suite` holds them to it. This crate knows the
//! traits of `miras-core` and no concrete part.

mod chunk_start;
pub mod cost;
pub mod dual;
pub mod frozen;
mod maps;
mod probe;
pub mod recurrence;
mod rule;
mod solve;
mod solved;
mod source;
mod split;
mod state;
mod steps;
mod substituted;
mod walk;
mod written;

pub use probe::Probe;
pub use rule::{Form, Read, Rule, Settings};
pub use solve::unit_lower_inverse;
pub use split::split;
pub use state::{Initial, Open, State, Tokens};
