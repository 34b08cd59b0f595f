//! Gradients at the chunk's start, and Picard sweeps from there towards the exact ones.

use burn::tensor::Tensor;
use miras_core::{Coefficients, Factor, Gates, MapState, Program, Rows, STEP, Weights};

use crate::{
    Initial, Rule,
    maps::TokenMaps,
    source::{SpanTokens, Sweep},
    split::{split_chunks, split_gates, split_rows},
    steps::Steps,
};

/// One chunk in the chunk-start form.
pub(crate) struct ChunkStart {
    k: Tensor<4>,
    v: Tensor<4>,
    /// Those of the new tokens.
    gates: Gates,
    steps: Steps,
    /// What the tokens of the open chunk contributed, sweep by sweep.
    earlier: Option<Vec<Vec<Factor>>>,
    /// The state before each new token; only where there are sweeps.
    before: Option<Rows>,
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
        let first_new = coefficients.rows.carry.dims()[2] - new;
        let mut gates = split_gates(&tokens.new_gates, 0, &vec![1; n]).into_iter();
        let mut steps = split_chunks(tokens.gates.get(STEP)).into_iter();
        let mut damping = split_chunks(rule.algorithm.damping(&tokens.gates)).into_iter();
        let mut decay = split_chunks(coefficients.decay.clone()).into_iter();
        let mut before = before.map(|rows| split_rows(rows.from_token(first_new)).into_iter());
        let mut earlier = tokens.earlier;
        (split_chunks(tokens.k)
            .into_iter()
            .zip(split_chunks(tokens.v)))
        .map(|(k, v)| Self {
            k,
            v,
            gates: gates.next().expect("one per chunk"),
            steps: Steps {
                step: steps.next().expect("one per chunk"),
                damping: damping.next().expect("one per chunk"),
                decay: decay.next().expect("one per chunk"),
            },
            earlier: earlier.take(),
            before: (before.as_mut()).map(|all| all.next().expect("one per chunk")),
        })
        .collect()
    }

    /// Sweep 0 at the anchor, and each further one at the memories the one before it makes.
    pub(crate) fn at(self, rule: &Rule, initial: &Initial, maps: &[MapState]) -> Vec<Sweep> {
        let anchor = rule.weights(maps, initial);
        let anchor = Weights {
            maps: &anchor,
            gains: &initial.gains,
        };
        let gradient = &mut |y| rule.bias.gradient(y, self.v.clone(), &self.gates);
        let program = &*initial.program;
        let factors = (rule.memory).factors(program, &anchor, self.k.clone(), gradient);
        let mut sweeps = vec![self.sweep(rule, program, 0, factors)];
        if let Some(before) = &self.before {
            for s in 1..=rule.settings.sweeps {
                let writes = sweeps[s - 1].writes();
                let memories = TokenMaps::exact(rule, initial, maps, &writes, before);
                let factors = (rule.memory).factors(program, &memories, self.k.clone(), gradient);
                sweeps.push(self.sweep(rule, program, s, factors));
            }
        }
        sweeps
    }

    /// The new tokens' factors behind those of the open chunk, and all their step sizes.
    fn sweep(&self, rule: &Rule, program: &Program, s: usize, new: Vec<Factor>) -> Sweep {
        let factors = match &self.earlier {
            None => new,
            Some(earlier) => (earlier[s].iter().zip(new))
                .map(|(first, second)| Factor {
                    x: Tensor::cat(vec![first.x.clone(), second.x], 2),
                    d: Tensor::cat(vec![first.d.clone(), second.d], 2),
                })
                .collect(),
        };
        let step = (self.steps).capped(&rule.settings, program, &factors);
        Sweep { factors, step }
    }
}
