//! The description of the operation.

use crate::{Bias, Inputs, Program};

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

impl Scan {
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
    pub(crate) fn check(&self, inputs: &Inputs<'_>) -> usize {
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
            (
                "momenta",
                inputs.log_momentum.len(),
                optional(self.momentum, tokens),
            ),
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
        assert_eq!(
            inputs.bias_gates.len(),
            self.bias.gates(),
            "gates of the bias"
        );
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
