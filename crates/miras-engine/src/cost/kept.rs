//! What the inner loop's forward pass keeps for its backward pass.
//!
//! An operation keeps the factors of a product and the inputs of a function; sums, shifts and
//! changes of shape keep nothing, and a tensor that two operations want is kept once. What a
//! memory keeps follows from its program, what a bias, a link or an activation keeps from its
//! formula.

use std::collections::BTreeSet;

use miras_core::{Activation, MapSpec, Node, Order, Program, RuleCost, Side, Symbol};

use super::{chunk::Chunk, state::slots};
use crate::{
    Form, Read, Rule, fused,
    maps::is_written,
    recomputed::{is_recomputed, run},
    substituted::BLOCK,
};

/// Of each weight of a token that is written out: the products of its rows, and the weight itself.
const WRITTEN: usize = 2;

/// Numbers kept by one memory over a sequence of `tokens` tokens; `program` is that of the rule's
/// memory at its widths, and `kernels` says whether [kernels](fused::is_fused) run where they are
/// there. Keys, values and queries before their chunks are left to the layer.
pub fn kept(rule: &Rule, program: &Program, tokens: usize, kernels: bool) -> usize {
    let graph = |tokens| kept_by_graph(rule, program, tokens);
    match Walk::of(rule, program, tokens, kernels) {
        Walk::Kernels => {
            let whole = fused::whole(rule, tokens);
            kept_by_operation(rule, program, whole, fused::KEEP_EVERY) + graph(tokens - whole)
        }
        Walk::Runs => {
            let rest = tokens % rule.settings.chunk;
            kept_by_operation(rule, program, tokens - rest, run(kernels)) + graph(rest)
        }
        Walk::Graph => graph(tokens),
    }
}

/// Numbers that a backward pass computes again, and keeps until the next run of chunks.
pub fn again(rule: &Rule, program: &Program, tokens: usize, kernels: bool) -> usize {
    match Walk::of(rule, program, tokens, kernels) {
        Walk::Runs => kept_by_graph(
            rule,
            program,
            tokens.min(run(kernels) * rule.settings.chunk),
        ),
        Walk::Kernels | Walk::Graph => 0,
    }
}

/// How whole chunks of a sequence are computed.
enum Walk {
    Kernels,
    Runs,
    Graph,
}

impl Walk {
    fn of(rule: &Rule, program: &Program, tokens: usize, kernels: bool) -> Self {
        if kernels && fused::is_fused(rule, program, tokens) {
            Self::Kernels
        } else if is_recomputed(rule, tokens) {
            Self::Runs
        } else {
            Self::Graph
        }
    }
}

/// What the graph of all chunks keeps.
fn kept_by_graph(rule: &Rule, program: &Program, tokens: usize) -> usize {
    (Chunk::of_sequence(rule, program, tokens).iter())
        .map(|(chunk, times)| chunk.kept() * times)
        .sum()
}

/// What a layer norm keeps of each number: the centred and the normalised one; with its gradient
/// two steps of that.
fn kept_by_norm(with_gradient: bool) -> usize {
    if with_gradient { 4 } else { 2 }
}

/// What an operation over whole chunks keeps: queries, keys, values and gates, all that the memory
/// starts with, and the states that its backward pass starts from, one for `every` so many chunks.
fn kept_by_operation(rule: &Rule, program: &Program, tokens: usize, every: usize) -> usize {
    let (d_k, d_v) = (program.d_k(), program.d_v());
    let weights: usize = program.maps().iter().map(MapSpec::weights).sum();
    let gains: usize = program.gains().iter().map(|gain| gain.d).sum();
    let gates: usize = (rule.gates().iter()).map(|gate| gate.width(d_k, d_v)).sum();
    let token = (1 + rule.keys()) * d_k + d_v + gates;
    let state = weights + slots(rule, program);
    let states = tokens.div_ceil(rule.settings.chunk * every);
    tokens * token + weights + gains + states * state
}

