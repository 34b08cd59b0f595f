//! Muon at chunk ends.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, ChunkEndAlgorithm, ChunkWrite, GateSpec, MOMENTUM, MapState, MemoryAlgorithm,
    Part, rows, table_of,
};
use serde::{Deserialize, Serialize};

use crate::{
    average::check_epsilon,
    momentum_gate,
    step_size::{StepSize, WINDOW, apart, check, check_window},
};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "muon",
    summary: "Muon: at each chunk's end, a step along the orthogonalised momentum.",
    formula: "S = eta S - G,   A = a A + theta NS5(S)",
    reference: "ATLAS, arXiv 2505.23735, section 5",
    keys: &[
        (
            "step_max",
            "largest step of a chunk, 0 (never writes) or above: what the singular values of a map change by; default 0.1, less for memories of depth 4 and more",
        ),
        (
            "placement",
            "where step sizes stand: \"outside\" (default, ATLAS): theta_C NS5(S), the mean of the chunk's theta = step_max sigma(z); \"inside\" (LaCT): they only say how much each token counts, and every chunk steps by step_max",
        ),
        (
            "momentum",
            "where the momentum gate eta = sigma(z) starts, in [0, 1); 0: no momentum, and no gate; default 0.5",
        ),
        (
            WINDOW,
            "tokens whose mean stands for each token's gradient, its own the last, from 1 to 1024 (ATLAS); default 1",
        ),
        (
            "epsilon",
            "what the norm of S has to be larger than to be left out of the step, from 1e-6 to 1e3: S is divided by sqrt(|S|^2 + epsilon^2); default 0.01: outer gradients through a chunk's step are amplified by up to 485/epsilon",
        ),
        (
            "renormalise",
            "true: after each chunk's step every column of weights is brought back to its initial length (LaCT), so that decay and steps turn it alone; default false",
        ),
    ],
    variants: &[
        "",
        "placement = 'inside'",
        "window = 3",
        "momentum = 0.0\nstep_max = 0.3\nepsilon = 2.0",
        "placement = 'inside'\nmomentum = 0.0\nstep_max = 0.3\nepsilon = 1.0",
        "placement = 'inside'\nrenormalise = true",
    ],
    build: |section| {
        let muon = section.part::<Muon>()?;
        check(section, muon.step_max)?;
        check_epsilon(section, muon.epsilon)?;
        momentum_gate::check_optional(section, muon.momentum)?;
        check_window(section, muon.window)?;
        Ok(Arc::new(muon))
    },
};

/// Muon, once a chunk.
///
/// # Formula
/// At the end of a chunk with steps `θ_i`, momenta `η_i` and decays `a_i`; `θ` and `η` are means
/// over its tokens, `a` is the product:
/// - outside: `S ← ηS − Σ_i (∏_{s>i} a_s) (θ_i/θ) G_i`, `A ← aA + θ·NS(S)`;
/// - inside: `S ← ηS − Σ_i (∏_{s>i} a_s) (θ_i/step_max) G_i`, `A ← aA + step_max·NS(S)`.
///
/// With `renormalise` every column `w` of the weights then becomes `w |w_init|/(|w| + 10⁻⁵)`.
///
/// `NS`: `X = S/√(‖S‖_F² + ε²)`, then five times `U = XXᵀ`, `X ← 3.4445X + (−4.7750U + 2.0315U²)X`,
/// transposed where a map has more rows than columns. It brings the singular values near 1 and
/// keeps what they belong to.
///
/// # Shapes
/// `S`: a slot of the shape of the map, `[1, g, d_in, d_out]`; none without momentum.
///
/// # Reference
/// ATLAS (arXiv 2505.23735), §5, with the step size outside; inside, one step a chunk and lengths that
/// are kept: `LaCT` (arXiv 2505.23884), §3.
///
/// # Notes
/// With a window of `w` tokens, `θ_i G_i` of every token is the mean over it and the `w − 1` tokens
/// before it, as in `omega`: the Omega rule under Muon, ATLAS itself.
///
/// The gradients of a chunk are those at its start, where its tokens read, too. With one token a
/// chunk the step outside is ATLAS' `S_t = η_t S_{t−1} − G_t`, `A_t = a_t A_{t−1} + θ_t NS(S_t)`.
/// `NS` does not see the size of `S`: inside, sizes of steps only weigh tokens against each other
/// and against the past. That is so above ε: where nothing is to be learned, `S/‖S‖` has no
/// derivative, and so the step shrinks with `S` there. Directions in which `S` is small are made
/// large, up to `3.4445⁵ = 485` times, and with them their outer gradients.
///
/// Lengths are those of the weights, also where the state is their distance from the initial ones
/// (`retention.anchored`); with a link other than the identity it is refused: no state gives weights of given lengths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Muon {
    /// Largest step of a chunk, ≥ 0; where it is left out, less for deep memories.
    pub step_max: f64,
    /// Where step sizes stand.
    pub placement: Placement,
    /// Where the momentum gate starts, in [0, 1); 0 for none.
    pub momentum: f64,
    /// Tokens whose mean stands for each token's gradient.
    pub window: usize,
    /// What the norm of `S` has to be larger than to be left out of the step.
    pub epsilon: f64,
    /// Whether columns of weights keep their initial lengths.
    pub renormalise: bool,
}

