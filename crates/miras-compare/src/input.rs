//! What is read from the disk: runs, and sweeps of runs.

mod evaluation;
mod facts;
mod json;
mod metrics;
mod paths;
mod run;
mod settings;
mod sweep;

pub use evaluation::{Bin, Data, Evaluation, LeftOut, Memory, Pairs};
pub(crate) use evaluation::{Way, agree};
pub use facts::State;
pub use metrics::Point;
pub use miras_run::Cost;
pub use miras_sweep::Trial;
pub(crate) use paths::read;
pub use run::Run;
pub use settings::Settings;
pub use sweep::Sweep;
