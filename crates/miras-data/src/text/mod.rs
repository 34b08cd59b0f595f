//! Text of files, as bytes or tokens, read by position: a corpus may be larger than memory.

mod cache;
mod config;
mod corpus;
mod documents;
mod encoding;
mod format;
mod kind;
mod notes;
mod open;
mod piece_file;
mod records;
mod scan;
mod sources;
mod token_file;

pub use config::{MixSource, TextConfig};
pub(crate) use kind::KIND;
pub use open::{open, open_held_out};
