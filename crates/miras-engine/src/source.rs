//! Where the gradients of a chunk come from: the one thing in which forms differ.

use burn::tensor::Tensor;
use miras_core::{Coefficients, Factor, Gates, MapState, STEP, Weights};

use crate::{Form, Initial, Rule, split::split, steps::Steps};

/// The gradients of one chunk, but for the state they are taken in.
pub(crate) enum Gradients {
    /// At the anchor, by the memory's own backward pass.
    ChunkStart(Chunk),
    /// At each token's own weights: affine in the state, after a triangular solve.
    Exact(Solved),
}

/// One chunk in the chunk-start form.
pub(crate) struct Chunk {
    k: Tensor<4>,
    v: Tensor<4>,
    gates: Gates,
    steps: Steps,
    earlier: Option<Vec<Factor>>,
}

/// One chunk in the exact form, `D = by_state A_0 + Σ by_slots S_0 − target`.
pub(crate) struct Solved {
    k: Tensor<4>,
    step: Tensor<4>,
    by_state: Option<Tensor<4>>,
    by_slots: Vec<Tensor<4>>,
    target: Tensor<4>,
}

/// Keys, values and gates of a span: `[n, g, c, ·]`; `gates` cover the open chunk's tokens too.
pub(crate) struct SpanTokens {
    pub(crate) k: Tensor<4>,
    pub(crate) v: Tensor<4>,
    pub(crate) gates: Gates,
    /// The gates of the new tokens only, where an open chunk came before them.
    pub(crate) new_gates: Gates,
    pub(crate) earlier: Option<Vec<Factor>>,
}

impl Gradients {
    /// Those of all chunks of a span. What needs no state is computed here, for all at once.
    pub(crate) fn of_span(
        rule: &Rule,
        initial: &Initial,
        tokens: SpanTokens,
        log_decay: &Tensor<4>,
        coefficients: &Coefficients,
    ) -> Vec<Self> {
        match rule.settings.form {
            Form::Exact => Self::exact(rule, initial, tokens, log_decay, coefficients),
            Form::ChunkStart => Self::chunk_start(rule, tokens, coefficients),
        }
    }

    fn chunk_start(rule: &Rule, tokens: SpanTokens, coefficients: &Coefficients) -> Vec<Self> {
        let n = tokens.k.dims()[0];
        let mut gates: Vec<Gates> = vec![Gates::new(); n];
        for (name, value) in tokens.new_gates.iter() {
            for (gates, value) in gates.iter_mut().zip(split(value.clone())) {
                *gates = std::mem::take(gates).with(name, value);
            }
        }
        let mut steps = split(tokens.gates.get(STEP)).into_iter();
        let mut damping = split(rule.algorithm.damping(&tokens.gates)).into_iter();
        let mut decay = split(coefficients.decay.clone()).into_iter();
        let mut earlier = tokens.earlier;
        (split(tokens.k).into_iter().zip(split(tokens.v)))
            .zip(gates)
            .map(|((k, v), gates)| Chunk {
                k,
                v,
                gates,
                steps: Steps {
                    step: steps.next().expect("one per chunk"),
                    damping: damping.next().expect("one per chunk"),
                    decay: decay.next().expect("one per chunk"),
                },
                earlier: earlier.take(),
            })
            .map(Gradients::ChunkStart)
            .collect()
    }

