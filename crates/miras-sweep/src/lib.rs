//! Sweeps: many trials out of one file, carried out once each by any number of workers.
//!
//! - [`SweepSpec`] is the `[sweep]` table of a configuration; [`expand`] turns it into a
//!   [`Plan`] of [`Trial`]s, each with its settled configuration and the hash of it as its id.
//! - [`SweepFolder`] keeps the plan and the [`Ledger`]: who does what is decided by file locks,
//!   what was done is a line that is only ever appended.
//! - [`schedule()`] says what is to be done next; the best go on where budgets are staged.
//! - [`Worker`] does it, each trial in a process of its own.
//!
//! ```text
//! runs/<sweep>/
//!   sweep.json         the plan: metric, swept keys, budgets, trials
//!   ledger.jsonl       what happened to each trial, a line an event
//!   trials/<id>.toml   the settled configuration of a trial
//!   trials/<id>.lock   held while a worker, or the process it started, is at it
//!   trials/<id>.log    what its processes had to say
//!   <trial>/           its run folder
//! ```
//!
//! The crate knows nothing of models: a [`Settle`] reads configurations for it, and a
//! [`Launch`] says which commands train and evaluate.

mod axes;
mod error;
mod expand;
mod folder;
mod json;
mod ledger;
mod matching;
mod measured;
mod names;
mod note;
mod plan;
mod point;
mod range;
mod reopen;
mod schedule;
mod settle;
mod slurm;
mod spec;
mod trial_process;
mod trials;
mod worker;

pub use error::SweepError;
pub use expand::{Expanded, Skipped, expand};
pub use folder::SweepFolder;
pub use json::json;
pub use ledger::{Event, Ledger, What};
pub use names::Short;
pub use note::Note;
pub use plan::{Evaluations, Plan, Rung, Trial};
pub use schedule::{Next, State, Task, alike, schedule, states};
pub use settle::{Misfit, Settle, Settled};
pub use slurm::{Slurm, script};
pub use spec::SweepSpec;
pub use trial_process::Launch;
pub use worker::{Options, Tally, Watch, WorkEnd, Worker};
