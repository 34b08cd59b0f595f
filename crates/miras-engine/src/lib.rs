//! The inner loop: what a memory does with a sequence.
//!
//! - [`recurrence`] is the truth: one token after the other, weights written out.
//! - [`dual`] computes the same in parallel over chunks, without per-token weights.
//! - [`cost`] counts what that takes, without computing anything.
//! - [`read()`] and [`write()`] are its halves, for layers that do something in between.
//!
//! They agree in outputs and gradients for every valid combination of parts;
//! `miras-contract/tests/suite` holds them to it. This crate knows the
//! traits of `miras-core` and no concrete part.

mod carried;
mod chunk_start;
pub mod cost;
mod custom;
pub mod dual;
mod flat;
mod fused;
mod initial;
pub mod kernel;
mod least_squares;
mod maps;
mod named;
mod noise;
mod pass;
mod past;
mod place;
mod probe;
mod read;
mod recomputed;
pub mod recurrence;
mod rule;
mod scan;
mod solve;
mod solved;
mod source;
mod span;
mod split;
mod state;
mod steps;
mod substituted;
mod tokens;
mod walk;
mod write;

pub use fused::is_fused;
pub use initial::Initial;
pub use past::Past;
pub use place::Place;
pub use probe::{Probe, WriteRate};
pub use read::read;
pub use rule::{Form, Read, Rule, Settings};
pub use solve::unit_lower_inverse;
pub use split::split;
pub use state::{Open, State};
pub use tokens::Tokens;
pub use write::write;
