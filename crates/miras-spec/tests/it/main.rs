//! Configurations: what is read, what is refused, what they take.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod classes;
mod config;
mod configs;
mod estimate;
mod evaluating;
mod forecasts;
