//! Nucleotides of FASTA files, held in memory.

mod config;
mod kind;
mod open;
mod read;

pub use config::{FastaConfig, SoftMasked};
pub(crate) use kind::KIND;
pub use open::open_held_out;
