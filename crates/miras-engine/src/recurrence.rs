//! The truth: one token after the other, every weight written out.
//!
//! ```text
//! g_t = ∇ℓ(Λ(A_anchor); k_t, v_t)         anchor: this token's memory (exact form), or the chunk's start
//! A_t, S_t = algorithm.step(A_{t−1}, S_{t−1}, a_t, θ_t g_t)
//! y_t = M(Λ(A_t); q_t)                    with Λ frozen at the chunk's start, or A too, as the read rule says
//! ```
//!
//! With `r` sweeps there are `r + 1` copies of the memory. They start every chunk alike; copy 0
//! takes its gradients at the anchor, copy `s` at the state that copy `s − 1` has before the
//! token. The last copy is the memory that is read and goes on.
//!
//! Slow, and kept readable on purpose: every other form is tested against it.

use burn::tensor::{Tensor, s};
use miras_core::{Factor, Gates, MapState, Order, Program, STEP, Weights, rows};

use crate::{Form, Initial, Read, Rule, State, Tokens};

/// Runs a whole sequence from `state` (which has no open chunk).
///
/// # Shapes
/// Result: `y [1, g, t, d_v]` and the state after the last token.
pub fn forward(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
) -> (Tensor<4>, Vec<MapState>) {
    let (settings, program) = (&rule.settings, &*initial.program);
    let last = settings.sweeps;
    let mut chunk = Chunk::new(rule, state.maps.clone());
    let mut outputs = Vec::new();

    for t in 0..tokens.len() {
        let token = tokens.range(t, t + 1);
        let gates = &token.gates;
        let decay = rule.retention.log_decay(gates, &gates.get(STEP)).exp();
        if settings.form == Form::Exact {
            chunk = Chunk::new(rule, chunk.copies.swap_remove(last).maps);
        }

        // From the last copy to the first: each still finds the one before it as it was.
        for s in (0..=last).rev() {
            let point = match s {
                0 => &chunk.anchor,
                _ => &chunk.copies[s - 1].maps,
            };
            let point = match rule.retention.order() {
                Order::After => point.clone(),
                Order::Before => decayed(point, &decay),
            };
            let weights = Weights {
                maps: &rule.weights(&point, initial),
                gains: &initial.gains,
            };
            let gradient = &mut |y| rule.bias.gradient(y, token.v.clone(), gates);
            let factors = (rule.memory).factors(program, &weights, token.k.clone(), gradient);
            chunk.copies[s].write(rule, program, &factors, &decay, gates);
        }

        let maps = &chunk.copies[last].maps;
        let weights = match settings.read {
            Read::Exact => rule.weights(maps, initial),
            Read::Stale => rule.weights(&chunk.anchor, initial),
            Read::Frozen => (rule.linked(maps, initial).into_iter())
                .zip(rule.scales(&chunk.anchor, initial))
                .map(|(state, scale)| state * scale)
                .collect(),
        };
        let weights = Weights {
            maps: &weights,
            gains: &initial.gains,
        };
        outputs.push(rule.memory.forward(program, &weights, token.q));

        if settings.form == Form::ChunkStart && (t + 1) % settings.chunk == 0 {
            chunk = Chunk::new(rule, chunk.copies.swap_remove(last).close(rule));
        }
    }
    let maps = chunk.copies.swap_remove(last).maps;
    (Tensor::cat(outputs, 2), maps)
}

fn decayed(maps: &[MapState], decay: &Tensor<4>) -> Vec<MapState> {
    (maps.iter())
        .map(|map| MapState {
            weights: map.weights.clone() * decay.clone(),
            slots: map.slots.clone(),
        })
        .collect()
}

/// What the tokens of a chunk share.
struct Chunk {
    anchor: Vec<MapState>,
    copies: Vec<Copy>,
}

impl Chunk {
    fn new(rule: &Rule, maps: Vec<MapState>) -> Self {
        Self {
            copies: (0..=rule.settings.sweeps)
                .map(|_| Copy::new(&maps))
                .collect(),
            anchor: maps,
        }
    }
}

/// The memory as one sweep has it.
struct Copy {
    maps: Vec<MapState>,
    /// Decay since the chunk began, and the decayed sum of its writes per map:
    /// for algorithms that act at chunk ends.
    carry: Tensor<4>,
    pending: Vec<Tensor<4>>,
    /// Earlier tokens of the chunk, each with what is left of its load `θ/(1−η)`.
    loads: Vec<(Tensor<4>, Tensor<4>)>,
}

impl Copy {
    fn new(maps: &[MapState]) -> Self {
        let first = maps[0].weights.clone().slice(s![.., .., 0..1, 0..1]);
        Self {
            maps: maps.to_vec(),
            carry: first.ones_like(),
            pending: maps.iter().map(|map| map.weights.zeros_like()).collect(),
            loads: Vec::new(),
        }
    }

    /// One token's write, or its share in the chunk's.
    fn write(
        &mut self,
        rule: &Rule,
        program: &Program,
        factors: &[Factor],
        decay: &Tensor<4>,
        gates: &Gates,
    ) {
        let step = self.step_size(rule, program, factors, decay, gates);
        if rule.algorithm.acts_at_chunk_end() {
            self.carry = self.carry.clone() * decay.clone();
        }
        for (l, Factor { x, d }) in factors.iter().enumerate() {
            let write = x.clone().transpose().matmul(d.clone()) * step.clone();
            if rule.algorithm.acts_at_chunk_end() {
                self.pending[l] = self.pending[l].clone() * decay.clone() + write;
            } else {
                let map = self.maps[l].clone();
                self.maps[l] = (rule.algorithm).step(map, decay.clone(), write, gates);
            }
        }
    }

    /// `θ_t` after the caps.
    fn step_size(
        &mut self,
        rule: &Rule,
        program: &Program,
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
            // All features of this token side by side: those of every output map, every row.
            let maps = program.output_maps().into_iter();
            let features = maps.map(|l| {
                let [n, g, rows, d] = factors[l].x.dims();
                factors[l].x.clone().reshape([n, g, 1, rows * d])
            });
            let feature = Tensor::cat(features.collect(), 3);
            let share = step.clone() / rule.algorithm.damping(gates);
            self.loads.push((feature.clone(), share));

            let mut load = step.zeros_like();
            for (earlier, share) in &self.loads {
                let along = (earlier.clone() * feature.clone()).sum_dim(3);
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

    /// The state a full chunk leaves behind.
    fn close(self, rule: &Rule) -> Vec<MapState> {
        let Self {
            mut maps,
            carry,
            pending,
            ..
        } = self;
        if rule.algorithm.acts_at_chunk_end() {
            for (map, write) in maps.iter_mut().zip(pending) {
                *map = (rule.algorithm).chunk_step(map.clone(), carry.clone(), write);
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