impl Chunk<'_> {
    fn kept(&self) -> usize {
        let squares = self.c * self.c;
        // Each decay matrix, and a slot's way into the state.
        let coefficients = (1 + 2 * self.slots) * squares + self.kept_by_windows();
        let source = match (&self.rule.settings.form, self.rule.bias.slope()) {
            _ if self.rule.least_squares().is_some() => self.kept_by_least_squares(),
            (Form::ChunkStart { .. }, _) => self.kept_by_chunk_start(),
            (Form::Exact { .. }, Some(slope)) => self.kept_by_solves(slope),
            (Form::Exact { .. }, None) => self.kept_by_substitution(),
        };
        let steps = 1 + self.further_steps();
        coefficients + (source + self.kept_at_the_end()) * steps + self.kept_by_read()
    }

    /// The decays of all tokens, and their weights.
    fn kept_by_windows(&self) -> usize {
        match self.written() {
            all if all > self.c => all * all + self.c * all,
            _ => 0,
        }
    }

    /// Numbers in the inputs of all maps, all rows of all keys.
    fn inputs(&self) -> usize {
        (self.maps().iter())
            .map(|map| self.keys() * map.rows * map.d_in)
            .sum()
    }

    /// Numbers in the outputs of all maps, all rows of all keys.
    fn outputs(&self) -> usize {
        (self.maps().iter())
            .map(|map| self.keys() * map.rows * map.d_out)
            .sum()
    }

    /// The maps that gradients flow back through.
    fn inner_maps(&self) -> impl Iterator<Item = &MapSpec> {
        let maps = self.maps().iter().enumerate();
        maps.filter(|(l, _)| self.program.flows_back(*l))
            .map(|(_, map)| map)
    }

    /// What the memory itself keeps on its way forward and, with its `gradient`, on its way back
    /// too, but for its input. Each value and each gradient at a value is kept once.
    fn kept_by_memory(&self, gradient: bool) -> usize {
        let program = self.program;
        let rows = if gradient { self.keys() } else { self.c };
        let mut values = BTreeSet::new();
        let mut gradients = BTreeSet::new();
        let mut others = 0;
        for (value, node) in program.nodes() {
            let numbers = rows * program.shape(value).numbers();
            let flows = gradient && node.operands().iter().any(|x| program.is_learned(*x));
            match node {
                Node::Linear { .. } | Node::Product { .. } => values.extend(node.operands()),
                Node::Activation { kind, x } => {
                    // The slope is the factor of a gradient.
                    let formula = kind.formula(flows);
                    others += numbers * (formula.kept_between() + usize::from(flows));
                    if formula.keeps(Symbol::Argument) {
                        values.insert(*x);
                    }
                    if formula.keeps_value(0) {
                        values.insert(value);
                    }
                }
                Node::LayerNorm { .. } => others += numbers * kept_by_norm(flows),
                Node::Sum { .. } | Node::Ones { .. } | Node::Unfold { .. } | Node::Fold { .. } => {
                    continue;
                }
                // As a chain of maps with GELU in between.
                Node::ByHand => {
                    let slope = usize::from(gradient);
                    let activation = Activation::Gelu.formula(gradient).kept_between() + slope;
                    let inner: usize = (self.inner_maps())
                        .map(|map| rows * map.rows * map.d_in)
                        .sum();
                    // Argument, value and, on the way back, the gradient at the value.
                    let each = 2 + slope + activation;
                    let gains: usize = program.gains().iter().map(|gain| gain.d).sum();
                    let norm = kept_by_norm(gradient) + usize::from(gradient);
                    others += each * inner + norm * rows * gains;
                }
            }
            if gradient && (flows || matches!(node, Node::Linear { .. })) {
                gradients.insert(value);
            }
        }
        values.remove(&program.input());
        let numbers = |value| rows * program.shape(value).numbers();
        let all = values.into_iter().chain(gradients);
        others + all.map(numbers).sum::<usize>()
    }

    /// What rows keep on their way through the weights of their tokens, beside those rows: per
    /// map that is written out its weights, per pass through another one its products with state
    /// and slots, and with the writes before and after their coefficients.
    fn kept_by_each_token(&self, backward: bool) -> usize {
        let pass = |map: &MapSpec, width: usize| {
            let rows = if backward { self.keys() } else { self.c } * map.rows;
            let products = 2 * rows * self.keys() * map.rows;
            let pairs = rows / self.c * self.rule.keys();
            (1 + self.slots) * rows * width + products + self.kept_by_channels(pairs)
        };
        let dual = |map: &&MapSpec| !is_written(map);
        let written = self.maps().iter().filter(|map| is_written(map));
        let weights: usize = written.map(|map| WRITTEN * self.c * map.weights()).sum();
        let forward = self.maps().iter().filter(dual);
        let forward: usize = forward.map(|map| pass(map, map.d_out)).sum();
        let back = self.inner_maps().filter(dual);
        let back: usize = back.map(|map| pass(map, map.d_in)).sum();
        weights + forward + if backward { back } else { 0 }
    }

    /// What halving the chunk keeps where channels have decays of their own: of each half, at each
    /// size, its rows before and after their decays and those decays, and the products between.
    /// `pairs` says how many rows of a token meet how many of a write.
    fn kept_by_channels(&self, pairs: usize) -> usize {
        let width = match self.rule.decay_channels() {
            None => return 0,
            Some(Side::Key) => self.program.d_k(),
            Some(Side::Value) => self.program.d_v(),
        };
        let size = self.c.next_power_of_two();
        pairs * (3 * size * width * size.ilog2() as usize + 2 * size * size)
    }

    /// What the link keeps of each number of a state, with the weights that it gives: those are
    /// new unless they are the state itself.
    fn link(&self) -> usize {
        let is_sum = usize::from(self.rule.retention.is_anchored());
        if self.rule.has_identity_link() {
            return is_sum;
        }
        let formula = self.rule.retention.link().formula();
        let argument = usize::from(formula.keeps(Symbol::Argument)) * is_sum;
        argument + formula.kept_between() + 1
    }

    fn bias(&self) -> usize {
        let gradients = self.rule.bias.gradients();
        let recalled = usize::from(gradients.keeps(Symbol::Recalled));
        (gradients.kept_between() + recalled) * self.written() * self.program.d_v()
    }

    /// The weights of every token behind a nonlinear link.
    fn kept_by_written_weights(&self) -> usize {
        let link = self.rule.retention.link().formula();
        let steps = usize::from(link.keeps(Symbol::Argument)) + link.kept_between();
        (WRITTEN + steps) * self.c * self.weights()
    }

    fn kept_by_chunk_start(&self) -> usize {
        let picard = self.rule.settings.picard();
        let squares = self.written() * self.written();
        let overlaps = self.rules_that_compute(RuleCost::Overlaps) * squares;
        // The memory's own, and gradients with their step sizes.
        let iteration = self.kept_by_memory(true) + self.outputs() + self.bias() + 3 * overlaps;
        let further = if self.rule.has_identity_link() {
            self.kept_by_each_token(true)
        } else {
            self.kept_by_written_weights()
        };
        let keys = self.keys() * self.program.d_k();
        let before = usize::from(picard > 0) * 2 * squares;
        keys + overlaps
            + self.link() * self.weights()
            + iteration * (1 + picard)
            + before
            + further * picard
    }

    fn kept_by_solves(&self, slope: f64) -> usize {
        let squares = self.keys() * self.keys();
        let (key, value) = (
            self.keys() * self.program.d_k(),
            self.keys() * self.program.d_v(),
        );
        // Keys of the chunk, gradients without and with their step sizes.
        let factors = key + 2 * value;
        if slope == 0.0 {
            return factors;
        }
        // Coupling coefficients, products of keys, both, their inverse without and with a graph.
        let decayed = usize::from(self.rule.retention.order() == Order::Before);
        // Right sides and what solves them, keys and values.
        factors
            + (5 + decayed) * squares
            + (2 * (1 + self.slots) + 1) * key
            + 2 * value
            + self.kept_by_channels(self.rule.keys().pow(2))
    }

    /// Errors and features, with their weights and without; on the way of queries what they become,
    /// their products with all features, and with the state.
    fn kept_by_least_squares(&self) -> usize {
        let (d_k, d_v) = (self.program.d_k(), self.program.d_v());
        let squares = self.c * self.c;
        let of_tokens = self.c * (2 * d_v + 3 * d_k);
        let of_queries = 2 * squares + 3 * self.c * d_k;
        of_tokens + of_queries + 2 * d_k * d_k
    }

    fn kept_by_substitution(&self) -> usize {
        let squares = self.c * self.c;
        let (key, value) = (self.c * self.program.d_k(), self.c * self.program.d_v());
        let earlier = BLOCK.min(self.c) / 2 + self.c / (2 * BLOCK);
        3 * squares + key + (4 + self.slots + earlier) * value + self.bias()
    }

    /// States before their decay, and writes times their coefficients.
    fn kept_at_the_end(&self) -> usize {
        let cap = 2 * self.rules_that_compute(RuleCost::StateNorms);
        (1 + self.slots) * (self.weights() + self.outputs()) + cap * self.weights()
    }

    /// All chunks' starts and writes side by side, and the memory's forward pass on the queries.
    fn kept_by_read(&self) -> usize {
        let queries = self.c * self.program.d_k();
        let states = (1 + self.slots) * self.weights();
        let writes = self.inputs() + self.outputs();
        let link = self.link() * self.weights();
        let supply = match self.rule.settings.read() {
            Read::Stale => link,
            Read::Frozen => writes + self.kept_by_each_token(false) + self.outputs() + link,
            Read::Exact if self.rule.has_identity_link() => writes + self.kept_by_each_token(false),
            Read::Exact => writes + self.kept_by_written_weights(),
        };
        queries + self.kept_by_memory(false) + states + supply
    }
}
