//! A multi-layer perceptron.

use std::sync::Arc;

use miras_core::{Activation, MemoryArchitecture, Part, Program, ProgramError, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn MemoryArchitecture> = Part {
    kind: "mlp",
    summary: "A multi-layer perceptron of any depth, with residual and layer norm as options.",
    formula: "h_1 = x W_1, h_l = f(h_{l-1}) W_l,   M(x) = [x +] [LN](h_L)",
    reference: "Titans, arXiv 2501.00663, section 3.1 (depth 1-4); MIRAS, arXiv 2504.13173, section 5.3 (depth 2, residual, norm)",
    keys: &[
        ("depth", "number of linear maps, 1 or more"),
        (
            "expansion",
            "hidden width as a multiple of memory.dim, 1 or more",
        ),
        ("activation", "\"gelu\", \"silu\" or \"relu_squared\""),
        (
            "residual",
            "add the input to the output; default true from depth 3 on",
        ),
        (
            "norm",
            "layer norm on the output, its gain learned by the outer loop; default true from depth 3 on",
        ),
    ],
    variants: &[
        "depth = 1",
        "depth = 2\nexpansion = 2",
        "depth = 2\nexpansion = 2\nactivation = 'silu'\nnorm = true",
        "depth = 2\nexpansion = 2\nresidual = true",
        "depth = 3\nexpansion = 2\nactivation = 'relu_squared'",
        "depth = 2\nexpansion = 1\nnorm = true\nlearn = 'last'",
    ],
    build: |section| {
        let mut mlp = section.part::<Mlp>()?;
        for (key, value) in [("depth", &mut mlp.depth), ("expansion", &mut mlp.expansion)] {
            if !(1..=LARGEST).contains(value) {
                let message = format!("{key} must be from 1 to {LARGEST}");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
                *value = (*value).clamp(1, LARGEST);
            }
        }
        mlp.residual = Some(mlp.or_deep(mlp.residual));
        mlp.norm = Some(mlp.or_deep(mlp.norm));
        Ok(Arc::new(mlp))
    },
};

/// The largest depth and expansion.
const LARGEST: usize = 1024;

/// A multi-layer perceptron.
///
/// # Formula
/// `h_1 = x W_1`, `h_l = f(h_{l−1}) W_l`, `M(x) = [x +] [LN](h_L)`.
///
/// # Shapes
/// `W_1: [d_k, e·d_k]`, inner maps `[e·d_k, e·d_k]`, `W_L: [e·d_k, d_v]`; with depth 1
/// `W_1: [d_k, d_v]`. No biases. A residual needs `d_k = d_v`.
///
/// # Reference
/// Titans (arXiv 2501.00663), §3.1: "simple MLPs with `L_M ≥ 1` layers", widths not given;
/// MIRAS (arXiv 2504.13173), §5.3: depth 2, expansion 4, GELU, residual and layer norm.
///
/// # Notes
/// The layer norm's gain is learned by the outer loop alone, which neither paper says, and starts
/// at `1/√d`: the normalised output then has the length of the unit key beside it, and errors
/// have that of values. From 1 on recall is not learned at all (`docs/architecture.md`, Gains).
/// Depths from 3 on stay bounded only with residual and norm, hence their defaults.
/// Behind a norm the gradient grows as the weights decay, so that retention has to be anchored;
/// the default `algorithm.step_max` falls with depth (0.1 at 3, 0.03 at 4): with 1
/// the state stays bounded, but outer gradients over 4,096 tokens reach 1e10 and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mlp {
    /// Number of linear maps.
    pub depth: usize,
    /// Hidden width over the memory's width.
    pub expansion: usize,
    /// Between the maps.
    pub activation: Activation,
    /// Whether the input is added to the output.
    pub residual: Option<bool>,
    /// Whether the output is normalised (before the residual).
    pub norm: Option<bool>,
}

impl Default for Mlp {
    fn default() -> Self {
        Self {
            depth: 2,
            expansion: 4,
            activation: Activation::Gelu,
            residual: None,
            norm: None,
        }
    }
}

impl Mlp {
    /// What is left out goes by depth.
    fn or_deep(&self, asked: Option<bool>) -> bool {
        asked.unwrap_or(self.depth >= 3)
    }
}

impl MemoryArchitecture for Mlp {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let mut widths = vec![self.expansion * d_k; self.depth - 1];
        widths.push(d_v);
        Program::build(d_k, d_v, |p, x| {
            let mut h = p.linear("w1", x, widths[0]);
            for (l, width) in (2..).zip(&widths[1..]) {
                h = p.activation(self.activation, h);
                h = p.linear(&format!("w{l}"), h, *width);
            }
            if self.or_deep(self.norm) {
                h = p.layer_norm("norm", h, (d_v as f64).sqrt().recip());
            }
            if self.or_deep(self.residual) {
                h = p.sum(x, h);
            }
            h
        })
    }

    /// Weights of one sign are of use only behind a norm, which removes their mean; and the
    /// deeper the memory, the smaller the steps at which a chain of chunks does not amplify
    /// gradients.
    fn hints(&self) -> toml::Table {
        let mut hints =
            toml::Table::from_iter([("signed".to_owned(), (!self.or_deep(self.norm)).into())]);
        // Up to depth 2 an algorithm's own default holds.
        if self.depth > 2 {
            let step_max = *[0.1, 0.03].get(self.depth - 3).unwrap_or(&0.01);
            hints.insert("step_max".to_owned(), step_max.into());
        }
        hints
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
