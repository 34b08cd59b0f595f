//! The description of the operation.

use crate::{Bias, Inputs, Link, OutputGradients, Program, buffer::Buffer};

/// The inner loop of `g` memories over whole chunks.
///
/// # Formula
/// With the gradients `x_tᵀ d_t` of tokens, taken where the [form](Self::form) says:
///
/// ```text
/// S_t = η_t S_{t−1} − θ_t x_tᵀ d_t        A_t = a_t A_{t−1} + S_t        y_t = M(Λ([A_init +] A_t); q_t)
/// ```
///
/// or, as the [read](Read) says, with other weights for the queries.
/// What `miras_engine::dual::forward` computes for no Picard iteration and gates per head.
///
/// # Shapes
/// Those of [`Inputs`]; `t` is a multiple of [`chunk`](Self::chunk).
///
/// # Notes
/// Tokens of an open chunk are not taken. A scan of as many tokens a chunk gives their outputs and
/// gradients; in the chunk-start form the state stays the one before them until their chunk is
/// full, and is then that of all of its tokens at once.
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
    /// From the state to the weights.
    pub link: Link,
    /// Whether the state is the distance from that of the initial weights, `A_init`.
    pub anchored: bool,
    /// Whether there is a slot, `S`, and its gate.
    pub momentum: bool,
    /// Where gradients are taken.
    pub form: Form,
}

/// Where the gradients of tokens are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// All of a chunk at the weights it began with, `Λ([A_init +] A_0)`.
    ChunkStart {
        /// The weights that queries go through.
        read: Read,
        /// What bounds steps and states.
        caps: Caps,
    },
    /// Each at the memory that its own token meets; for a matrix under an affine bias and the
    /// identity link.
    Exact {
        /// Whether that memory has decayed for the token.
        order: Order,
    },
}

/// The weights that a query goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Those after its own token, `[A_init +] A_t`; for the identity link.
    Exact,
    /// The same through the scale at the chunk's start, `s([A_init +] A_0) · ([A_init +] A_t)`; for
    /// [`Link::Scale`].
    Frozen,
    /// Those that its chunk began with, `Λ([A_init +] A_0)`.
    Stale,
}

/// What bounds the inner loop, one after the other; nothing for no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Caps {
    /// κ of `θ_t ← θ_t max(1, load_t/κ)^−2`, where
    /// `load_t = Σ_{i≤t} (∏_{i<s≤t} a_s) |⟨x_i, x_t⟩| θ_i / max(1 − η_i, 0.001)` over the features `x`
    /// that enter the maps of the output.
    pub load: Option<f32>,
    /// κ of `θ_t ← θ_t min(1, κ/‖g_t‖)`, the norm of a token's gradient over all maps.
    pub gradient: Option<f32>,
    /// κ of `A ← A min(1, κ/‖A‖)`, the state of each map at the end of a chunk.
    pub state: Option<f32>,
}

/// Whether the decay of a token comes before or after its gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// At `[A_init +] A_{t−1}`.
    After,
    /// At `[A_init +] a_t A_{t−1}`, as in Gated `DeltaNet`.
    Before,
}

impl Scan {
    pub(crate) fn caps(&self) -> Caps {
        match self.form {
            Form::ChunkStart { caps, .. } => caps,
            Form::Exact { .. } => Caps::default(),
        }
    }

    pub(crate) fn read(&self) -> Read {
        match self.form {
            Form::ChunkStart { read, .. } => read,
            Form::Exact { .. } => Read::Exact,
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

    /// Room for the initial weights of each map, where they are anchors.
    pub(crate) fn anchors(&self) -> Vec<Buffer> {
        let maps = if self.anchored {
            &*self.program.maps
        } else {
            &[]
        };
        maps.iter().map(|map| map.buffer()).collect()
    }

    /// How many memories there are, if all sizes fit.
    pub(crate) fn check(&self, inputs: &Inputs<'_>) -> usize {
        let program = &self.program;
        assert!(self.chunk > 0, "a chunk has a token");
        assert!(self.keep_every > 0, "the first state is kept");
        assert!(
            self.exact().is_none() || program.is_linear(),
            "exact gradients are solved for in a matrix alone"
        );
        self.check_link();
        let tokens = inputs.step.len();
        let momenta = if self.momentum { tokens } else { 0 };
        for (name, len, expected) in [
            ("queries", inputs.q.len(), tokens * program.d_k()),
            ("keys", inputs.k.len(), tokens * program.d_k()),
            ("values", inputs.v.len(), tokens * program.d_v()),
            ("decays", inputs.log_decay.len(), tokens),
            ("momenta", inputs.log_momentum.len(), momenta),
            (
                "gates of the bias",
                inputs.bias_gates.len(),
                self.bias.gates(),
            ),
            ("gains", inputs.gains.len(), program.gains.len()),
        ] {
            assert_eq!(len, expected, "{name}");
        }

        let first = program.maps[0];
        let memories = inputs.weights[0].len() / (first.d_in * first.d_out);
        assert!(memories > 0, "there is no memory");
        assert!(
            tokens.is_multiple_of(memories * self.chunk),
            "{tokens} tokens of {memories} memories are no whole chunks of {}",
            self.chunk
        );
        self.check_maps("weights", true, &inputs.weights, memories);
        self.check_maps("slots", self.momentum, &inputs.slots, memories);
        self.check_maps("anchors", self.anchored, &inputs.anchors, memories);
        for gate in &inputs.bias_gates {
            assert_eq!(gate.len(), tokens, "a gate of the bias");
        }
        for (gain, d) in inputs.gains.iter().zip(&program.gains) {
            assert_eq!(gain.len(), memories * d, "a gain");
        }
        memories
    }

    /// Panics unless link and read fit each other.
    fn check_link(&self) {
        assert!(
            self.link.is_whole(),
            "a scale is one number, any other link a map"
        );
        match self.read() {
            Read::Exact => assert!(
                matches!(self.link, Link::Identity),
                "reads are exact behind the identity link alone"
            ),
            Read::Frozen => assert!(
                matches!(self.link, Link::Scale(_)),
                "reads are frozen behind a scale alone"
            ),
            Read::Stale => {}
        }
    }

    /// Panics unless gradients at the outputs of so many memories and tokens fit.
    pub(crate) fn check_output(&self, of: &OutputGradients<'_>, memories: usize, tokens: usize) {
        assert_eq!(
            of.y.len(),
            tokens * self.program.d_v(),
            "gradients at outputs"
        );
        for (name, maps) in [("weights", &of.weights), ("slots", &of.slots)] {
            let is_there = !maps.is_empty();
            self.check_maps(&format!("gradients at {name}"), is_there, maps, memories);
        }
    }

    fn check_maps(&self, name: &str, is_there: bool, maps: &[&[f32]], memories: usize) {
        let program = &self.program;
        let count = if is_there { program.maps.len() } else { 0 };
        assert_eq!(maps.len(), count, "{name}");
        for (map, numbers) in program.maps.iter().zip(maps) {
            assert_eq!(numbers.len(), memories * map.d_in * map.d_out, "{name}");
        }
    }
}
