//! What the registry says of parts and of their combinations, and the pages made of it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod consistency;
mod exactness;
mod pages;
mod registry;
