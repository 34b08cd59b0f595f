//! All memories at once, each by one thread.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Gradients, Inputs, Output, OutputGradients, Scan, Tape, adjoint::Adjoint, chunk::Chunk,
    state::State,
};

impl Scan {
    /// Runs the tokens through the memories; `keep` says whether a backward pass follows.
    ///
    /// Memories are computed in parallel, each by one thread, so that results do not depend on how
    /// many threads there are.
    ///
    /// # Panics
    /// If a size does not fit.
    pub fn forward(&self, inputs: &Inputs<'_>, keep: bool) -> Output {
        let memories = self.check(inputs);
        let all = (0..memories).into_par_iter().map_init(
            || Chunk::new(self),
            |chunk, g| {
                Arch::new().dispatch(Forward {
                    inputs: &inputs.memory(g, memories),
                    keep,
                    chunk,
                })
            },
        );
        let all: Vec<(Output, Vec<State>)> = all.collect();
        let mut joined = Output::default();
        for (output, kept) in all {
            joined.y.extend(output.y);
            join(&mut joined.weights, output.weights);
            join(&mut joined.slots, output.slots);
            if keep {
                joined.tape.memories.push(kept);
            }
        }
        joined
    }

    /// The gradients of what went in, from those at what came out.
    ///
    /// # Panics
    /// If a size does not fit, or `tape` is not that of these inputs' forward pass.
    pub fn backward(
        &self,
        inputs: &Inputs<'_>,
        tape: &Tape,
        of: &OutputGradients<'_>,
    ) -> Gradients {
        let memories = self.check(inputs);
        self.check_output(of, memories, inputs.step.len());
        assert_eq!(tape.memories.len(), memories, "memories of the tape");
        let all = (0..memories).into_par_iter().map_init(
            || (Chunk::new(self), Adjoint::new(self)),
            |(chunk, adjoint), g| {
                Arch::new().dispatch(Backward {
                    inputs: &inputs.memory(g, memories),
                    kept: &tape.memories[g],
                    of: &of.memory(g, memories),
                    chunk,
                    adjoint,
                })
            },
        );
        let all: Vec<Gradients> = all.collect();
        let mut joined = Gradients::default();
        for one in all {
            joined.q.extend(one.q);
            joined.k.extend(one.k);
            joined.v.extend(one.v);
            joined.log_decay.extend(one.log_decay);
            joined.step.extend(one.step);
            joined.log_momentum.extend(one.log_momentum);
            join(&mut joined.bias_gates, one.bias_gates);
            join(&mut joined.weights, one.weights);
            join(&mut joined.slots, one.slots);
            join(&mut joined.anchors, one.anchors);
            join(&mut joined.gains, one.gains);
        }
        joined
    }
}

struct Forward<'a, 'b> {
    inputs: &'a Inputs<'a>,
    keep: bool,
    chunk: &'a mut Chunk<'b>,
}

impl WithSimd for Forward<'_, '_> {
    type Output = (Output, Vec<State>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.chunk.scan(simd, self.inputs, self.keep)
    }
}

struct Backward<'a, 'b> {
    inputs: &'a Inputs<'a>,
    kept: &'a [State],
    of: &'a OutputGradients<'a>,
    chunk: &'a mut Chunk<'b>,
    adjoint: &'a mut Adjoint,
}

impl WithSimd for Backward<'_, '_> {
    type Output = Gradients;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Gradients {
        let Self {
            inputs,
            kept,
            of,
            chunk,
            adjoint,
        } = self;
        adjoint.scan(simd, inputs, kept, of, chunk)
    }
}

/// Puts the parts of a further memory behind those before it.
fn join(all: &mut Vec<Vec<f32>>, more: Vec<Vec<f32>>) {
    all.resize(more.len(), Vec::new());
    for (all, more) in all.iter_mut().zip(more) {
        all.extend(more);
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
