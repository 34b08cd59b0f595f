//! A multi-layer perceptron.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Factor, GainSpec, MapSpec, Maps, MemoryArchitecture, Part, table_of};
use serde::{Deserialize, Serialize};

use crate::{activation::Activation, layer_norm::Normalised};

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
    ],
    build: |section| {
        let mut mlp = section.part::<Mlp>()?;
        for (key, value) in [("depth", mlp.depth), ("expansion", mlp.expansion)] {
            if !(1..=LARGEST).contains(&value) {
                let message = format!("{key} must be from 1 to {LARGEST}");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
            }
        }
        let deep = mlp.is_deep();
        mlp.residual.get_or_insert(deep);
        mlp.norm.get_or_insert(deep);
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
/// `W_1: [d, e·d]`, inner maps `[e·d, e·d]`, `W_L: [e·d, d]`; with depth 1 `W_1: [d, d]`. No biases.
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
    fn is_deep(&self) -> bool {
        self.depth >= 3
    }

    fn has_residual(&self) -> bool {
        self.residual.unwrap_or(self.is_deep())
    }

    fn has_norm(&self) -> bool {
        self.norm.unwrap_or(self.is_deep())
    }
}

impl MemoryArchitecture for Mlp {
    fn maps(&self, d: usize) -> Vec<MapSpec> {
        let hidden = d * self.expansion;
        (0..self.depth)
            .map(|l| MapSpec {
                name: format!("w{}", l + 1),
                d_in: if l == 0 { d } else { hidden },
                d_out: if l + 1 == self.depth { d } else { hidden },
            })
            .collect()
    }

    fn gains(&self, d: usize) -> Vec<GainSpec> {
        let gain = GainSpec {
            name: "norm".into(),
            d,
            initial: (d as f64).sqrt().recip(),
        };
        (self.has_norm().then_some(gain)).into_iter().collect()
    }

    fn is_linear(&self) -> bool {
        self.depth == 1 && !self.has_residual() && !self.has_norm()
    }

    fn is_bounded(&self) -> bool {
        self.has_norm()
    }

    /// Weights of one sign are of use only behind a norm, which removes their mean; and the
    /// deeper the memory, the smaller the steps at which a chain of chunks does not amplify
    /// gradients.
    fn hints(&self) -> toml::Table {
        let step_max = match self.depth {
            0..=2 => 1.0,
            3 => 0.1,
            4 => 0.03,
            _ => 0.01,
        };
        toml::Table::from_iter([
            ("signed".to_owned(), (!self.has_norm()).into()),
            ("step_max".to_owned(), step_max.into()),
        ])
    }

    fn forward(&self, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        let mut h = maps.apply(0, x.clone());
        for l in 1..self.depth {
            h = maps.apply(l, self.activation.value(h));
        }
        if self.has_norm() {
            h = Normalised::new(h).value * maps.gain(0);
        }
        if self.has_residual() { x + h } else { h }
    }

    fn factors(
        &self,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let mut inputs = vec![keys.clone()];
        let mut slopes = Vec::new();
        let mut h = maps.apply(0, keys.clone());
        for l in 1..self.depth {
            let (z, slope) = self.activation.value_and_slope(h);
            h = maps.apply(l, z.clone());
            inputs.push(z);
            slopes.push(slope);
        }

        let norm = self.has_norm().then(|| Normalised::new(h.clone()));
        let mut y = match &norm {
            Some(norm) => norm.value.clone() * maps.gain(0),
            None => h,
        };
        if self.has_residual() {
            y = keys + y;
        }

        let mut d = output_gradient(y);
        if let Some(norm) = norm {
            d = norm.backward(d * maps.gain(0));
        }
        let mut gradients = vec![d.clone()];
        for l in (1..self.depth).rev() {
            d = maps.apply_transposed(l, d) * slopes[l - 1].clone();
            gradients.push(d.clone());
        }
        (inputs.into_iter())
            .zip(gradients.into_iter().rev())
            .map(|(x, d)| Factor { x, d })
            .collect()
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
