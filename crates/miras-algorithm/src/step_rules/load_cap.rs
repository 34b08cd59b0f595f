//! The load cap.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Bound, ChunkTokens, Program, RuleCost, StepRule, StepRulePart, TokenWrite, rows};

pub(super) const PART: StepRulePart = StepRulePart {
    key: "load_cap",
    meaning: "kappa of the load cap, which shrinks steps that pile up in a chunk; 0 turns it off; chunk_start only (default 0.5; 0 for a memory that writes under no features, as `vector`)",
    // Under it a token changes the steps of others, which noise is not made for.
    default: |memory, _, retention| {
        if memory.has_features() && retention.noise().is_none() {
            0.5
        } else {
            0.0
        }
    },
    settings: &[],
    build: |cap, _| Arc::new(LoadCap(cap)),
};

/// Bounds the steps that pile up on the same features within a chunk, κ.
///
/// # Formula
/// `load_t = Σ_{i≤t} (∏_{i<s≤t} a_s) |⟨x_i, x_t⟩ θ_i| / damping_i` over the features `x` that enter
/// the output maps, and `θ_t ← θ_t · max(1, load_t/κ)^−2`.
///
/// # Reference
/// This project (`docs/architecture.md`, Measured defaults). Gradients of a chunk that are all
/// taken at its start add up; on the same feature, more than one of them overshoots. A map that nothing
/// enters ([`MemoryArchitecture::has_features`](miras_core::MemoryArchitecture::has_features)) has
/// the same feature for all tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadCap(pub f64);

impl LoadCap {
    fn capped(self, step: Tensor<4>, load: Tensor<4>) -> Tensor<4> {
        let excess = load.div_scalar(self.0).clamp_min(1.0);
        step / (excess.clone() * excess)
    }
}

impl StepRule for LoadCap {
    fn of_token(
        &self,
        step: Tensor<4>,
        written: &[TokenWrite],
        program: &Program,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        // All features of a token side by side: those of every output map, every row.
        let feature = |token: &TokenWrite| {
            let maps = program.output_maps().into_iter();
            let features = maps.map(|l| {
                let x = token.factors[l].x.clone();
                let [n, g, rows, d] = x.dims();
                x.reshape([n, g, 1, rows * d])
            });
            Tensor::cat(features.collect(), 3)
        };
        let own = feature(written.last().expect("the token itself"));
        let load = written.iter().fold(step.zeros_like(), |load, token| {
            let along = (feature(token) * own.clone()).sum_dim(3).abs();
            let share = token.step.clone() / token.damping.clone() * token.left.clone();
            load + along * share
        });
        self.capped(step, load)
    }

    fn of_chunk(
        &self,
        step: Tensor<4>,
        chunk: &ChunkTokens<'_>,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        let maps = chunk.program.output_maps();
        let features = maps.iter().map(|l| &chunk.factors[*l].x);
        let overlap = rows::overlap(features, step.dims()[2]);
        let share = chunk.step.clone() / chunk.damping.clone();
        let load = (overlap * chunk.decay.clone()).matmul(share);
        self.capped(step, load)
    }

    fn bound(&self) -> Option<Bound> {
        Some(Bound::Load(self.0))
    }

    fn computes(&self) -> RuleCost {
        RuleCost::Overlaps
    }

    fn config(&self) -> (&'static str, f64) {
        (PART.key, self.0)
    }
}
