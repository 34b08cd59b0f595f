//! The feed-forward half of a block.

use burn::{module::Module, tensor::Tensor};
use miras_kernels::Gate;

use crate::{ParameterGroup, ParameterGroups, gate::gated, init::Init, precision::Projection};

/// `SwiGLU`: `(SiLU(x W_gate) ⊙ x W_up) W_down` (Shazeer, arXiv 2002.05202).
#[derive(Module, Debug)]
pub struct SwiGlu {
    gate: Projection,
    up: Projection,
    down: Projection,
}

impl SwiGlu {
    pub(crate) fn new(init: &mut Init, name: &str, d: usize, hidden: usize) -> Self {
        Self {
            gate: init.projection(&format!("{name}.gate"), d, hidden),
            up: init.projection(&format!("{name}.up"), d, hidden),
            down: init.projection(&format!("{name}.down"), hidden, d),
        }
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        for projection in [&self.gate, &self.up, &self.down] {
            projection.group(ParameterGroup::FeedForward, groups);
        }
    }

    /// `[b, t, d] → [b, t, d]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gate = self.gate.forward(x.clone());
        self.down
            .forward(gated(Gate::Silu, gate, self.up.forward(x)))
    }
}
