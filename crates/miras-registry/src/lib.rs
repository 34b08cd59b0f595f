//! Names to parts, and which combinations are valid.
//!
//! - [`Registry`] holds the lists of the four axes, ours and a program's own.
//! - [`Choice`] is a point of the design space, taken out of a configuration.
//! - [`exactness`] says how near its chunk forms come to the recurrence.

mod choice;
mod consistency;
mod exactness;
mod info;
mod last_map;
mod listing;
mod noise;
mod other_names;
mod registry;
mod settings;
mod validity;
mod widths;

pub use choice::{Choice, Learn, StartKind, Target};
pub use exactness::{Exactness, exactness};
pub use info::PartInfo;
pub use registry::{KeyTaken, KindTaken, Registry};
pub use settings::AlgorithmSettings;
