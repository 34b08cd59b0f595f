//! The crate from outside, on folders that the tests write.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod certainty;
mod course;
mod errors;
mod fixture;
mod formats;
mod identity;
mod look;
mod notes;
mod plots;
mod reports;
mod rows;
mod statistics;
mod tables;
mod verdicts;
