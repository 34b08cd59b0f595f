//! Axis 1: what stores the past.

use std::fmt::Debug;

use burn::tensor::Tensor;

/// A memory architecture: a small program over linear maps.
///
/// The maps' weights are the fast weights, learned token by token; gains are
/// learned by the outer loop only. The part never sees the weights: whoever
/// calls it supplies [`Maps`], and so decides whether it runs on one set of
/// weights, on each token's own, or on weights that are never written out.
pub trait MemoryArchitecture: Debug + Send + Sync {
    /// The linear maps for a memory from `d` features to `d` features.
    fn maps(&self, d: usize) -> Vec<MapSpec>;

    /// Vectors used by the program that do not learn in the inner loop.
    fn gains(&self, _d: usize) -> Vec<GainSpec> {
        Vec::new()
    }

    /// Rows of gradient per token and map (R of `docs/architecture.md`): more than 1 where
    /// a map is used on several slices of one token, as by a convolution.
    /// A map then gets and gives `R` consecutive rows a token.
    fn rows(&self) -> usize {
        1
    }

    /// Whether the output is one linear map of the input and nothing else: then
    /// the exact chunk forms exist.
    fn is_linear(&self) -> bool {
        false
    }

    /// Whether the output stays bounded whatever the weights, as behind a norm.
    fn is_bounded(&self) -> bool {
        false
    }

    /// Values for keys of the later axes where the config is silent: a part that has such a key
    /// uses them in the place of its own default.
    fn hints(&self) -> toml::Table {
        toml::Table::new()
    }

    /// `y = M(x)`.
    ///
    /// # Shapes
    /// `x`, result: `[n, g, c, d]`.
    fn forward(&self, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4>;

    /// The gradient of a loss with respect to every map, as factors.
    ///
    /// `output_gradient` turns the memory's output for the keys `[n, g, c, d]` into the loss'
    /// gradient with respect to it, same shape. Token `i`'s gradient for map
    /// `l` is `x_iᵀ d_i` over its R rows.
    fn factors(
        &self,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor>;

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}

/// Supplies the linear maps of a memory.
pub trait Maps {
    /// Row `t` of `z` through map `l` as it stands for that row:
    /// `[n, g, c, d_in] → [n, g, c, d_out]`.
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4>;

    /// The same through the transposed map: `[n, g, c, d_out] → [n, g, c, d_in]`.
    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4>;

    /// Gain `i`, broadcast to `[1, g, 1, d]`.
    fn gain(&self, i: usize) -> Tensor<4>;
}

/// One linear map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSpec {
    /// Its name in checkpoints and diagnostics.
    pub name: String,
    /// Features in.
    pub d_in: usize,
    /// Features out.
    pub d_out: usize,
}

/// One gain.
#[derive(Debug, Clone, PartialEq)]
pub struct GainSpec {
    /// Its name in checkpoints.
    pub name: String,
    /// Features.
    pub d: usize,
    /// Where it starts.
    pub initial: f64,
}

/// The gradient of one map as factors: token `i` contributes `x_iᵀ d_i`.
#[derive(Debug, Clone)]
pub struct Factor {
    /// What entered the map, `[n, g, c·R, d_in]`.
    pub x: Tensor<4>,
    /// The gradient at what left it, `[n, g, c·R, d_out]`.
    pub d: Tensor<4>,
}

/// Plain weights: every row goes through the same matrix.
#[derive(Debug, Clone)]
pub struct Weights<'a> {
    /// One `[n or 1, g, d_in, d_out]` per map.
    pub maps: &'a [Tensor<4>],
    /// One `[1, g, 1, d]` per gain.
    pub gains: &'a [Tensor<4>],
}

impl Maps for Weights<'_> {
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4> {
        z.matmul(self.maps[l].clone())
    }

    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4> {
        g.matmul(self.maps[l].clone().transpose())
    }

    fn gain(&self, i: usize) -> Tensor<4> {
        self.gains[i].clone()
    }
}
