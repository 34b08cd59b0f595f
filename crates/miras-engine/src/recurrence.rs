//! The truth: one token after the other, every weight written out.
//!
//! ```text
//! g_t = ∇ℓ(Λ(A_anchor); k_t, v_t)         anchor: this token's memory (exact form), or the chunk's start
//! A_t, S_t = algorithm.step(A_{t−1}, S_{t−1}, a_t, θ_t g_t)
//! y_t = M(Λ(A_t); q_t)                    with Λ frozen at the chunk's start, or A too, as the read rule says
//! ```
//!
//! With `r` Picard iterations there are `r + 1` copies of the memory. They start every chunk alike; copy 0
//! takes its gradients at the anchor, copy `s` at the state that copy `s − 1` has before the
//! token. The last copy is the memory that is read and goes on.
//!
//! In a window of `w` tokens the step of a token is that of the mean `(1/w) Σ θ_i g_i` over the last `w`
//! of them, each `g_i` taken at the anchor of the token that steps.
//!
//! Where a retention gate has noise, the state at the end of each full chunk gets it, before the rules of
//! the state.
//!
//! Slow, and kept readable on purpose: every other form is tested against it.

use burn::tensor::{Tensor, s};
use miras_core::{
    AlgorithmKind, ChunkWrite, Factor, Gates, LeastSquares, MapState, Order, Program, STEP, Side,
    TokenWrite, Weights, rows,
};

use crate::{Initial, Past, Read, Rule, State, Tokens, noise::noisy};

