//! Questions with known answers for a language model.
//!
//! A [`TaskKind`] is a data set of the field: it reads a record of its file, in the form of its
//! authors or of the copies that are passed on, and makes a [`Question`] of it, with the prompt of
//! the lm-evaluation-harness; or its file holds a [`Text`] or more that are scored as a whole; or it
//! makes [`Prompts`] of any length, for the tokens of a run.
//! [`of_answers`] and [`of_texts`] make the field's metrics of log-likelihoods. Who computes these is
//! none of this crate's business: it holds no model and prints nothing.
//!
//! A new task is one file in `kinds/` and one line of the list there.

mod error;
mod file;
mod kind;
mod kinds;
mod options;
mod prompts;
mod question;
mod records;
mod scores;
mod text;

pub use error::TaskError;
pub use kind::{Generated, Make, Reads, TaskKind};
pub use kinds::{TASKS, task};
pub use options::{Options, depths, number};
pub use prompts::{Ask, Cell, Difference, Grade, Prompt, Prompts, Step};
pub use question::{Asked, Choice, Question};
pub use records::{Record, Records, checksum};
pub use scores::{Answer, Likelihood, Measure, of_answers, of_texts};
pub use text::Text;
