//! Axis 1: what stores the past.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::{Program, ProgramError};

/// A memory architecture: what becomes of a key or query on its way through linear maps.
///
/// The maps' weights are the fast weights, learned token by token; gains are
/// learned by the outer loop only. The part never sees the weights: whoever
/// calls it supplies [`Maps`], and so decides whether it runs on one set of
/// weights, on each token's own, or on weights that are never written out.
///
/// A part describes itself by its [`program`](Self::program), and everything else follows. One
/// that needs an operation which programs lack has a [`Program::by_hand`], and writes
/// [`forward`](Self::forward) and [`factors`](Self::factors) itself.
pub trait MemoryArchitecture: Debug + Send + Sync {
    /// The memory from keys of `d_k` features to values of `d_v`, or why there is none of these
    /// widths.
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError>;

    /// What keys and queries of `d_k` features go through on their way to the program, which is then
    /// one from its output to values: features whose weights and gains the outer loop alone learns.
    /// None where they are keys and queries themselves.
    fn features(&self, _d_k: usize, _d_v: usize) -> Result<Option<Program>, ProgramError> {
        Ok(None)
    }

    /// Whether the output is one linear map of the input and nothing else, whatever the widths:
    /// then the exact chunk forms exist.
    fn is_linear(&self) -> bool {
        typical(self).is_ok_and(|program| program.is_linear())
    }

    /// Whether the output is linear in the weights: then a gradient depends on them by what is
    /// recalled alone.
    fn is_linear_in_weights(&self) -> bool {
        typical(self).is_ok_and(|program| program.is_linear_in_weights())
    }

    /// Whether features of a token enter the maps that make the output, so that writes of different
    /// tokens are told apart by them.
    fn has_features(&self) -> bool {
        typical(self).is_ok_and(|program| program.has_features())
    }

    /// Whether the output stays bounded whatever the weights, as behind a norm.
    fn is_bounded(&self) -> bool {
        typical(self).is_ok_and(|program| program.is_bounded())
    }

    /// Values for keys of the later axes where the config is silent: a part that has such a key
    /// uses them in the place of its own default.
    fn hints(&self) -> toml::Table {
        toml::Table::new()
    }

    /// `y = M(x)`, with the program at the widths of `x` and `y`.
    ///
    /// # Shapes
    /// `x: [n, g, c, d_k]`, result: `[n, g, c, d_v]`.
    fn forward(&self, program: &Program, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        program.forward(maps, x)
    }

    /// The gradient of a loss with respect to every map, as factors.
    ///
    /// `output_gradient` turns the memory's output for the keys `[n, g, c, d_v]` into the loss'
    /// gradient with respect to it, same shape. Token `i`'s gradient for map
    /// `l` is `x_iᵀ d_i` over that map's R rows.
    fn factors(
        &self,
        program: &Program,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        program.factors(maps, keys, output_gradient)
    }

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}

/// The program at the largest width up to 64, the same for keys and values, for which there is
/// one: from it the facts are told that do not depend on widths.
pub fn typical<M: MemoryArchitecture + ?Sized>(memory: &M) -> Result<Program, ProgramError> {
    let mut found = memory.program(64, 64);
    for d in (1..64).rev() {
        if found.is_ok() {
            break;
        }
        found = memory.program(d, d);
    }
    found
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
