//! All memories at once, each by one thread.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Gradients, Inputs, Output, OutputGradients, Scan, Tape, adjoint::Adjoint, chunk::Chunk,
    state::State,
};

impl Scan {
    /// Runs the tokens through the memories. The tape is for the backward pass, and empty unless
    /// `keep` asks for it.
    ///
    /// Memories are computed in parallel, each by one thread, so that results do not depend on how
    /// many threads there are.
    ///
    /// # Panics
    /// If a size does not fit.
    pub fn forward(&self, inputs: &Inputs<'_>, keep: bool) -> (Output, Tape) {
        let memories = self.check(inputs);
        let mut output = Output::of(inputs, self.program.d_v());
        let all = output.memories(memories).into_par_iter().enumerate();
        let kept = all.map_init(
            || Chunk::new(self),
            |chunk, (g, output)| {
                Arch::new().dispatch(Forward {
                    inputs: &inputs.memory(g, memories),
                    keep,
                    chunk,
                    output,
                })
            },
        );
        let tape = Tape {
            memories: kept.collect(),
        };
        (output, tape)
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
        let mut gradients = Gradients::of(inputs);
        let all = gradients.memories(memories).into_par_iter().enumerate();
        all.for_each_init(
            || (Chunk::new(self), Adjoint::new(self)),
            |(chunk, adjoint), (g, out)| {
                Arch::new().dispatch(Backward {
                    inputs: &inputs.memory(g, memories),
                    kept: &tape.memories[g],
                    of: &of.memory(g, memories),
                    chunk,
                    adjoint,
                    out,
                });
            },
        );
        gradients
    }
}

struct Forward<'a, 'b> {
    inputs: &'a Inputs<'a>,
    keep: bool,
    chunk: &'a mut Chunk<'b>,
    output: Output<&'a mut [f32]>,
}

impl WithSimd for Forward<'_, '_> {
    type Output = Vec<State>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.chunk.scan(simd, self.inputs, self.keep, self.output)
    }
}

struct Backward<'a, 'b> {
    inputs: &'a Inputs<'a>,
    kept: &'a [State],
    of: &'a OutputGradients<'a>,
    chunk: &'a mut Chunk<'b>,
    adjoint: &'a mut Adjoint,
    out: Gradients<&'a mut [f32]>,
}

impl WithSimd for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            inputs,
            kept,
            of,
            chunk,
            adjoint,
            out,
        } = self;
        adjoint.scan(simd, inputs, kept, of, chunk, out);
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
