//! What a model costs, counted from its configuration: nothing is built.
//!
//! A mixer counts what is its own, beside what it computes; what a memory costs is counted by
//! [`miras_engine::cost`].

mod flops;
mod kept;
mod numbers;
mod parameters;
mod state;

pub use flops::flops;
pub use kept::kept;
pub(crate) use numbers::of_norm;
pub use numbers::{Parameters, StateNumbers};
pub use parameters::parameters;
pub use state::state;
