//! Layers and whole models, in one test program.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod contract;
mod cost;
mod layer_specs;
mod layers;
mod mixer;
mod model;
mod naive;
mod noise;
mod products;
mod queries;
mod small;
mod starts;
mod state;
mod tnt;
