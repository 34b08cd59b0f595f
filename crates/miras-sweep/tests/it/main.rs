//! Sweeps of a toy model: how they expand, what is next, and that nothing is done twice.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod expanding;
mod notes;
mod scheduling;
mod slurm;
mod support;
#[cfg(unix)]
mod working;