/// Runs a whole sequence from `state` (which has no open chunk).
///
/// # Shapes
/// Result: `y [1, g, t, d_v]` and the state after the last token, from which a sequence can go on if
/// the last chunk is full.
pub fn forward(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
) -> (Tensor<4>, State) {
    let (settings, program) = (&rule.settings, &*initial.program);
    let last = settings.picard();
    let mut past = state.past.clone();
    let start = (state.maps.clone(), state.carried.clone());
    let mut chunk = Chunk::new(rule, initial, start, past.as_ref());
    let mut outputs = Vec::new();

    for t in 0..tokens.len() {
        let token = tokens.range(t, t + 1);
        let gates = &token.gates;
        let decay = Decay::of(rule, gates);
        if settings.is_exact() {
            let before = chunk.copies.swap_remove(last);
            let start = (before.maps.clone(), before.handed_on(rule));
            chunk = Chunk::new(rule, initial, start, past.as_ref());
            past = past.map(|past| past.then(&token));
        }

        // From the last copy to the first: each still finds the one before it as it was.
        for s in (0..=last).rev() {
            let point = match s {
                0 => &chunk.anchor,
                _ => &chunk.copies[s - 1].maps,
            };
            let point = match rule.retention.order() {
                Order::After => point.clone(),
                Order::Before => decayed(point, &decay.state),
            };
            let factors = match rule.least_squares() {
                None => gradient(rule, initial, &rule.weights(&point, initial), &token),
                Some(_) => gradient(rule, initial, &initial.maps, &token),
            };
            chunk.copies[s].write(rule, program, factors, &decay, gates);
        }

        let maps = &chunk.copies[last].maps;
        let weights = match settings.read() {
            Read::Exact => weights(rule, initial, maps),
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

        if !settings.is_exact() && (t + 1) % settings.chunk == 0 {
            let written = tokens.range(t + 1 - settings.chunk, t + 1);
            let full = chunk.copies.swap_remove(last);
            let carried = full.handed_on(rule);
            let end = state.position + t + 1;
            let start = (full.close(rule, initial, &written, end), carried);
            past = past.map(|past| past.then(&written));
            chunk = Chunk::new(rule, initial, start, past.as_ref());
        }
    }
    let end = chunk.copies.swap_remove(last);
    let state = State {
        carried: end.handed_on(rule),
        maps: end.maps,
        past,
        open: None,
        position: state.position + tokens.len(),
    };
    (Tensor::cat(outputs, 2), state)
}

/// The weights that a token reads behind its own write.
pub fn weights(rule: &Rule, initial: &Initial, maps: &[MapState]) -> Vec<Tensor<4>> {
    match rule.least_squares() {
        None => rule.weights(maps, initial),
        Some(by) => vec![solved(by, initial, &maps[0])],
    }
}

/// The gradient of one token at these weights.
fn gradient(rule: &Rule, initial: &Initial, maps: &[Tensor<4>], token: &Tokens) -> Vec<Factor> {
    let weights = Weights {
        maps,
        gains: &initial.gains,
    };
    let Tokens { k, v, gates, .. } = token;
    rule.factors(&initial.program, &weights, k.clone(), v, gates)
}

/// `W_0 + (H + λ)⁻¹ A`, the inverse written out.
fn solved(by: LeastSquares, initial: &Initial, map: &MapState) -> Tensor<4> {
    let moments = map.slots[0].clone();
    let [_, _, d, _] = moments.dims();
    let identity = Tensor::<2>::eye(d, &moments.device()).cast(moments.dtype());
    let identity = identity.reshape([1, 1, d, d]);
    let mut left = moments + identity.clone().mul_scalar(by.ridge);
    let mut inverse = identity.expand(left.dims());
    // Gauss and Jordan; a matrix that is positive definite needs no pivots.
    for at in 0..d {
        let row = |x: &Tensor<4>| x.clone().slice(s![.., .., at..=at, ..]);
        let pivot = row(&left).slice(s![.., .., .., at..=at]);
        let (own, of_inverse) = (row(&left) / pivot.clone(), row(&inverse) / pivot);
        let unit = identity_column(&left, at);
        let column = left.clone().slice(s![.., .., .., at..=at]) - unit;
        left = left - column.clone().matmul(own);
        inverse = inverse - column.matmul(of_inverse);
    }
    initial.maps[0].clone() + inverse.matmul(map.weights.clone())
}

/// Column `at` of the identity.
fn identity_column(like: &Tensor<4>, at: usize) -> Tensor<4> {
    let [_, _, d, _] = like.dims();
    let eye = Tensor::<2>::eye(d, &like.device()).cast(like.dtype());
    eye.reshape([1, 1, d, d]).slice(s![.., .., .., at..=at])
}

fn decayed(maps: &[MapState], decay: &Tensor<4>) -> Vec<MapState> {
    (maps.iter())
        .map(|map| MapState {
            weights: map.weights.clone() * decay.clone(),
            slots: map.slots.clone(),
        })
        .collect()
}

/// The decay of one token.
struct Decay {
    /// As a factor of a state: `[1, g, 1, 1]`, or per channel `[1, g, d_in, 1]` or
    /// `[1, g, 1, d_out]`.
    state: Tensor<4>,
    /// The largest of the channels', `[1, g, 1, 1]`.
    largest: Tensor<4>,
}

impl Decay {
    fn of(rule: &Rule, gates: &Gates) -> Self {
        let decay = rule.log_decay(gates);
        Self {
            largest: decay.largest().exp(),
            state: Side::on_state(decay.channels, decay.log.exp()),
        }
    }
}

/// What the tokens of a chunk share.
struct Chunk {
    anchor: Vec<MapState>,
    copies: Vec<Copy>,
}

impl Chunk {
    fn new(
        rule: &Rule,
        initial: &Initial,
        (maps, carried): (Vec<MapState>, Vec<Tensor<4>>),
        past: Option<&Past>,
    ) -> Self {
        let mut copies = vec![Copy::new(&maps, carried); rule.settings.picard() + 1];
        for token in past.into_iter().flat_map(Past::each) {
            let decay = Decay::of(rule, &token.gates);
            let factors = gradient(rule, initial, &rule.weights(&maps, initial), &token);
            for copy in &mut copies {
                copy.take(
                    rule,
                    &initial.program,
                    factors.clone(),
                    &decay,
                    &token.gates,
                );
            }
        }
        Self {
            copies,
            anchor: maps,
        }
    }
}

/// The memory as one Picard iteration has it.
#[derive(Clone)]
struct Copy {
    maps: Vec<MapState>,
    /// Decay since the chunk began, and the decayed sum of its writes per map:
    /// for algorithms that act at chunk ends.
    carry: Tensor<4>,
    pending: Vec<Tensor<4>>,
    /// The tokens whose gradients are there: those before the chunk that are in its windows, and
    /// those of the chunk that are written.
    written: Vec<TokenWrite>,
    /// Their steps after the rules, as factors of a gradient.
    steps: Vec<Tensor<4>>,
    /// What the rules carry: before the first of these tokens, and after each.
    carried: Vec<Vec<Tensor<4>>>,
}

impl Copy {
    fn new(maps: &[MapState], carried: Vec<Tensor<4>>) -> Self {
        let first = maps[0].weights.clone().slice(s![.., .., 0..1, 0..1]);
        Self {
            maps: maps.to_vec(),
            carry: first.ones_like(),
            pending: maps.iter().map(|map| map.weights.zeros_like()).collect(),
            written: Vec::new(),
            steps: Vec::new(),
            carried: vec![carried],
        }
    }

    /// What stands before the first token that is in a window of the next chunk.
    fn handed_on(&self, rule: &Rule) -> Vec<Tensor<4>> {
        self.carried[self.written.len() - Past::tokens(rule)].clone()
    }

    /// One token's gradient, and its step.
    fn take(
        &mut self,
        rule: &Rule,
        program: &Program,
        factors: Vec<Factor>,
        decay: &Decay,
        gates: &Gates,
    ) {
        for token in &mut self.written {
            token.left = token.left.clone() * decay.largest.clone();
        }
        self.written.push(TokenWrite {
            factors,
            step: rows::largest_step(gates.get(STEP)),
            damping: rule.damping(gates),
            left: decay.largest.ones_like(),
        });
        let mut step = gates.get(STEP);
        let mut before = self.carried[self.carried.len() - 1].iter();
        let mut after = Vec::new();
        for rule in rule.settings.rules() {
            let own = rule.carry().map(|carry| {
                let before = before.next().expect("one of each rule that carries");
                carry.after_token(before.clone(), &self.written)
            });
            step = rule.of_token(step, &self.written, program, own.as_ref());
            after.extend(own);
        }
        self.carried.push(after);
        self.steps.push(Side::on_state(rule.step_channels(), step));
    }

    /// One token's write, or its share in the chunk's.
    fn write(
        &mut self,
        rule: &Rule,
        program: &Program,
        factors: Vec<Factor>,
        decay: &Decay,
        gates: &Gates,
    ) {
        self.take(rule, program, factors, decay, gates);
        self.carry = self.carry.clone() * decay.state.clone();
        let window = rule.algorithm.window();
        let first = self.written.len() - window;
        for l in 0..self.maps.len() {
            let write = (self.written[first..].iter().zip(&self.steps[first..]))
                .map(|(token, step)| {
                    let Factor { x, d } = &token.factors[l];
                    x.clone().transpose().matmul(d.clone()) * step.clone()
                })
                .reduce(|a, b| a + b)
                .expect("the token's own")
                .mul_scalar(1.0 / window as f64);
            match rule.algorithm.kind() {
                AlgorithmKind::Linear(algorithm) => {
                    let map = self.maps[l].clone();
                    self.maps[l] = algorithm.step(map, decay.state.clone(), write, gates);
                }
                AlgorithmKind::LeastSquares(_) => {
                    let x = self.written[first].factors[l].x.clone();
                    let moments = x.clone().transpose().matmul(x) * gates.get(STEP);
                    let map = &mut self.maps[l];
                    map.weights = map.weights.clone() * decay.state.clone() - write;
                    map.slots[0] = map.slots[0].clone() * decay.state.clone() + moments;
                }
                AlgorithmKind::ChunkEnd(_) => {
                    self.pending[l] = self.pending[l].clone() * decay.state.clone() + write;
                }
            }
        }
    }

    /// The state a full chunk of these tokens leaves behind, which ends at `position`.
    fn close(
        self,
        rule: &Rule,
        initial: &Initial,
        tokens: &Tokens,
        position: usize,
    ) -> Vec<MapState> {
        let mut maps = match rule.algorithm.kind() {
            AlgorithmKind::Linear(_) | AlgorithmKind::LeastSquares(_) => self.maps,
            AlgorithmKind::ChunkEnd(algorithm) => {
                let (mut maps, mut pending) = (self.maps, self.pending);
                let start = &self.carried[0];
                let mut carry = self.carry;
                for step in 0..algorithm.steps() {
                    if step > 0 {
                        pending = Self::written_at(rule, initial, &maps, start, tokens).pending;
                        carry = carry.ones_like();
                    }
                    maps = (maps.into_iter().zip(pending.clone()))
                        .map(|(map, write)| {
                            let chunk = ChunkWrite {
                                step,
                                carry: carry.clone(),
                                write,
                                gates: &tokens.gates,
                            };
                            algorithm.step(map, &chunk)
                        })
                        .collect();
                }
                rule.settled(maps, initial)
            }
        };
        maps = noisy(rule, &initial.places, maps, position);
        for map in &mut maps {
            map.weights = (rule.settings.rules().iter())
                .fold(map.weights.clone(), |state, rule| rule.of_state(state));
        }
        maps
    }

    /// A chunk of which all gradients are taken at `maps`, with what the rules carry before it.
    fn written_at(
        rule: &Rule,
        initial: &Initial,
        maps: &[MapState],
        carried: &[Tensor<4>],
        tokens: &Tokens,
    ) -> Self {
        let mut copy = Self::new(maps, carried.to_vec());
        for t in 0..tokens.len() {
            let token = tokens.range(t, t + 1);
            let gates = &token.gates;
            let decay = Decay::of(rule, gates);
            let factors = gradient(rule, initial, &rule.weights(maps, initial), &token);
            copy.write(rule, &initial.program, factors, &decay, gates);
        }
        copy
    }
}
