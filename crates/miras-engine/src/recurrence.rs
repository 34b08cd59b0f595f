//! The truth: one token after the other, every weight written out.
//!
//! ```text
//! g_t = ∇ℓ(Λ(A_anchor); k_t, v_t)         anchor: this token's memory (exact form), or the chunk's start
//! A_t, S_t = algorithm.step(A_{t−1}, S_{t−1}, a_t, θ_t g_t)
//! y_t = M(Λ(A_t); q_t)                    or Λ(A_chunk start) with the stale read
//! ```
//!
//! Slow, and kept readable on purpose: every other form is tested against it.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, MapState, Order, STEP, Weights, rows};

use crate::{Form, Initial, Read, Rule, State, Tokens};

/// Runs a whole sequence from `state` (which has no open chunk).
///
/// # Shapes
/// Result: `y [1, g, t, d]` and the state after the last token.
pub fn forward(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
) -> (Tensor<4>, Vec<MapState>) {
    let settings = &rule.settings;
    let mut maps = state.maps.clone();
    let mut chunk = Chunk::new(&maps);
    let mut outputs = Vec::new();

    for t in 0..tokens.len() {
        let token = tokens.range(t, t + 1);
        let gates = &token.gates;
        let decay = rule.retention.log_decay(gates, &gates.get(STEP)).exp();
        if settings.form == Form::Exact {
            chunk = Chunk::new(&maps);
        }

        let anchor: Vec<MapState> = match rule.retention.order() {
            Order::After => chunk.anchor.clone(),
            Order::Before => (chunk.anchor.iter())
                .map(|map| MapState {
                    weights: map.weights.clone() * decay.clone(),
                    slots: map.slots.clone(),
                })
                .collect(),
        };
        let factors = rule.memory.factors(
            &Weights {
                maps: &weights(rule, initial, &anchor),
                gains: &initial.gains,
            },
            token.k,
            &mut |y| rule.bias.gradient(y, token.v.clone(), gates),
        );

        let step = chunk.step_size(rule, &factors, &decay, gates);
        for (l, Factor { x, d }) in factors.into_iter().enumerate() {
            let write = x.transpose().matmul(d) * step.clone();
            if rule.algorithm.acts_at_chunk_end() {
                chunk.postpone(l, &decay, write);
            } else {
                maps[l] = (rule.algorithm).step(maps[l].clone(), decay.clone(), write, gates);
            }
        }

        let read = match settings.read {
            Read::Exact => &maps,
            Read::Stale => &chunk.anchor,
        };
        let weights = Weights {
            maps: &weights(rule, initial, read),
            gains: &initial.gains,
        };
        outputs.push(rule.memory.forward(&weights, token.q));

        if settings.form == Form::ChunkStart && (t + 1) % settings.chunk == 0 {
            maps = chunk.close(rule, maps);
            chunk = Chunk::new(&maps);
        }
    }
    (Tensor::cat(outputs, 2), maps)
}

/// `W = Λ(A)` for every map.
fn weights(rule: &Rule, initial: &Initial, maps: &[MapState]) -> Vec<Tensor<4>> {
    (maps.iter().zip(&initial.maps))
        .map(|(map, initial)| rule.retention.link(map.weights.clone(), initial))
        .collect()
}

/// What the tokens of a chunk share.
struct Chunk {
    anchor: Vec<MapState>,
    /// Decay since the chunk began, and the decayed sum of its writes per map:
    /// for algorithms that act at chunk ends.
    carry: Tensor<4>,
    pending: Vec<Tensor<4>>,
    /// Earlier tokens of the chunk, each with what is left of its load `θ/(1−η)`.
    loads: Vec<(Tensor<4>, Tensor<4>)>,
}

impl Chunk {
    fn new(maps: &[MapState]) -> Self {
        let first = maps[0].weights.clone().slice(s![.., .., 0..1, 0..1]);
        Self {
            anchor: maps.to_vec(),
            carry: first.ones_like(),
            pending: maps.iter().map(|map| map.weights.zeros_like()).collect(),
            loads: Vec::new(),
        }
    }

    /// `θ_t` after the caps.
    fn step_size(
        &mut self,
        rule: &Rule,
        factors: &[Factor],
        decay: &Tensor<4>,
        gates: &Gates,
    ) -> Tensor<4> {
        let settings = &rule.settings;
        let mut step = gates.get(STEP);

        if let Some(cap) = settings.load_cap {
            for (_, share) in &mut self.loads {
                *share = share.clone() * decay.clone();
            }
            let feature = factors.last().expect("a memory has a map").x.clone();
            let share = step.clone() / rule.algorithm.damping(gates);
            self.loads.push((feature.clone(), share));

            let mut load = step.zeros_like();
            for (earlier, share) in &self.loads {
                let along = (earlier.clone() * feature.clone()).sum_dim(3).sum_dim(2);
                load = load + along.abs() * share.clone();
            }
            let excess = load.div_scalar(cap).clamp_min(1.0);
            step = step / (excess.clone() * excess);
        }

        if let Some(cap) = settings.grad_cap {
            let mut square = step.zeros_like();
            for Factor { x, d } in factors {
                let gradient = x.clone().transpose().matmul(d.clone());
                square = square + gradient.powi_scalar(2).sum_dim(3).sum_dim(2);
            }
            let norm = square.add_scalar(rows::TINY).sqrt();
            step = step * norm.recip().mul_scalar(cap).clamp_max(1.0);
        }
        step
    }

    fn postpone(&mut self, l: usize, decay: &Tensor<4>, write: Tensor<4>) {
        if l == 0 {
            self.carry = self.carry.clone() * decay.clone();
        }
        self.pending[l] = self.pending[l].clone() * decay.clone() + write;
    }

    /// The state a full chunk leaves behind.
    fn close(&self, rule: &Rule, mut maps: Vec<MapState>) -> Vec<MapState> {
        if rule.algorithm.acts_at_chunk_end() {
            for (map, write) in maps.iter_mut().zip(&self.pending) {
                *map = (rule.algorithm).chunk_step(map.clone(), self.carry.clone(), write.clone());
            }
        }
        if let Some(cap) = rule.settings.state_cap {
            for map in &mut maps {
                let square = map.weights.clone().powi_scalar(2).sum_dim(3).sum_dim(2);
                let norm = square.add_scalar(rows::TINY).sqrt();
                map.weights = map.weights.clone() * norm.recip().mul_scalar(cap).clamp_max(1.0);
            }
        }
        maps
    }
}
