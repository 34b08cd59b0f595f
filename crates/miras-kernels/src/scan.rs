//! The operation: its description, what goes in and what comes out.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{Bias, Program, backward::Adjoint, chunk::Chunk, state::State};

/// The inner loop of `g` memories over whole chunks.
///
/// # Formula
/// With the gradients `x_tᵀ d_t` of tokens, taken where the [form](Self::form) says:
///
/// ```text
/// S_t = η_t S_{t−1} − θ_t x_tᵀ d_t        A_t = a_t A_{t−1} + S_t        y_t = M([W_init +] A_t; q_t)
/// ```
///
/// What `miras_engine::dual::forward` computes for the exact read, no Picard iteration, gates per
/// head and the identity link.
///
/// # Shapes
/// Those of [`Inputs`]; `t` is a multiple of [`chunk`](Self::chunk). Tokens of an open chunk are
/// not taken.
///
/// # Reference
/// Titans (arXiv 2501.00663), §3.2; for the exact form `docs/architecture.md`, The state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The memory.
    pub program: Program,
    /// The gradient of the inner loss.
    pub bias: Bias,
    /// Tokens a chunk.
    pub chunk: usize,
    /// A state is kept for the backward pass every so many chunks; those between are computed
    /// again.
    pub keep_every: usize,
    /// Whether the state is the distance from the initial weights.
    pub anchored: bool,
    /// Whether there is a slot, `S`, and its gate.
    pub momentum: bool,
    /// Where gradients are taken.
    pub form: Form,
}

/// Where the gradients of tokens are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// All of a chunk at the weights it began with, `[W_init +] A_0`.
    ChunkStart {
        /// κ of the load cap.
        load_cap: Option<f32>,
    },
    /// Each at the memory that its own token meets; for a matrix under an affine bias.
    Exact {
        /// Whether that memory has decayed for the token.
        order: Order,
    },
}

/// Whether the decay of a token comes before or after its gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// At `[W_init +] A_{t−1}`.
    After,
    /// At `[W_init +] a_t A_{t−1}`, as in Gated `DeltaNet`.
    Before,
}

/// What goes in: `g` memories, `t` tokens each, row-major.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// `[g, t, d_k]`.
    pub q: &'a [f32],
    /// `[g, t, d_k]`.
    pub k: &'a [f32],
    /// `[g, t, d_v]`.
    pub v: &'a [f32],
    /// `log a`, `[g, t]`.
    pub log_decay: &'a [f32],
    /// θ, `[g, t]`.
    pub step: &'a [f32],
    /// `log η`, `[g, t]`; empty without momentum.
    pub log_momentum: &'a [f32],
    /// Of each gate of the bias, `[g, t]`.
    pub bias_gates: Vec<&'a [f32]>,
    /// `A_0` of each map, `[g, d_in, d_out]`.
    pub weights: Vec<&'a [f32]>,
    /// `S_0` of each map, `[g, d_in, d_out]`; none without momentum.
    pub slots: Vec<&'a [f32]>,
    /// `W_init` of each map, `[g, d_in, d_out]`; none if not anchored.
    pub anchors: Vec<&'a [f32]>,
    /// Of each norm, `[g, d]`.
    pub gains: Vec<&'a [f32]>,
}

/// What comes out.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// `[g, t, d_v]`.
    pub y: Vec<f32>,
    /// `A_t` after the last token, of each map `[g, d_in, d_out]`.
    pub weights: Vec<Vec<f32>>,
    /// `S_t` after the last token, in the same shapes.
    pub slots: Vec<Vec<f32>>,
    /// What the backward pass needs; empty if it was not asked for.
    pub tape: Tape,
}

/// The states that a forward pass kept.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// Of each memory, in the order of its chunks.
    memories: Vec<Vec<State>>,
}

/// Gradients, each in the shape of what it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// Of [`Inputs::q`].
    pub q: Vec<f32>,
    /// Of [`Inputs::k`].
    pub k: Vec<f32>,
    /// Of [`Inputs::v`].
    pub v: Vec<f32>,
    /// Of [`Inputs::log_decay`].
    pub log_decay: Vec<f32>,
    /// Of [`Inputs::step`].
    pub step: Vec<f32>,
    /// Of [`Inputs::log_momentum`].
    pub log_momentum: Vec<f32>,
    /// Of [`Inputs::bias_gates`].
    pub bias_gates: Vec<Vec<f32>>,
    /// Of [`Inputs::weights`].
    pub weights: Vec<Vec<f32>>,
    /// Of [`Inputs::slots`].
    pub slots: Vec<Vec<f32>>,
    /// Of [`Inputs::anchors`].
    pub anchors: Vec<Vec<f32>>,
    /// Of [`Inputs::gains`].
    pub gains: Vec<Vec<f32>>,
}

