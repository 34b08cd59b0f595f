//! Sweeps: many trials from one file, each carried out once by any number of workers.
//!
//! - [`SweepSpec`] is the `[sweep]` table of a configuration; [`expand`] turns it into a
//!   [`Plan`] of [`Trial`]s, each with its resolved configuration and the hash of it as its id.
//! - [`SweepFolder`] holds the plan and the [`Ledger`]: file locks decide which worker has which
//!   trial, and events are only appended.
//! - [`schedule()`] chooses the next tasks; with several rungs the best points continue.
//! - [`Worker`] carries them out, each trial in its own process.
//!
//! ```text
//! runs/<sweep>/
//!   sweep.json         the plan: metric, swept keys, budgets, trials
//!   ledger.jsonl       what happened to each trial, a line an event
//!   trials/<id>.toml   the resolved configuration of a trial
//!   trials/<id>.lock   held while a worker, or the process that it started, works on it
//!   trials/<id>.log    the output of its processes
//!   <trial>/           its run folder
//! ```
//!
//! The crate does not depend on models: a [`ResolveConfig`] reads configurations for it, and a
//! [`Launch`] says which commands train and evaluate.

mod axes;
mod error;
mod expand;
mod folder;
mod ledger;
mod matching;
mod names;
mod note;
mod plan;
mod point;
mod range;
mod reopen;
mod resolve;
mod schedule;
mod slurm;
mod spec;
mod trial_process;
mod worker;

pub use error::SweepError;
pub use expand::{Expanded, Skipped, expand};
pub use folder::SweepFolder;
pub use ledger::{Event, EventKind, Ledger};
pub use names::{KeyNames, names_a_point};
pub use note::Note;
pub use plan::{Evaluations, Plan, Rung, Trial, What, json};
pub use resolve::{Misfit, ResolveConfig, ResolvedConfig};
pub use schedule::{State, Task, identical_failures, schedule, states};
pub use slurm::{Slurm, script};
pub use spec::SweepSpec;
pub use trial_process::Launch;
pub use worker::{Options, Tally, Watch, WorkEnd, Worker};
