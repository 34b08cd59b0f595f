//! What is counted.

/// How many numbers the outer and the inner loop learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// All that the outer loop learns: the parameters of the model.
    pub all: usize,
    /// Those of them that are the memories' own: initial weights and gains.
    pub memory: usize,
    /// Weights that the inner loop learns at test time, a set for each sequence.
    pub fast: usize,
}

/// Numbers in the state of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateNumbers {
    /// However long the sequence is: memories, slots, open chunks at their largest, and the last
    /// inputs of the convolutions.
    pub fixed: usize,
    /// More for every token of the past: keys and values of attention.
    pub per_token: usize,
}

/// Numbers that a root mean square norm keeps, a feature: input, scaled input, output; with kernels
/// the first and the last.
pub(crate) fn of_norm(kernels: bool) -> usize {
    if kernels { 2 } else { 3 }
}
