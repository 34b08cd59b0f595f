//! A gated multi-layer perceptron.

use std::sync::Arc;

use miras_core::{Activation, MemoryArchitecture, Part, Program, ProgramError, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn MemoryArchitecture> = Part {
    kind: "gated_mlp",
    summary: "A gated perceptron (SwiGLU): what one map brings is gated by another.",
    formula: "M(x) = (f(x W_1) * x W_2) W_3",
    reference: "LaCT, arXiv 2505.23884",
    keys: &[
        (
            "expansion",
            "hidden width as a multiple of memory.dim, 1 or more",
        ),
        ("activation", "\"silu\", \"gelu\" or \"relu_squared\""),
    ],
    variants: &["expansion = 1", "expansion = 2\nactivation = 'gelu'"],
    build: |section| {
        let mut gated = section.part::<GatedMlp>()?;
        if !(1..=LARGEST).contains(&gated.expansion) {
            let message = format!("expansion must be from 1 to {LARGEST}");
            let mistake = section.error("expansion", message, None);
            section.note(mistake)?;
            gated.expansion = gated.expansion.clamp(1, LARGEST);
        }
        Ok(Arc::new(gated))
    },
};

/// The largest expansion.
const LARGEST: usize = 1024;

/// A gated multi-layer perceptron.
///
/// # Formula
/// `M(x) = (f(x W_1) ⊙ x W_2) W_3`.
///
/// # Shapes
/// `W_1, W_2: [d_k, e·d_k]`, `W_3: [e·d_k, d_v]`. No biases.
///
/// # Reference
/// `LaCT` (arXiv 2505.23884), with `SiLU`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatedMlp {
    /// Hidden width over the memory's width.
    pub expansion: usize,
    /// Of the gate.
    pub activation: Activation,
}

impl Default for GatedMlp {
    fn default() -> Self {
        Self {
            expansion: 2,
            activation: Activation::Silu,
        }
    }
}

impl MemoryArchitecture for GatedMlp {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let hidden = self.expansion * d_k;
        Program::build(d_k, d_v, |p, x| {
            let gate = p.linear("w1", x, hidden);
            let gate = p.activation(self.activation, gate);
            let up = p.linear("w2", x, hidden);
            let gated = p.product(gate, up);
            p.linear("w3", gated, d_v)
        })
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
