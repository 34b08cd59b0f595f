//! What a person does with a trained run.
//!
//! - [`Trained`] is a run, or an export of one, opened: configuration, weights, model.
//! - [`evaluate()`] measures it on its own data or on any text.
//! - [`answer()`] asks it the questions of a data set, [`Scorer`] how likely texts are after others.
//! - [`Generator`] reads tokens and says what comes next; [`Sampler`] chooses, [`Stops`] end it.
//! - [`Stored`] is a state in a file, and [`export()`] takes the weights out of a run.
//!
//! [`Trained::tokenizer`] stands between text and tokens. The crate does not print.

mod error;
mod evaluate;
mod export;
mod generate;
mod held_out;
mod likelihood;
mod notes;
mod prompts;
mod report;
mod request;
mod stop;
mod stored;
mod sums;
mod task;
mod text;
mod trained;
mod utf8;

pub use miras_model::Sampler;

pub use error::UseError;
pub use evaluate::{evaluate, evaluate_watched};
pub use export::{export, export_tokenizer};
pub use generate::{Generator, LayerNorm};
pub use likelihood::{Scored, Scorer};
pub use miras_run::{Export, Memory};
pub use prompts::CellReport;
pub use report::{
    ByGap, ByLayer, ByOccurrence, ByPairs, ByPosition, Measured, Occurrence, Report, StateUsed,
    Weighed,
};
pub use request::{EvalRequest, Size};
pub use stop::Stops;
pub use stored::Stored;
pub use task::{TaskReport, TaskRequest, answer};
pub use trained::{At, Trained};
pub use utf8::Utf8Stream;
