//! One point of the design space, and how it is evaluated.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, AttentionalBias, Coefficients, Factor, GateSpec, Gates, LeastSquares,
    LocalRules, LogDecay, MapState, Maps, MemoryAlgorithm, MemoryArchitecture, Program,
    RetentionGate, STEP, Side, StepRule, decay_matrix, rows,
};
use serde::{Deserialize, Serialize};

use crate::Initial;

/// Four parts and the settings of the chunk form: everything that defines the recurrence.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What stores the past.
    pub memory: Arc<dyn MemoryArchitecture>,
    /// The inner loss.
    pub bias: Arc<dyn AttentionalBias>,
    /// How the past is kept.
    pub retention: Arc<dyn RetentionGate>,
    /// The inner optimiser.
    pub algorithm: Arc<dyn MemoryAlgorithm>,
    /// The form.
    pub settings: Settings,
}

impl Rule {
    /// The gates of all parts, in the order in which a layer projects them.
    pub fn gates(&self) -> Vec<GateSpec> {
        (self.bias.gates().into_iter())
            .chain(self.retention.gates())
            .chain(self.algorithm.gates())
            .collect()
    }

    /// Whether an exact chunk form exists: a matrix, an algorithm that acts on every token, and
    /// gradients that follow from products of keys, that is a linear link or a gradient
    /// that does not depend on the weights at all. Where it does, decays and steps per channel of
    /// the values would need a solve for each; steps per channel of the keys, one matrix for all. Noise
    /// is added where chunks end, which the exact form does not know.
    pub fn has_exact_form(&self) -> bool {
        let (decay, step) = (self.decay_channels(), self.step_channels());
        let by_products = match self.bias.slope() {
            Some(0.0) => true,
            Some(_) => {
                self.has_identity_link() && decay != Some(Side::Value) && step != Some(Side::Value)
            }
            None => {
                self.has_identity_link()
                    && !self.bias.has_erase_key()
                    && decay != Some(Side::Value)
                    && step != Some(Side::Key)
            }
        };
        let is_of_tokens = !self.acts_at_chunk_end() && self.algorithm.window() == 1;
        let is_of_chunks = self.retention.noise().is_some();
        self.memory.is_linear() && is_of_tokens && by_products && !is_of_chunks
    }

    /// Keys of a token that are compared and written: 2 where the bias has an erase key.
    pub fn keys(&self) -> usize {
        1 + usize::from(self.bias.has_erase_key())
    }

    /// The keys of tokens, side by side, as a row each:
    /// `[n, g, c, keys·d] → [n, g, c·keys, d]`.
    pub fn key_rows(&self, keys: Tensor<4>) -> Tensor<4> {
        let [n, g, c, d] = keys.dims();
        match self.keys() {
            1 => keys,
            each => keys.reshape([n, g, c * each, d / each]),
        }
    }

    /// The gradient of the inner loss of each token with respect to every map, as factors of
    /// `c · keys` rows times those of the map.
    ///
    /// # Shapes
    /// `k: [n, g, c, keys·d_k]`, `v: [n, g, c, d_v]`, gates: `[n, g, c, ·]`.
    pub fn factors(
        &self,
        program: &Program,
        maps: &dyn Maps,
        k: Tensor<4>,
        v: &Tensor<4>,
        gates: &Gates,
    ) -> Vec<Factor> {
        let gradient = &mut |y: Tensor<4>| {
            let at_keys = (self.bias).gradient_at(self.side_by_side(y), v.clone(), gates);
            self.key_rows(at_keys)
        };
        (self.memory).factors(program, maps, self.key_rows(k), gradient)
    }

