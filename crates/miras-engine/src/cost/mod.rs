//! What one memory costs, counted from its rule alone: no tensor is made.
//!
//! Everything follows from what the parts declare (maps, gains, rows, slots, link, slope), so a
//! new part is counted as it stands.
//!
//! - [`flops()`] counts the matrix products of [`crate::dual`], one by one.
//! - [`state()`] counts the numbers of a [`crate::State`].
//! - [`kept()`] counts what the forward pass leaves for the backward pass: a model of it.
//! - [`again()`] counts what the backward pass computes a second time, and keeps for a while.

mod chunk;
mod flops;
mod kept;
mod products;
mod state;

pub use flops::flops;
pub use kept::{again, kept};
pub use products::{Flops, Needs};
pub use state::{StateSize, state};
