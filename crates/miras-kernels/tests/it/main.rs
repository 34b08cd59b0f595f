//! The operation against a slow recurrence in float64.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod case;
mod edges;
mod exact;
mod formula;
mod goldens;
mod layers;
mod link;
mod reference;
mod scan;