    /// The inner loss of each token whose [keys](Self::key_rows) recall `y [n, g, c·keys, d_v]`,
    /// where there is one: `[n, g, c, 1]`.
    pub fn loss(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Option<Tensor<4>> {
        self.bias.loss_at(self.side_by_side(y), v, gates)
    }

    /// The rows of a token's keys as features.
    fn side_by_side(&self, y: Tensor<4>) -> Tensor<4> {
        let [n, g, rows, d] = y.dims();
        match self.keys() {
            1 => y,
            each => y.reshape([n, g, rows / each, d * each]),
        }
    }

    /// The channels that have decays of their own.
    pub fn decay_channels(&self) -> Option<Side> {
        self.retention.decay_channels()
    }

    /// The channels that have step sizes of their own.
    pub fn step_channels(&self) -> Option<Side> {
        let gates = self.algorithm.gates();
        let step = gates.iter().find(|gate| gate.name == STEP);
        step.and_then(|gate| gate.channels)
    }

    /// The decays of tokens.
    pub(crate) fn log_decay(&self, gates: &Gates) -> LogDecay {
        LogDecay {
            log: self.retention.log_decay(gates, &gates.get(STEP)),
            channels: self.decay_channels(),
        }
    }

    /// Whether the weights are the state (and the initial weights).
    pub fn has_identity_link(&self) -> bool {
        self.retention.link().is_identity()
    }

    /// Whether the memory moves at chunk ends only; the tokens of a chunk then read the weights that
    /// it began with.
    pub fn acts_at_chunk_end(&self) -> bool {
        matches!(self.algorithm.kind(), AlgorithmKind::ChunkEnd(_))
    }

    /// Whether each column of weights has its initial length when a chunk begins.
    pub fn keeps_lengths(&self) -> bool {
        match self.algorithm.kind() {
            AlgorithmKind::ChunkEnd(algorithm) => algorithm.keeps_lengths(),
            AlgorithmKind::Linear(_) | AlgorithmKind::LeastSquares(_) => false,
        }
    }

    /// What the memory is solved for by, if it is.
    pub fn least_squares(&self) -> Option<LeastSquares> {
        match self.algorithm.kind() {
            AlgorithmKind::LeastSquares(algorithm) => Some(algorithm),
            AlgorithmKind::Linear(_) | AlgorithmKind::ChunkEnd(_) => None,
        }
    }

    /// The coefficients of chunks of tokens with these `gates`; those of decayed sums for an algorithm
    /// that acts at chunk ends. Where it has a window, `past` are the gates of the tokens before
    /// each chunk, whose writes come first.
    pub(crate) fn coefficients(
        &self,
        decay: LogDecay,
        gates: &Gates,
        past: Option<&Gates>,
    ) -> Coefficients {
        let own = match self.algorithm.kind() {
            AlgorithmKind::Linear(algorithm) => algorithm.coefficients(decay, gates),
            AlgorithmKind::ChunkEnd(_) | AlgorithmKind::LeastSquares(_) => {
                Coefficients::decayed_sum(decay)
            }
        };
        let Some(past) = past else { return own };
        let all = self.log_decay(&past.clone().followed_by(gates.clone()));
        Coefficients {
            decay: decay_matrix(all.largest()),
            ..own.windowed(self.algorithm.window())
        }
    }

    /// What the loads of tokens are divided by, `[n, g, c, 1]`.
    pub(crate) fn damping(&self, gates: &Gates) -> Tensor<4> {
        match self.algorithm.kind() {
            AlgorithmKind::Linear(algorithm) => algorithm.damping(gates),
            AlgorithmKind::ChunkEnd(_) | AlgorithmKind::LeastSquares(_) => {
                rows::largest_channel(gates.get(STEP)).ones_like()
            }
        }
    }

    /// The states of the initial weights, which the maps' states are distances from; nothing
    /// where the retention gate is not anchored.
    pub fn anchors(&self, initial: &Initial) -> Option<Vec<Tensor<4>>> {
        let state = |w: &Tensor<4>| self.retention.initial_state(w.clone());
        (self.retention.is_anchored()).then(|| initial.maps.iter().map(state).collect())
    }

    /// The states that a chunk's steps left, with the columns of their weights brought back to their
    /// initial lengths, `w ← w |w_init|/(|w| + 10⁻⁵)`, where the algorithm keeps these.
    pub(crate) fn settled(&self, maps: Vec<MapState>, initial: &Initial) -> Vec<MapState> {
        if !self.keeps_lengths() {
            return maps;
        }
        let lengths = |weights: &Tensor<4>| {
            let squares = weights.clone().powi_scalar(2).sum_dim(2);
            squares.add_scalar(rows::TINY).sqrt()
        };
        let weights = self.linked(&maps, initial);
        let anchors = self.anchors(initial);
        (maps.into_iter().zip(weights).zip(&initial.maps))
            .enumerate()
            .map(|(at, ((map, weights), initial))| {
                let by = lengths(initial) / lengths(&weights).add_scalar(LEAST_LENGTH);
                let weights = weights * by;
                let weights = match &anchors {
                    Some(anchors) => weights - anchors[at].clone(),
                    None => weights,
                };
                MapState { weights, ..map }
            })
            .collect()
    }

    /// What the link acts on, of every map: `[A_init +] A`.
    pub fn linked(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        let states = maps.iter().map(|map| map.weights.clone());
        match self.anchors(initial) {
            Some(anchors) => (states.zip(anchors))
                .map(|(state, anchor)| state + anchor)
                .collect(),
            None => states.collect(),
        }
    }

    /// The weights of every map's state: `W = Λ([A_init +] A)`.
    pub fn weights(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        let link = self.retention.link();
        (self.linked(maps, initial).into_iter())
            .map(|state| link.weights(state))
            .collect()
    }

    /// The link's scale at every map's state, for frozen reads.
    ///
    /// # Panics
    /// If the link has none; the registry refuses such reads.
    pub fn scales(&self, maps: &[MapState], initial: &Initial) -> Vec<Tensor<4>> {
        let link = self.retention.link();
        (self.linked(maps, initial).into_iter())
            .map(|state| link.scale(state).expect("frozen reads are of a scale"))
            .collect()
    }
}

/// What is added to the length of a column before it divides.
const LEAST_LENGTH: f64 = 1e-5;

/// How chunks enter the recurrence.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Tokens a chunk. Part of the recurrence in the chunk-start form, of its cost alone in the exact one.
    pub chunk: usize,
    /// Where gradients are taken.
    pub form: Form,
}

