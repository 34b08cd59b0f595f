//! A convolutional network over the features of a token.

use std::sync::Arc;

use miras_core::{Activation, Builder, MemoryArchitecture, Part, Program, ProgramError, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn MemoryArchitecture> = Part {
    kind: "conv",
    summary: "Three convolutions over the features of a token: few weights, used at every feature.",
    formula: "M(x) = f(f(x * F_1) * F_2) * F_3,   * a convolution over the features of x",
    reference: "this project",
    keys: &[
        ("channels", "filters of the first two layers, 1 or more"),
        ("kernel", "features that a filter looks at, 2 or more"),
        ("activation", "\"gelu\", \"silu\" or \"relu_squared\""),
        (
            "causal",
            "whether a filter looks at its feature and those before it (default), or at those around it",
        ),
    ],
    variants: &[
        "channels = 2\nkernel = 2",
        "channels = 3\nkernel = 3\ncausal = false",
    ],
    build: |section| {
        let mut conv = section.part::<Conv>()?;
        for (key, value, least) in [
            ("channels", &mut conv.channels, 1),
            ("kernel", &mut conv.kernel, 2),
        ] {
            if !(least..=LARGEST).contains(value) {
                let message = format!("{key} must be from {least} to {LARGEST}");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
                *value = (*value).clamp(least, LARGEST);
            }
        }
        Ok(Arc::new(conv))
    },
};

/// The largest number of channels and width of a kernel.
const LARGEST: usize = 1024;

/// Three convolutions over the features of a token.
///
/// # Formula
/// `M(x) = f(f(x * F_1) * F_2) * F_3`, where `*` slides a filter over the features of one token:
/// output `j` of a layer is made of the inputs `j−k+1 … j`, or with `causal = false` of
/// `j+1+⌊k/2⌋−k … j+⌊k/2⌋`, with zeros beyond the ends. Nothing crosses tokens.
///
/// # Shapes
/// `F_1: [k, c]`, `F_2: [k·c, c]`, `F_3: [k·c, 1]`. A token goes through each of them in `d` rows,
/// one for every feature, and values have as many features as keys. No biases.
///
/// # Reference
/// This project. `ViT³` (arXiv 2512.01643) has convolutions over the positions of an image as a
/// memory.
///
/// # Notes
/// A filter's gradient is summed over the features, so the weights are few and change fast: with
/// neither norm nor residual the state stays below 1 over 2,048 random or equal tokens, at a largest
/// inner step of 1; a layer norm on the output makes outer gradients a thousand times larger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv {
    /// Filters of the first two layers.
    pub channels: usize,
    /// Features that a filter looks at.
    pub kernel: usize,
    /// Between the layers.
    pub activation: Activation,
    /// Whether a filter looks at no feature after its own.
    pub causal: bool,
}

impl Default for Conv {
    fn default() -> Self {
        Self {
            channels: 8,
            kernel: 4,
            activation: Activation::Gelu,
            causal: true,
        }
    }
}

impl MemoryArchitecture for Conv {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let ahead = if self.causal { 0 } else { self.kernel / 2 };
        Program::build(d_k, d_v, |p, x| {
            let (channels, f) = (self.channels, self.activation);
            let layer = |p: &mut Builder, h, from, name, to| {
                let windows = p.unfold(h, self.kernel * from, from, ahead);
                p.linear(name, windows, to)
            };
            let h = layer(p, x, 1, "w1", channels);
            let h = p.activation(f, h);
            let h = layer(p, h, channels, "w2", channels);
            let h = p.activation(f, h);
            let h = layer(p, h, channels, "w3", 1);
            p.fold(h)
        })
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
