//! What a sequence starts with.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::Program;

use crate::Place;

/// What a sequence starts with: the memory at its widths, and what the outer loop learned of it.
#[derive(Debug, Clone)]
pub struct Initial {
    /// The program of the rule's memory.
    pub program: Arc<Program>,
    /// One `[1, g, d_in, d_out]` per map.
    pub maps: Vec<Tensor<4>>,
    /// One `[1, g, 1, d]` per gain.
    pub gains: Vec<Tensor<4>>,
    /// Which memories these are, `g` of them.
    pub places: Vec<Place>,
}
