//! Gradients at the chunk's start, and Picard iterations from there towards the exact ones.

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, Coefficients, Factor, Gates, MapState, Maps, Program, Rows, Weights,
};

use crate::{
    Initial, Rule,
    maps::TokenMaps,
    span::{ChunkGradients, SpanTokens},
    split::{split_chunks, split_gates},
    steps::Steps,
};

/// One chunk in the chunk-start form.
pub(crate) struct ChunkStart {
    k: Tensor<4>,
    v: Tensor<4>,
    /// Those of the new tokens.
    gates: Gates,
    steps: Steps,
    /// What the tokens of the open chunk contributed, iteration by iteration.
    earlier: Option<Vec<Vec<Factor>>>,
    /// The state before each new token; only where there are Picard iterations.
    before: Option<Rows>,
    /// Only where the algorithm takes several steps at a chunk's end.
    pub(crate) whole: Option<WholeChunk>,
}

/// All tokens of a chunk.
pub(crate) struct WholeChunk {
    pub(crate) k: Tensor<4>,
    pub(crate) v: Tensor<4>,
    pub(crate) gates: Gates,
    pub(crate) steps: Steps,
}

impl ChunkStart {
    /// The chunks of a span; `before` are the rows of the states before each token.
    pub(crate) fn of_span(
        rule: &Rule,
        tokens: SpanTokens,
        coefficients: &Coefficients,
        before: Option<Rows>,
    ) -> Vec<Self> {
        let [n, _, new, _] = tokens.k.dims();
        let ones = vec![1; n];
        let mut gates = split_gates(&tokens.new_gates, 0, &ones).into_iter();
        let mut steps = Steps::of(rule, &tokens.gates, &coefficients.decay).split(n);
        let mut before = before.map(|rows| {
            let first_new = rows.carry.dims()[2] - new;
            rows.from_token(first_new).split(split_chunks).into_iter()
        });
        let mut all_gates =
            takes_several_steps(rule).then(|| split_gates(&tokens.gates, 0, &ones).into_iter());
        let (mut earlier, mut open) = match tokens.open {
            Some(open) => (Some(open.iterations), open.tokens),
            None => (None, None),
        };
        (split_chunks(tokens.k)
            .into_iter()
            .zip(split_chunks(tokens.v)))
        .map(|(k, v)| {
            let steps = steps.next().expect("one per chunk");
            let whole = all_gates.as_mut().map(|gates| {
                let (k, v) = after_open(open.take(), &k, &v);
                WholeChunk {
                    k,
                    v,
                    gates: gates.next().expect("one per chunk"),
                    steps: steps.clone(),
                }
            });
            Self {
                k,
                v,
                gates: gates.next().expect("one per chunk"),
                steps,
                earlier: earlier.take(),
                before: (before.as_mut()).map(|all| all.next().expect("one per chunk")),
                whole,
            }
        })
        .collect()
    }

    /// The gradients at the anchor, and those of each further iteration at the memories that the
    /// one before it makes.
    pub(crate) fn at(
        &self,
        rule: &Rule,
        initial: &Initial,
        maps: &[MapState],
        carried: &[Tensor<4>],
    ) -> Vec<ChunkGradients> {
        let program = &*initial.program;
        let factors =
            |maps: &dyn Maps| rule.factors(program, maps, self.k.clone(), &self.v, &self.gates);
        let anchor = &rule.weights(maps, initial);
        let at_anchor = factors(&Weights {
            maps: anchor,
            gains: &initial.gains,
        });
        let mut iterations = vec![self.gradients(rule, program, 0, at_anchor, carried)];
        if let Some(before) = &self.before {
            for s in 1..=rule.settings.picard() {
                let writes = iterations[s - 1].writes();
                let memories = TokenMaps::exact(rule, initial, maps, &writes, before);
                let refined = factors(&memories);
                iterations.push(self.gradients(rule, program, s, refined, carried));
            }
        }
        iterations
    }

    /// The new tokens' factors behind those of the open chunk, and all their step sizes.
    fn gradients(
        &self,
        rule: &Rule,
        program: &Program,
        s: usize,
        new: Vec<Factor>,
        carried: &[Tensor<4>],
    ) -> ChunkGradients {
        let factors = match &self.earlier {
            None => new,
            Some(earlier) => (earlier[s].iter().zip(new))
                .map(|(first, second)| Factor {
                    x: Tensor::cat(vec![first.x.clone(), second.x], 2),
                    d: Tensor::cat(vec![first.d.clone(), second.d], 2),
                })
                .collect(),
        };
        self.steps.ruled(rule, program, factors, carried)
    }
}

impl WholeChunk {
    /// The gradients of all tokens at `maps`; `carried` is what stands before the chunk.
    pub(crate) fn at(
        &self,
        rule: &Rule,
        initial: &Initial,
        maps: &[MapState],
        carried: &[Tensor<4>],
    ) -> ChunkGradients {
        let weights = Weights {
            maps: &rule.weights(maps, initial),
            gains: &initial.gains,
        };
        let program = &initial.program;
        let factors = rule.factors(program, &weights, self.k.clone(), &self.v, &self.gates);
        self.steps.ruled(rule, program, factors, carried)
    }
}

/// Whether an open chunk keeps its keys and values: its end takes gradients anew, or they are in
/// windows of the next chunk.
pub(crate) fn keeps_tokens(rule: &Rule) -> bool {
    takes_several_steps(rule) || rule.algorithm.window() > 1
}

/// Whether a chunk's end takes gradients anew.
pub(crate) fn takes_several_steps(rule: &Rule) -> bool {
    match rule.algorithm.kind() {
        AlgorithmKind::Linear(_) | AlgorithmKind::LeastSquares(_) => false,
        AlgorithmKind::ChunkEnd(algorithm) => algorithm.steps() > 1,
    }
}

/// Keys and values of the open chunk, with new ones behind them.
pub(crate) fn after_open(
    open: Option<(Tensor<4>, Tensor<4>)>,
    k: &Tensor<4>,
    v: &Tensor<4>,
) -> (Tensor<4>, Tensor<4>) {
    match open {
        None => (k.clone(), v.clone()),
        Some((first_k, first_v)) => (
            Tensor::cat(vec![first_k, k.clone()], 2),
            Tensor::cat(vec![first_v, v.clone()], 2),
        ),
    }
}