/// Gradients at what came out.
#[derive(Debug, Clone, Default)]
pub struct OutputGradients<'a> {
    /// At [`Output::y`].
    pub y: &'a [f32],
    /// At [`Output::weights`]; none for 0.
    pub weights: Vec<&'a [f32]>,
    /// At [`Output::slots`]; none for 0.
    pub slots: Vec<&'a [f32]>,
}

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
                    scan: self,
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
        assert_eq!(tape.memories.len(), memories, "memories of the tape");
        let all = (0..memories).into_par_iter().map_init(
            || (Chunk::new(self), Adjoint::new(self)),
            |(chunk, adjoint), g| {
                Arch::new().dispatch(Backward {
                    scan: self,
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

    /// κ of the load cap, if there is one.
    pub(crate) fn load_cap(&self) -> Option<f32> {
        match self.form {
            Form::ChunkStart { load_cap } => load_cap,
            Form::Exact { .. } => None,
        }
    }

    /// The order and the slope of the bias, in the exact form.
    pub(crate) fn exact(&self) -> Option<(Order, f32)> {
        match (self.form, &self.bias) {
            (Form::ChunkStart { .. }, _) => None,
            (Form::Exact { order }, Bias::Affine { slope }) => Some((order, *slope)),
            (Form::Exact { .. }, Bias::Formula(_)) => {
                panic!("exact gradients are solved for under an affine bias alone")
            }
        }
    }

    /// How many memories there are.
    fn check(&self, inputs: &Inputs<'_>) -> usize {
        let program = &self.program;
        let first = program.maps[0];
        assert!(
            self.exact().is_none() || program.is_linear(),
            "exact gradients are solved for in a matrix alone"
        );
        let memories = inputs.weights[0].len() / (first.d_in * first.d_out);
        let tokens = inputs.step.len();
        assert!(memories > 0, "there is no memory");
        assert!(
            tokens.is_multiple_of(memories * self.chunk),
            "{tokens} tokens of {memories} memories are no whole chunks of {}",
            self.chunk
        );
        let optional = |is_there: bool, n: usize| if is_there { n } else { 0 };
        for (name, len, expected) in [
            ("queries", inputs.q.len(), tokens * program.d_k()),
            ("keys", inputs.k.len(), tokens * program.d_k()),
            ("values", inputs.v.len(), tokens * program.d_v()),
            ("decays", inputs.log_decay.len(), tokens),
            ("momenta", inputs.log_momentum.len(), optional(self.momentum, tokens)),
        ] {
            assert_eq!(len, expected, "{name}");
        }
        for (name, is_there, maps) in [
            ("weights", true, &inputs.weights),
            ("slots", self.momentum, &inputs.slots),
            ("anchors", self.anchored, &inputs.anchors),
        ] {
            assert_eq!(maps.len(), optional(is_there, program.maps.len()), "{name}");
            for (map, numbers) in program.maps.iter().zip(maps) {
                assert_eq!(numbers.len(), memories * map.d_in * map.d_out, "{name}");
            }
        }
        assert_eq!(inputs.bias_gates.len(), self.bias.gates(), "gates of the bias");
        for gate in &inputs.bias_gates {
            assert_eq!(gate.len(), tokens, "gates of the bias");
        }
        assert_eq!(inputs.gains.len(), program.gains.len(), "gains");
        for (gain, d) in inputs.gains.iter().zip(&program.gains) {
            assert_eq!(gain.len(), memories * d, "gains");
        }
        memories
    }
}

struct Forward<'a, 'b> {
    scan: &'a Scan,
    inputs: &'a Inputs<'a>,
    keep: bool,
    chunk: &'a mut Chunk<'b>,
}

impl WithSimd for Forward<'_, '_> {
    type Output = (Output, Vec<State>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.chunk.scan(simd, self.scan, self.inputs, self.keep)
    }
}

struct Backward<'a, 'b> {
    scan: &'a Scan,
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
            scan,
            inputs,
            kept,
            of,
            chunk,
            adjoint,
        } = self;
        adjoint.scan(simd, scan, inputs, kept, of, chunk)
    }
}

/// The `g`-th of so many equal parts.
fn part(x: &[f32], g: usize, of: usize) -> &[f32] {
    let len = x.len() / of;
    &x[g * len..(g + 1) * len]
}

fn parts<'a>(all: &[&'a [f32]], g: usize, of: usize) -> Vec<&'a [f32]> {
    all.iter().map(|x| part(x, g, of)).collect()
}

impl<'a> Inputs<'a> {
    /// Those of one of so many memories.
    fn memory(&self, g: usize, of: usize) -> Inputs<'a> {
        let one = |x: &'a [f32]| part(x, g, of);
        Inputs {
            q: one(self.q),
            k: one(self.k),
            v: one(self.v),
            log_decay: one(self.log_decay),
            step: one(self.step),
            log_momentum: one(self.log_momentum),
            bias_gates: parts(&self.bias_gates, g, of),
            weights: parts(&self.weights, g, of),
            slots: parts(&self.slots, g, of),
            anchors: parts(&self.anchors, g, of),
            gains: parts(&self.gains, g, of),
        }
    }
}

impl<'a> OutputGradients<'a> {
    fn memory(&self, g: usize, of: usize) -> OutputGradients<'a> {
        OutputGradients {
            y: part(self.y, g, of),
            weights: parts(&self.weights, g, of),
            slots: parts(&self.slots, g, of),
        }
    }
}

/// Puts the parts of a further memory behind those before it.
fn join(all: &mut Vec<Vec<f32>>, more: Vec<Vec<f32>>) {
    all.resize(more.len(), Vec::new());
    for (all, more) in all.iter_mut().zip(more) {
        all.extend(more);
    }
}
