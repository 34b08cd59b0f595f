//! Axis 4: the inner optimiser.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::{ChunkEnd, Coefficients, GateSpec, Gates, LogDecay, STEP, rows};

/// A memory algorithm: how gradients become a new state.
///
/// It is of one of three kinds, and says of which: [`Linear`](AlgorithmKind::Linear) in the writes
/// of single tokens, stepping at [chunk ends](AlgorithmKind::ChunkEnd), or
/// [solving](AlgorithmKind::LeastSquares) for the memory.
pub trait MemoryAlgorithm: Debug + Send + Sync {
    /// The data-dependent gates it reads; [`STEP`] is always among them.
    fn gates(&self) -> Vec<GateSpec>;

    /// How many tensors of a map's shape it keeps beside the weights (0 for
    /// gradient descent, 1 for momentum); they start at 0.
    fn slots(&self) -> usize {
        0
    }

    /// The shape of a slot of a map `[d_in, d_out]`.
    fn slot_shape(&self, map: [usize; 2]) -> [usize; 2] {
        map
    }

    /// How many tokens' gradients each step is the mean of: those of its own token and of the ones
    /// before it, all taken at the anchor of its chunk, each times its own token's step size. With
    /// 1 it is that of its own token.
    fn window(&self) -> usize {
        1
    }

    /// The kind, with the update.
    fn kind(&self) -> AlgorithmKind<'_>;

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}

/// How an algorithm moves a memory.
pub enum AlgorithmKind<'a> {
    /// After every token, by a linear recurrence in its write.
    Linear(&'a dyn LinearAlgorithm),
    /// At the end of every chunk; the tokens of a chunk read the weights that it began with.
    ChunkEnd(&'a dyn ChunkEndAlgorithm),
    /// The memory is, after every token, that of the least loss over all tokens so far.
    LeastSquares(LeastSquares),
}

/// The matrix of the least squared error over all tokens so far, with their weights and decays, that is
/// not far from its initial weights `W_0`.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t G_t`, `H_t = a_t H_{t−1} + θ_t x_tᵀ x_t`, `W_t = W_0 + (H_t + λ)⁻¹ A_t`, with
/// the gradient `G_t = x_tᵀ (x_t W_0 − v_t)` at the initial weights. `W_t` is the minimum of
/// `Σ_i (∏_{i<s≤t} a_s) θ_i |x_i W − v_i|² + λ |W − W_0|²`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastSquares {
    /// λ > 0.
    pub ridge: f64,
    /// Steps of conjugate gradients by which a query is multiplied with the inverse.
    pub iterations: usize,
}

/// An algorithm that moves the memory after every token.
///
/// It is stated twice: [`step`](Self::step), one token, the truth; and
/// [`coefficients`](Self::coefficients), the weight of every token's write in
/// every later state of a chunk, which makes chunks parallel.
pub trait LinearAlgorithm {
    /// One token: `map` is the state before it, `decay` is `a_t` `[1, g, 1, 1]` (or, per channel,
    /// `[1, g, d_in, 1]` or `[1, g, 1, d_out]`), and `write` is `θ_t ∇ℓ` `[1, g, d_in, d_out]`.
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, gates: &Gates) -> MapState;

    /// The coefficients of chunks of `c` tokens; gates are `[n, g, c, ·]`. Decays per channel are
    /// given to algorithms without slots alone.
    fn coefficients(&self, decay: LogDecay, gates: &Gates) -> Coefficients;

    /// The recurrence as data, for forms that are written for one; `None` where
    /// [`step`](Self::step) is another.
    fn recurrence(&self) -> Option<Recurrence> {
        None
    }

    /// A factor of the largest step that is stable on a key that comes again and again, beside that
    /// of its decay and [`MOMENTUM`](crate::MOMENTUM): `θ|k|² ≤ (1 + a)(1 + η)` for 1.
    fn stable_share(&self) -> f64 {
        1.0
    }

    /// What the load of a token is divided by: the sum of the weights that one
    /// write goes on adding (1 for gradient descent, `1 − η` with momentum), `[n, g, c, 1]`.
    fn damping(&self, gates: &Gates) -> Tensor<4> {
        rows::largest_channel(gates.get(STEP)).ones_like()
    }
}

/// A linear recurrence of the state of a map, with the writes `θ_t G_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    /// `A_t = a_t A_{t−1} − θ_t G_t`.
    DecayedSum,
    /// `S_t = η_t S_{t−1} − θ_t G_t`, `A_t = a_t A_{t−1} + S_t`, with `log η` the gate
    /// [`MOMENTUM`](crate::MOMENTUM), and loads divided by `max(1 − η, 10⁻³)`.
    Momentum,
}

/// An algorithm that moves the memory at chunk ends.
pub trait ChunkEndAlgorithm {
    /// Steps at each chunk's end. Before every one but the first, the gradients of all tokens of
    /// the chunk are taken anew, where the step before it left the memory.
    fn steps(&self) -> usize {
        1
    }

    /// One step of one map.
    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState;

    /// Whether each column of weights is brought back to its initial length after the last step:
    /// `w ← w |w_init|/(|w| + 10⁻⁵)`. The link then has to be the identity.
    fn keeps_lengths(&self) -> bool {
        false
    }
}

/// What a chunk asks of an algorithm at its end.
pub struct ChunkWrite<'a> {
    /// Which of the steps it is, from 0.
    pub step: usize,
    /// The decay over the chunk, `[1, g, 1, 1]`: `∏ a_t` at the first step, 1 at later ones.
    pub carry: Tensor<4>,
    /// `Σ_t (∏_{s>t} a_s) θ_t ∇ℓ_t`, `[1, g, d_in, d_out]`.
    pub write: Tensor<4>,
    /// The gates of the chunk's tokens, `[1, g, c, 1]`.
    pub gates: &'a Gates,
}

/// The state of one map: the dual state `A` and the algorithm's own tensors,
/// each `[1, g, d_in, d_out]`.
#[derive(Debug, Clone)]
pub struct MapState {
    /// `A`, from which the retention gate's link makes the weights.
    pub weights: Tensor<4>,
    /// The algorithm's slots, e.g. momentum.
    pub slots: Vec<Tensor<4>>,
}

impl MapState {
    /// The state after a chunk whose tokens wrote `x_iᵀ u_i`:
    /// `A ← β_C A + Σ f_C S − Xᵀ(c_C ⊙ U)`, `S ← m_C S − Xᵀ(p_C ⊙ U)`.
    ///
    /// # Panics
    /// If the algorithm gave coefficients for another number of slots: a bug of that part.
    #[must_use]
    pub fn after_chunk(&self, end: &ChunkEnd, x: &Tensor<4>, u: &Tensor<4>) -> Self {
        let written = |by: &Tensor<4>| x.clone().transpose().matmul(rows::scale(u.clone(), by));
        let mut weights = self.weights.clone() * end.carry.clone() - end.sum(x, u);
        assert_eq!(self.slots.len(), end.slots.len(), "slots, and their ends");
        let mut slots = Vec::with_capacity(self.slots.len());
        for (slot, end) in self.slots.iter().zip(&end.slots) {
            weights = weights + slot.clone() * end.share.clone();
            slots.push(slot.clone() * end.carry.clone() - written(&end.writes));
        }
        Self { weights, slots }
    }

    /// The same state through `f`.
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            weights: f(self.weights.clone()),
            slots: self.slots.iter().cloned().map(f).collect(),
        }
    }
}
