//! What a model is trained for, a file and a line of the list in `kinds.rs` each.
//!
//! Training, evaluation and `bench` compute losses through a [`Task`], and metrics get their names
//! there. It has what is special to it: the two ends of the model, the loss, what is counted.

mod classify;
mod confusion;
mod definition;
mod details;
mod entry;
mod forecast;
mod kinds;
mod language;

pub use definition::{Count, Scored, Task, TrainingLoss};
pub use details::{Classes, Details};
pub use entry::TaskEntry;
pub use kinds::{TASKS, TaskConfig};
