//! Names to parts: one view over the four lists, and which combinations are valid.

mod choice;
mod listing;
mod settings;
mod validity;

pub use choice::{Choice, StartKind};
pub use listing::{PartInfo, common_keys, find, key_paths, kinds, parts};
pub use settings::AlgorithmSettings;
