//! What a bias looks at.

use crate::buffer::{Buffer, padded};

/// What a bias looks at, a column for each token, and the values of its operations; or the
/// gradients at these.
pub(crate) struct Targets {
    /// Tokens, padded.
    pub(crate) width: usize,
    pub(crate) v: Buffer,
    pub(crate) gates: Vec<Buffer>,
    /// Of a formula.
    pub(crate) values: Vec<Buffer>,
}

impl Targets {
    /// Values of so many tokens, and nothing else.
    pub(crate) fn new(d_v: usize, tokens: usize) -> Self {
        Self {
            width: padded(tokens),
            v: Buffer::new(d_v, tokens),
            gates: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn clear(&mut self) {
        let all = [&mut self.v].into_iter().chain(&mut self.gates);
        all.chain(&mut self.values).for_each(Buffer::clear);
    }
}