/// Where the inner gradients are taken, with what belongs to it.
#[derive(Debug, Clone)]
pub enum Form {
    /// Each at the memory its own token meets.
    Exact {
        /// What the step size goes through: nothing, where gradients are solved for.
        rules: LocalRules,
    },
    /// All of a chunk at the weights the chunk began with (Titans §3.2), then refined.
    ChunkStart {
        /// Picard iterations over a chunk's gradients after the chunk-start ones: iteration `s`
        /// takes each gradient at the memory that the writes of iteration `s − 1` make of the
        /// tokens before it. After `r` of them the first `r + 1` tokens of a chunk are exact.
        picard: usize,
        /// Which weights a token reads.
        read: Read,
        /// What the step size, and the state at the chunk's end, go through.
        rules: Vec<Arc<dyn StepRule>>,
    },
}

impl Form {
    /// The exact form without rules.
    pub fn exact() -> Self {
        Self::Exact {
            rules: LocalRules::default(),
        }
    }

    /// The chunk-start form without rules or Picard iterations.
    pub fn chunk_start(read: Read) -> Self {
        Self::ChunkStart {
            picard: 0,
            read,
            rules: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether each gradient is taken at the memory that its own token meets.
    pub fn is_exact(&self) -> bool {
        matches!(self.form, Form::Exact { .. })
    }

    /// Picard iterations after the chunk-start gradients.
    pub fn picard(&self) -> usize {
        match self.form {
            Form::Exact { .. } => 0,
            Form::ChunkStart { picard, .. } => picard,
        }
    }

    /// Which weights a token reads.
    pub fn read(&self) -> Read {
        match self.form {
            Form::Exact { .. } => Read::Exact,
            Form::ChunkStart { read, .. } => read,
        }
    }

    /// What the step size goes through, in this order.
    pub fn rules(&self) -> &[Arc<dyn StepRule>] {
        match &self.form {
            Form::Exact { rules } => rules.as_slice(),
            Form::ChunkStart { rules, .. } => rules,
        }
    }

    /// The rule of this key of `[algorithm]`, if it acts.
    pub fn rule(&self, key: &str) -> Option<&dyn StepRule> {
        let found = self.rules().iter().find(|rule| rule.config().0 == key);
        found.map(|rule| &**rule)
    }
}

/// Which weights a token reads within its chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Those after its own write (Titans Eq. 15). Behind a nonlinear link every token's weights
    /// are written out: `d_in · d_out` numbers a token, map and head.
    #[default]
    Exact,
    /// The state after its own write through the link's scale at the chunk's start, for links
    /// that are a number times the state.
    Frozen,
    /// Those the chunk began with ("apply, then update": `LaCT`, TNT's global memory).
    Stale,
}
