//! The logs of a run: `metrics.jsonl`, TensorBoard event files and the console.
//!
//! - [`Tracker`] is the interface to the training loop; [`Trackers`] forwards to
//!   several.
//! - [`JsonLines`] writes one JSON object per line.
//! - [`TensorBoard`] writes event files: scalars, histograms, text, and the
//!   hyperparameters behind TensorBoard's HParams page.
//! - [`events`] reads event files back and verifies every checksum.
//! - [`Progress`] shows a bar on a terminal and plain lines elsewhere.
//!
//! Invariants: the crate does not depend on tensors; I/O errors do not panic, each is a
//! [`LogError`] that names its file; only complete records are appended.

#![allow(
    clippy::doc_markdown,
    reason = "TensorBoard and HParams are names of products"
)]

mod append;
mod error;
pub mod events;
mod json_lines;
mod message;
mod progress;
mod tensorboard;
mod tracker;

pub use error::LogError;
pub use json_lines::{JsonLines, Line};
pub use message::HParam;
pub use progress::{Console, Dress, Progress, ProgressMode, Span, Tick};
pub use tensorboard::TensorBoard;
pub use tracker::{Status, Tracker, Trackers};
