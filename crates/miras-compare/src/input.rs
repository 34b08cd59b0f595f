//! What is read from the disk: runs, and sweeps of runs.

mod evaluation;
mod json;
mod metrics;
mod paths;
mod run;
mod settings;
mod sweep;

pub use evaluation::{Bin, Data, Evaluation, Memory, Pairs};
pub use metrics::Point;
pub(crate) use paths::read;
pub use run::{Cost, Run, State};
pub use settings::Settings;
pub use sweep::{Sweep, Trial};
