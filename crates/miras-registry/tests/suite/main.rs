//! What every valid combination of parts holds, in one test program.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod by_hand;
mod channels;
mod consistency;
mod contract;
mod devices;
mod engine;
mod exactness;
mod goldens;
mod halves;
mod links;
mod oracles;
mod pages;
mod registry;
mod support;
mod widths;
