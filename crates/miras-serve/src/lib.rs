//! A trained run behind HTTP.
//!
//! The endpoints are those of `OpenAI`'s completions, as the lm-evaluation-harness and other clients
//! of the field use them, and sessions: texts whose memories are kept under an id, saved, loaded and
//! forked. `docs/serving.md` describes them.
//!
//! Handlers (`http/`) turn requests into [jobs](job), and one thread (`worker/`) holds the model and
//! carries them out: prompts that are only scored together, everything else token by token in turn,
//! sequences of equal length in one pass. A job whose client has left is dropped.

mod connections;
mod error;
mod http;
mod job;
mod json;
mod metrics;
mod options;
mod server;
mod worker;

pub use options::{Limits, Options};
pub use server::{ServeError, serve};