/// Where the step sizes of Muon stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Before the orthogonalised momentum: the mean of a chunk's.
    #[default]
    Outside,
    /// Before the gradients of tokens.
    Inside,
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            step_max: 0.1,
            placement: Placement::Outside,
            momentum: 0.5,
            window: 1,
            epsilon: 0.01,
            renormalise: false,
        }
    }
}

impl Muon {
    fn has_momentum(&self) -> bool {
        self.momentum > 0.0
    }
}

impl MemoryAlgorithm for Muon {
    fn gates(&self) -> Vec<GateSpec> {
        let mut gates = vec![StepSize::Input.gate(self.step_max, false)];
        if self.has_momentum() {
            gates.push(momentum_gate::gate(self.momentum));
        }
        gates
    }

    fn slots(&self) -> usize {
        usize::from(self.has_momentum())
    }

    fn window(&self) -> usize {
        self.window
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::ChunkEnd(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl ChunkEndAlgorithm for Muon {
    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        let (size, along) = apart(chunk);
        let write = match self.placement {
            Placement::Outside => along,
            // A largest step of 0 writes nothing.
            Placement::Inside => chunk
                .write
                .clone()
                .div_scalar(self.step_max.max(rows::TINY)),
        };
        let momentum = match map.slots.into_iter().next() {
            Some(past) => past * chunk.gates.get(MOMENTUM).exp().mean_dim(2) - write,
            None => write.neg(),
        };
        let along = orthogonalised(momentum.clone(), self.epsilon);
        let update = match self.placement {
            Placement::Outside => along * size,
            Placement::Inside => along.mul_scalar(self.step_max),
        };
        MapState {
            weights: map.weights * chunk.carry.clone() + update,
            slots: vec![momentum; self.slots()],
        }
    }

    fn keeps_lengths(&self) -> bool {
        self.renormalise
    }
}

/// Iterations, and their coefficients: those of the Muon of Jordan et al. (2024).
const ITERATIONS: usize = 5;
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// The Newton-Schulz iteration, `[1, g, d_in, d_out]`; 0 stays 0.
fn orthogonalised(matrix: Tensor<4>, epsilon: f64) -> Tensor<4> {
    let [_, _, rows, columns] = matrix.dims();
    if rows > columns {
        return orthogonalised(matrix.transpose(), epsilon).transpose();
    }
    let [first, third, fifth] = COEFFICIENTS;
    let square = matrix.clone().powi_scalar(2).sum_dim(3).sum_dim(2);
    let norm = square.add_scalar(epsilon * epsilon).sqrt();
    (0..ITERATIONS).fold(matrix / norm, |x, _| {
        let square = x.clone().matmul(x.clone().transpose());
        let fourth = square.clone().matmul(square.clone());
        let by = square.mul_scalar(third) + fourth.mul_scalar(fifth);
        x.clone().mul_scalar(first) + by.matmul(x)
    })
}
