//! The program as a user meets it: words in, text, files and an exit code out.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[cfg(unix)]
mod before_training;
mod classes;
mod combinations;
mod commands;
mod comparing;
mod cost;
mod dna;
mod evaluating;
mod mistakes;
mod needles;
mod newcomers;
mod presets;
mod questions;
mod resuming;
#[cfg(unix)]
mod series;
mod signals;
mod support;
#[cfg(unix)]
mod sweeping;
mod texts;
mod training;
mod using;
