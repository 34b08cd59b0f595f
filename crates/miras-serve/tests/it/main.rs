//! A server, asked.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod answers;
mod clients;
mod mistakes;
mod sessions;
mod support;
