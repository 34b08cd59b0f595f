//! Exact gradients of a matrix whose bias has an affine gradient: one triangular solve a chunk.

use burn::tensor::{Tensor, s};
use miras_core::{ChunkEnd, Factor, MapState, Rows, STEP, Side, rows};

use crate::{
    Initial, Rule,
    span::{ChunkGradients, SpanTokens},
    split::split_chunks,
    steps::of_features,
    unit_lower_inverse,
};

/// Chunks, each with `D = by_state A_0 + Σ by_slots S_0 − target`.
pub(crate) struct Solved {
    k: Tensor<4>,
    step: Tensor<4>,
    channels: Option<Side>,
    by_state: Option<Tensor<4>>,
    by_slots: Vec<Tensor<4>>,
    target: Tensor<4>,
}

impl Solved {
    /// Solves for the gradients `d_t` rather than the writes `u_t = θ_t d_t`:
    /// `(I + σ (writes⁻ ⊙ K (θ ⊙ K)ᵀ)) D = σ (carry⁻ ⊙ K A_0 + Σ slots⁻ ⊙ K S_0) − V`,
    /// with `⁻` the state each gradient is taken in (`before`) and σ the bias' slope.
    pub(crate) fn of_span(
        rule: &Rule,
        initial: &Initial,
        tokens: SpanTokens,
        slope: f64,
        before: impl Fn() -> Rows,
    ) -> Self {
        let SpanTokens { k, v, gates, .. } = tokens;

        // The slope of each row: with an erase key, the value belongs to the row after it.
        let slopes = |x: Tensor<4>| match rule.keys() {
            1 => x.mul_scalar(slope),
            keys => {
                let [n, g, rows, d] = x.dims();
                let x = x.reshape([n, g, rows / keys, keys * d]);
                let erase = x.slice(s![.., .., .., ..d]).mul_scalar(slope);
                let write = Tensor::zeros(
                    [n, g, rows / keys, (keys - 1) * d],
                    (&erase.device(), erase.dtype()),
                );
                Tensor::cat(vec![erase, write], 3).reshape([n, g, rows, d])
            }
        };
        let target = match rule.keys() {
            1 => v,
            keys => {
                let [n, g, c, d] = v.dims();
                let erase = Tensor::zeros([n, g, c, (keys - 1) * d], (&v.device(), v.dtype()));
                rule.key_rows(Tensor::cat(vec![erase, v], 3))
            }
        };
        let k = rule.key_rows(k);
        let step = of_features(rule, &initial.program, gates.get(STEP), &k);

        let (by_state, by_slots, target) = if slope == 0.0 {
            (None, Vec::new(), target)
        } else {
            let before = before();
            let (written, _) = Side::on_writes(Some(Side::Key), &step, k.clone(), k.clone());
            let coupling = before.coupling(k.clone(), &written, Side::Key);
            let coupling = coupling.expect("no channels of values, or there is no exact form");
            let inverse = unit_lower_inverse(slopes(coupling));
            let solve = |rhs: Tensor<4>| inverse.clone().matmul(rhs);

            let target = if rule.retention.is_anchored() {
                target - slopes(k.clone().matmul(initial.maps[0].clone()))
            } else {
                target
            };
            let keys = slopes(k.clone());
            (
                Some(solve(before.carried(&keys, Side::Key, |keys| keys))),
                (before.slots.iter())
                    .map(|share| solve(rows::scale(keys.clone(), share)))
                    .collect(),
                solve(target),
            )
        };

        Self {
            k,
            step,
            channels: rule.step_channels(),
            by_state,
            by_slots,
            target,
        }
    }

    /// Each chunk alone.
    pub(crate) fn split(self) -> impl Iterator<Item = Self> {
        let mut by_state = self.by_state.map(|x| split_chunks(x).into_iter());
        let mut by_slots: Vec<_> = (self.by_slots.into_iter())
            .map(|x| split_chunks(x).into_iter())
            .collect();
        let mut steps = split_chunks(self.step).into_iter();
        let mut targets = split_chunks(self.target).into_iter();
        let channels = self.channels;
        (split_chunks(self.k).into_iter()).map(move |k| Self {
            k,
            step: steps.next().expect("one per chunk"),
            channels,
            by_state: (by_state.as_mut()).map(|all| all.next().expect("one per chunk")),
            by_slots: (by_slots.iter_mut())
                .map(|slot| slot.next().expect("one per chunk"))
                .collect(),
            target: targets.next().expect("one per chunk"),
        })
    }

    /// What the chunks write by the time they end, as parts of `by_state A_0 − target`.
    pub(crate) fn written(&self, end: &ChunkEnd) -> Option<[Tensor<4>; 2]> {
        let written = |d: Tensor<4>| {
            let (x, u) = Side::on_writes(self.channels, &self.step, self.k.clone(), d);
            end.sum(&x, &u)
        };
        let by_state = self.by_state.clone()?;
        Some([written(by_state), written(self.target.clone())])
    }

    /// The gradients of chunks that start in `map`.
    pub(crate) fn at(&self, map: &MapState) -> ChunkGradients {
        let mut d = self.target.clone().neg();
        if let Some(by_state) = &self.by_state {
            d = d + by_state.clone().matmul(map.weights.clone());
        }
        for (by_slot, slot) in self.by_slots.iter().zip(&map.slots) {
            d = d + by_slot.clone().matmul(slot.clone());
        }
        let x = self.k.clone();
        ChunkGradients {
            factors: vec![Factor { x, d }],
            step: self.step.clone(),
            channels: self.channels,
            carried: Vec::new(),
        }
    }
}
