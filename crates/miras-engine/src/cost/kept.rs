//! What the inner loop's forward pass keeps for its backward pass.
//!
//! An operation keeps the factors of a product and the inputs of a function; sums, shifts and
//! changes of shape keep nothing, and a tensor that two operations want is kept once. What a part
//! computes elementwise is not known from outside, so it is taken as for the parts that exist:
//! see the constants.

use miras_core::{LinkKind, MapSpec, Order};

use super::chunk::Chunk;
use crate::{Form, Read, Rule, substituted::BLOCK};

/// Of each input of an inner map: what an activation with its slope keeps, as GELU.
const SLOPE: usize = 7;
/// The same without the slope.
const ACTIVATION: usize = 3;
/// Of each feature of a gain: what a normalisation with its gradient keeps, as layer norm.
const NORM_GRADIENT: usize = 5;
/// The same without the gradient.
const NORM: usize = 2;
/// Of each weight of a token that is written out: the products of its rows, two steps of the link
/// and the weight itself.
const WRITTEN: usize = 4;
/// Of each output: what a gradient that is not affine keeps, as Huber's.
const BIAS: usize = 3;

/// Numbers kept by one memory of width `d` over a sequence of `tokens` tokens; keys, values and
/// queries before their chunks are left to the layer.
pub fn kept(rule: &Rule, d: usize, tokens: usize) -> usize {
    (Chunk::of_sequence(rule, d, tokens).iter())
        .map(|(chunk, times)| chunk.kept() * times)
        .sum()
}

impl Chunk<'_> {
    fn kept(&self) -> usize {
        let squares = self.c * self.c;
        // Each decay matrix, and a slot's way into the state.
        let coefficients = (1 + 2 * self.slots) * squares;
        let source = match (self.rule.settings.form, self.rule.bias.slope()) {
            (Form::ChunkStart, _) => self.kept_by_chunk_start(),
            (Form::Exact, Some(slope)) => self.kept_by_solves(slope),
            (Form::Exact, None) => self.kept_by_substitution(),
        };
        coefficients + source + self.kept_at_the_end() + self.kept_by_read()
    }

    /// Numbers in the inputs of these maps, all rows.
    fn inputs(&self, maps: &[MapSpec]) -> usize {
        self.rows * maps.iter().map(|map| map.d_in).sum::<usize>()
    }

    /// Numbers in the outputs of all maps, all rows.
    fn outputs(&self) -> usize {
        self.rows * self.maps.iter().map(|map| map.d_out).sum::<usize>()
    }

    /// What the link keeps of each number of a state.
    fn link(&self) -> usize {
        match self.rule.retention.link_kind() {
            LinkKind::Identity => usize::from(self.rule.retention.is_anchored()),
            LinkKind::Scale => 2,
            LinkKind::General => 3,
        }
    }

    fn bias(&self) -> usize {
        match self.rule.bias.slope() {
            Some(_) => 0,
            None => BIAS * self.rows * self.d(),
        }
    }

    /// Per map, rows against writes before and after their coefficients.
    fn overlaps(&self, maps: usize) -> usize {
        2 * maps * self.rows * self.rows
    }

    /// The weights of every token.
    fn kept_by_written_weights(&self) -> usize {
        WRITTEN * self.c * self.weights()
    }

    fn kept_by_chunk_start(&self) -> usize {
        let settings = &self.rule.settings;
        let squares = self.c * self.c;
        let load_cap = usize::from(settings.load_cap.is_some()) * squares;
        // Inputs, slopes, gradients without and with their step sizes.
        let sweep = (1 + SLOPE) * self.inputs(self.inner_maps())
            + 2 * self.outputs()
            + NORM_GRADIENT * self.rows * self.gains
            + self.bias()
            + 3 * load_cap;
        let further = if self.rule.has_identity_link() {
            let backward = self.inputs(self.inner_maps());
            (1 + self.slots) * (self.outputs() + backward)
                + self.overlaps(self.maps.len() + self.inner_maps().len())
        } else {
            self.kept_by_written_weights()
        };
        let keys = self.rows * self.d();
        let before = usize::from(settings.sweeps > 0) * 2 * squares;
        keys + load_cap
            + self.link() * self.weights()
            + sweep * (1 + settings.sweeps)
            + before
            + further * settings.sweeps
    }

    fn kept_by_solves(&self, slope: f64) -> usize {
        let (squares, row) = (self.c * self.c, self.c * self.d());
        // Keys of the chunk, gradients without and with their step sizes.
        let factors = 3 * row;
        if slope == 0.0 {
            return factors;
        }
        // Coupling coefficients, products of keys, both, their inverse without and with a graph.
        let decayed = usize::from(self.rule.retention.order() == Order::Before);
        // Right sides and what solves them, keys and values.
        factors + (5 + decayed) * squares + (2 * (1 + self.slots) + 3) * row
    }

    fn kept_by_substitution(&self) -> usize {
        let (squares, row) = (self.c * self.c, self.c * self.d());
        let earlier = BLOCK.min(self.c) / 2 + self.c / (2 * BLOCK);
        3 * squares + (5 + self.slots + earlier) * row + self.bias()
    }

    /// States before their decay, and writes times their coefficients.
    fn kept_at_the_end(&self) -> usize {
        let cap = 2 * usize::from(self.rule.settings.state_cap.is_some());
        (1 + self.slots) * (self.weights() + self.outputs()) + cap * self.weights()
    }

    /// All chunks' starts and writes side by side, and the memory's forward pass on the queries.
    fn kept_by_read(&self) -> usize {
        let inner = self.inputs(self.inner_maps());
        let memory = self.inputs(&self.maps) + ACTIVATION * inner + NORM * self.rows * self.gains;
        let states = (1 + self.slots) * self.weights();
        let writes = self.inputs(&self.maps) + self.outputs();
        let dual = writes + (1 + self.slots) * self.outputs() + self.overlaps(self.maps.len());
        let supply = match self.rule.settings.read {
            Read::Stale => self.link() * self.weights(),
            Read::Frozen => dual + self.outputs() + self.link() * self.weights(),
            Read::Exact if self.rule.has_identity_link() => dual,
            Read::Exact => writes + self.kept_by_written_weights(),
        };
        memory + states + supply
    }
}
