//! Trained runs, used.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod beyond;
mod evaluating;
mod exporting;
mod generating;
mod likelihoods;
mod prompts;
mod states;
mod support;
mod tokens;
mod weights;
mod whole;
