//! What a model costs, counted from its configuration: nothing is built.
//!
//! A mixer counts what is its own, beside what it computes; what a memory costs is counted by
//! [`miras_engine::cost`].

mod flops;
mod kept;
mod parameters;
mod state;

pub use flops::flops;
pub(crate) use kept::NORM;
pub use kept::kept;
pub use parameters::{Parameters, parameters};
pub use state::{StateNumbers, state};
