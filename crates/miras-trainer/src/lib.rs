//! Training: one configuration in, a run folder out.
//!
//! - [`run()`] carries out a [`RunConfig`](miras_spec::RunConfig): steps, evaluations, checkpoints,
//!   metrics, and resuming.
//! - [`bench()`] measures what a configuration takes.

mod adamw;
mod advice;
mod banner;
mod bench;
mod carried;
mod compare;
mod cpu_reference;
mod error;
mod evaluation;
mod finish;
mod init;
mod learner;
mod loss_scale;
mod metrics_log;
mod nonfinite;
mod norm;
mod probe;
mod request;
mod run;
mod samples;
mod saver;
mod session;
mod snapshot;
mod start;

pub use bench::{Bench, BenchRequest, Launches, Spread, bench};
pub use compare::ChangedKey;
pub use error::TrainError;
pub use request::{Outcome, Resume, RunRequest};
pub use run::{run, run_on};
