//! Small runs from start to end.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod config;
mod controls;
mod effects;
mod limits;
mod metrics;
mod nonfinite;
mod resume;
mod support;
