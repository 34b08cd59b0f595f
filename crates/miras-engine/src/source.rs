//! Where the gradients of a chunk come from: the one thing in which forms differ.

use burn::tensor::Tensor;
use miras_core::{Coefficients, LogDecay, MapState};

use crate::{
    Form, Initial, Rule,
    chunk_start::{ChunkStart, WholeChunk},
    least_squares::AtInitial,
    solved::Solved,
    span::{ChunkGradients, SpanTokens, before},
    substituted::Substituted,
};

/// The gradients of one chunk, but for the state they are taken in.
#[allow(
    clippy::large_enum_variant,
    reason = "one a chunk; the variants hold handles"
)]
pub(crate) enum GradientSource {
    /// At the anchor, by the memory's own backward pass, then refined.
    ChunkStart(ChunkStart),
    /// At each token's own weights: affine in the state, after a triangular solve.
    Solved(Solved),
    /// At each token's own weights, token after token.
    Substituted(Substituted),
    /// At the initial weights.
    Initial(AtInitial),
}

impl GradientSource {
    /// Those of all chunks of a span. What needs no state is computed here, for all at once.
    pub(crate) fn of_span(
        rule: &Rule,
        initial: &Initial,
        tokens: SpanTokens,
        decay: &LogDecay,
        coefficients: &Coefficients,
    ) -> Vec<Self> {
        let before = || before(rule, decay, &coefficients.rows);
        if rule.least_squares().is_some() {
            let chunks = AtInitial::of_span(initial, tokens);
            return chunks.into_iter().map(Self::Initial).collect();
        }
        match (&rule.settings.form, rule.bias.slope()) {
            (Form::ChunkStart { picard, .. }, _) => {
                let refined = (*picard > 0).then(before);
                let chunks = ChunkStart::of_span(rule, tokens, coefficients, refined);
                chunks.into_iter().map(Self::ChunkStart).collect()
            }
            (Form::Exact { .. }, Some(slope)) => {
                let chunks = Solved::of_span(rule, initial, tokens, slope, before);
                chunks.split().map(Self::Solved).collect()
            }
            (Form::Exact { .. }, None) => {
                let chunks = Substituted::of_span(tokens, before());
                chunks.into_iter().map(Self::Substituted).collect()
            }
        }
    }

    /// The gradients of the chunk that starts in `maps`, where the step rules carry `carried`,
    /// iteration by iteration; the last ones are written.
    pub(crate) fn at(
        &self,
        rule: &Rule,
        initial: &Initial,
        maps: &[MapState],
        carried: &[Tensor<4>],
    ) -> Vec<ChunkGradients> {
        match self {
            Self::ChunkStart(chunk) => chunk.at(rule, initial, maps, carried),
            Self::Solved(chunk) => vec![chunk.at(&maps[0])],
            Self::Substituted(chunk) => vec![chunk.at(rule, initial, &maps[0], carried)],
            Self::Initial(chunk) => vec![chunk.gradients()],
        }
    }

    /// All tokens of the chunk, where its end takes gradients anew.
    pub(crate) fn whole(&self) -> Option<&WholeChunk> {
        match self {
            Self::ChunkStart(chunk) => chunk.whole.as_ref(),
            Self::Solved(_) | Self::Substituted(_) | Self::Initial(_) => None,
        }
    }
}
