//! What every valid combination of parts holds, in one test program.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod by_hand;
mod channels;
mod contract;
mod devices;
mod engine;
mod fused;
mod goldens;
mod halves;
mod recomputed;
mod support;
mod widths;
