//! Axis 1, memory architecture: what stores the past.
//!
//! One file a part and one line in [`PARTS`]; `docs/adding-a-part.md` says how to add one.

mod conv;
mod gated_mlp;
mod matrix;
mod mlp;
mod vector;

pub use conv::Conv;
pub use gated_mlp::GatedMlp;
pub use matrix::Matrix;
use miras_core::{MemoryArchitecture, Part};
pub use mlp::Mlp;
pub use vector::Vector;

/// Every memory architecture, in the order of the documentation.
pub const PARTS: &[Part<dyn MemoryArchitecture>] = &[
    matrix::PART,
    vector::PART,
    mlp::PART,
    gated_mlp::PART,
    conv::PART,
];
