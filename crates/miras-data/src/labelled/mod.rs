//! Sequences with a label each, in CSV files, held in memory.

mod config;
mod kind;
mod open;
mod read;
mod rows;
mod split;

pub use config::LabelledConfig;
pub(crate) use kind::KIND;
pub use open::open_held_out;