    /// `maths.md` 5.5, for the gradients `d_t` rather than the writes `u_t = θ_t d_t`:
    /// `(I + σ (writes⁻ ⊙ K Kᵀ) diag(θ)) D = σ (carry⁻ ⊙ K A_0 + Σ slots⁻ ⊙ K S_0) − V`,
    /// with `⁻` the state each gradient is taken in and σ the bias' slope.
    fn exact(
        rule: &Rule,
        initial: &Initial,
        tokens: SpanTokens,
        log_decay: &Tensor<4>,
        coefficients: &Coefficients,
    ) -> Vec<Self> {
        let SpanTokens { k, v, gates, .. } = tokens;
        let step = gates.get(STEP);
        let slope = (rule.bias.slope()).expect("the registry admits no other bias here");
        let n = k.dims()[0];

        let (by_state, by_slots, target) = if slope == 0.0 {
            (None, Vec::new(), v)
        } else {
            let order = rule.retention.order();
            let before = (coefficients.rows).exclusive(order, log_decay.clone().exp());
            let overlap = k.clone().matmul(k.clone().transpose());
            let coupling = before.writes * overlap * step.clone().transpose();
            let inverse = crate::unit_lower_inverse(coupling.mul_scalar(slope));
            let solve = |rhs: Tensor<4>| inverse.clone().matmul(rhs);

            let target = if rule.retention.is_anchored() {
                v - k.clone().matmul(initial.maps[0].clone()).mul_scalar(slope)
            } else {
                v
            };
            let keys = k.clone().mul_scalar(slope);
            (
                Some(solve(keys.clone() * before.carry)),
                (before.slots.into_iter())
                    .map(|share| solve(keys.clone() * share))
                    .collect(),
                solve(target),
            )
        };

        let mut by_state = by_state.map(|x| split(x).into_iter());
        let mut by_slots: Vec<_> = (by_slots.into_iter())
            .map(|x| split(x).into_iter())
            .collect();
        let mut steps = split(step).into_iter();
        let mut targets = split(target).into_iter();
        let mut keys = split(k).into_iter();
        (0..n)
            .map(|_| Solved {
                k: keys.next().expect("one per chunk"),
                step: steps.next().expect("one per chunk"),
                by_state: by_state.as_mut().and_then(Iterator::next),
                by_slots: by_slots.iter_mut().filter_map(Iterator::next).collect(),
                target: targets.next().expect("one per chunk"),
            })
            .map(Gradients::Exact)
            .collect()
    }

    /// Factors per map and step sizes `[1, g, c, 1]` for the chunk that starts in `maps`.
    pub(crate) fn at(
        self,
        rule: &Rule,
        initial: &Initial,
        maps: &[MapState],
    ) -> (Vec<Factor>, Tensor<4>) {
        match self {
            Gradients::ChunkStart(chunk) => chunk.at(rule, initial, maps),
            Gradients::Exact(chunk) => chunk.at(&maps[0]),
        }
    }
}

impl Chunk {
    fn at(self, rule: &Rule, initial: &Initial, maps: &[MapState]) -> (Vec<Factor>, Tensor<4>) {
        let weights: Vec<Tensor<4>> = (maps.iter().zip(&initial.maps))
            .map(|(map, initial)| rule.retention.link(map.weights.clone(), initial))
            .collect();
        let anchor = Weights {
            maps: &weights,
            gains: &initial.gains,
        };
        let mut factors = rule.memory.factors(&anchor, self.k, &mut |y| {
            rule.bias.gradient(y, self.v.clone(), &self.gates)
        });
        if let Some(earlier) = self.earlier {
            factors = (earlier.into_iter().zip(factors))
                .map(|(first, second)| Factor {
                    x: Tensor::cat(vec![first.x, second.x], 2),
                    d: Tensor::cat(vec![first.d, second.d], 2),
                })
                .collect();
        }
        let step = self
            .steps
            .capped(&rule.settings, &factors, rule.memory.rows());
        (factors, step)
    }
}

impl Solved {
    fn at(self, map: &MapState) -> (Vec<Factor>, Tensor<4>) {
        let mut d = self.target.neg();
        if let Some(by_state) = self.by_state {
            d = d + by_state.matmul(map.weights.clone());
        }
        for (by_slot, slot) in self.by_slots.into_iter().zip(&map.slots) {
            d = d + by_slot.matmul(slot.clone());
        }
        (vec![Factor { x: self.k, d }], self.step)
    }
}
