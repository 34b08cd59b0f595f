//! Decay, clipped writes and noise on the state.

use std::sync::Arc;

use miras_core::{GateSpec, Noise, Part, RetentionGate, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "private",
    summary: "Decay that does not depend on the input, capped gradients, and noise on the state at chunk ends, which bounds what it says of one write.",
    formula: "A_t = a A_{t-1} - theta_t G_t min(1, c/|G_t|_F);   at the end of a full chunk A_t <- A_t + sigma theta_max c xi,   xi standard normal by (seed, layer, head, map, t);   c = algorithm.grad_cap, theta_max = algorithm.step_max",
    reference: "DP-SGD, arXiv 1607.00133, Algorithm 1 (clipped gradients and noise); the accounting is zCDP, arXiv 1605.02065",
    keys: &[
        (
            "gate",
            "\"fixed\" (default): a = decay; \"head\": a = exp(-exp(r)), r learned per head; not one of the input, by which a token would scale the whole state",
        ),
        (
            "decay",
            "a itself where it is fixed, else where the first head's starts; in (0, 1]",
        ),
        ANCHORED_KEY,
        (
            "noise",
            "sigma, the deviation of the noise in units of the most that one write moves the state, step_max times grad_cap; 0 (no noise) or above; default 1",
        ),
        (
            "noise_seed",
            "what the noise is drawn from, 0 or above; whoever has or guesses it can take the noise off again, so that one that protects is drawn at random and kept secret; one text a seed; default 0",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9\nnoise = 0.1",
        "anchored = false\ngate = 'head'\ndecay = 0.8\nnoise = 0.2\nnoise_seed = 3",
        "anchored = true\ndecay = 0.9\nnoise = 0.1",
    ],
    build: |section| {
        let private = section.part::<Private>()?;
        if matches!(private.gate, Gate::Sigmoid | Gate::Rate) {
            let message = "a decay that depends on the input scales the whole state by what one token says, which no cap bounds";
            let help = "use gate = \"fixed\" or \"head\"; retention.kind = \"l2\" has the others, without noise".to_owned();
            return Err(section.error("gate", message, Some(help)));
        }
        private.gate.check(section, private.decay)?;
        if !(0.0..=1e6).contains(&private.noise) {
            let message = "noise is a multiple of the largest write: from 0 to 1e6";
            return Err(section.error("noise", message, None));
        }
        Ok(Arc::new(private))
    },
};

/// Decay, clipped writes and noise on the state.
///
/// # Formula
/// `A_t = a A_{t−1} − θ_t min(1, c/‖G_t‖_F) G_t`, and at the end of a full chunk
/// `A_t ← A_t + σ θ_max c ξ`, with `ξ` standard normal.
/// `c` is `algorithm.grad_cap` (3 here, where it is left out), the norm that of one token's gradient over
/// all maps; `θ_max` is `algorithm.step_max`. So `Δ = θ_max c` is the most by which one write moves the
/// state of a memory, as a Frobenius norm over all maps, and the deviation of the noise on each
/// number is `σ Δ`, in the units of the state.
///
/// # Shapes
/// `ξ` is drawn for each map of each memory, `[1, g, d_in, d_out]`, and is a function of
/// (`retention.noise_seed`, layer, head, map, position of the chunk's end): the same in pieces, resumed, on
/// every device, and for all rows of a batch. In a layer of several memories (`tnt`) each has its own.
///
/// # Reference
/// Abadi et al., Deep learning with differential privacy (arXiv 1607.00133), Algorithm 1, for the
/// mechanism; Bun and Steinke, Concentrated differential privacy (arXiv 1605.02065), §1, for the
/// accounting. That both are put on the writes of a memory is this project's.
///
/// # Notes
/// What is claimed, of whoever sees the weights of one memory at the ends of chunks, and what
/// follows from them, but neither the seed nor outer weights that were trained under it:
///
/// - Take two sequences that differ in one write of this memory, which is there in one and left out
///   (θ = 0) in the other. From the same state at the chunk's start, the states at its end differ by at
///   most Δ before the noise; later states follow from that one and from what is the same in both. So
///   the write has `ρ = 1/(2σ²)` of zero-concentrated differential privacy, that is
///   `ε = ρ + 2√(ρ ln(1/δ))` at δ: with σ = 1 and δ = 10⁻⁶ ε = 5.8. A write that is replaced by another
///   moves the state by up to 2Δ: `ρ = 2/σ²`.
/// - Of `m_j` writes that are left out together in chunk `j`, `ρ = Σ_j m_j²/(2σ²)`, and of as many that are
///   replaced four times that.
/// - A token of a text is more than a write: later writes of the same memory, through convolutions and
///   attention, and all writes of the layers above, which read within the chunk without noise, are other
///   ones without it. They count as replaced, `ρ = Σ 2 m_j²/σ²` over all memories and chunks behind it,
///   which for a long text bounds nothing.
///
/// Nothing else is claimed:
///
/// - The noise is a function of the seed, and a seed that can be guessed protects nothing: the default, 0,
///   and any small one are tried in a moment. It has to be drawn at random and kept secret. It stands in a
///   run's folder, its exports, comparisons and event files, and whoever has it can
///   subtract the noise. The
///   generator is not made for cryptography, and draws in floating point.
/// - One seed is for one text: two texts that are read under the same seed have the same noise, and
///   their difference has none. The same goes for rows of a batch. There is no way yet to read a text
///   under a seed that the weights were not trained with.
/// - In training the noise is the same at every step, so that weights learn to expect it.
/// - The outer weights, and what they have learned from training data, are not protected.
/// - Outputs are not: within a chunk tokens read writes without noise (`algorithm.read = "stale"`
///   reads the chunk's start alone), and every output has its own token in it.
/// - No file of a state is protected as a whole, for each holds the next token's logits, which are an output,
///   and what convolutions look back on; within a chunk the factors of the chunk's tokens. In `mag`, `mal`
///   and `mac` it holds keys and values of attention, in `tnt` the sum of keys that local queries are
///   projected with. What is claimed is about the weights of memories at a chunk's end alone
///   (`layers.N.maps.*`).
///
/// As in
///
/// ```toml
/// retention = { kind = "private", gate = "fixed", noise = 1.0, noise_seed = 5834190276512345678 }
/// algorithm = { kind = "gd", form = "chunk_start", chunk = 64, step_max = 0.1, grad_cap = 0.3 }
/// ```
///
/// where a sequence has to be longer than a chunk, for noise is added at the ends of full ones.
///
/// What is needed for Δ, and refused otherwise: a chunk-start form without Picard iterations, `gd`, a
/// bounded step size, `algorithm.grad_cap`, and no rule by which a token changes the steps of others
/// (the load cap, which is off here, and the surprise gate with an average).
///
/// With `noise = 0` it is `l2` under the cap. With more, a memory keeps what many tokens of a chunk
/// agree on: the noise on a map of `d_in × d_out` has the norm `σ Δ √(d_in d_out)`, and that of
/// earlier chunks decays with the state. Smaller `algorithm.step_max` and `grad_cap` make it small
/// beside the initial weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Private {
    /// Where `a` comes from, which is not the input.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a learned one; in (0, 1].
    pub decay: f64,
    /// Whether `A` decays towards the initial weights rather than 0.
    pub anchored: bool,
    /// σ.
    pub noise: f64,
    /// What the noise is drawn from.
    pub noise_seed: u64,
}

impl Default for Private {
    fn default() -> Self {
        Self {
            gate: Gate::Fixed,
            decay: DECAY,
            anchored: false,
            noise: 1.0,
            noise_seed: 0,
        }
    }
}

impl RetentionGate for Private {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay)]
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn noise(&self) -> Option<Noise> {
        Some(Noise {
            multiplier: self.noise,
            seed: self.noise_seed,
        })
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
