//! Parameters, FLOPs and memory of a configuration, before anything is built.

use miras_engine::cost::Flops;
use miras_model::{Ends, cost};
use miras_run::Cost;

use crate::{RunConfig, StateRule};

/// Bytes of a number.
const BYTES: f64 = 4.0;
/// First and second moments of `AdamW`.
const MOMENTS: f64 = 2.0;
/// What a process takes besides the counted tensors, in bytes: code, threads, and blocks that the
/// allocator keeps. Measured on the CPU, as is the share below.
const OVERHEAD: f64 = 62.0 * 1024.0 * 1024.0;
/// What a backward pass takes besides the activations, as a share of them: its intermediate
/// values, and what the allocator holds unused.
const WORKSPACE: f64 = 0.15;

/// What a configuration takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Learned by the outer loop.
    pub parameters: usize,
    /// Those of them that are the memories' own: initial weights and gains.
    pub memory_parameters: usize,
    /// Weights that the inner loop learns at test time, a set for each sequence.
    pub fast_weights: usize,
    /// Bytes of a sequence's state, whatever its length.
    pub state_bytes: u64,
    /// Bytes that every past token adds to it.
    pub state_bytes_per_token: u64,
    /// FLOPs of one token, averaged over a sequence of `data.seq_len` tokens.
    pub flops_per_token: Flops,
    /// Training memory.
    pub train: TrainMemory,
}

impl Estimate {
    /// What `run.json` keeps of it.
    pub fn cost(&self) -> Cost {
        Cost {
            parameters: self.parameters as u64,
            memory_parameters: self.memory_parameters as u64,
            fast_weights: self.fast_weights as u64,
            state_bytes: self.state_bytes,
            state_bytes_per_token: self.state_bytes_per_token,
            flops_per_token: self.flops_per_token.both(),
        }
    }
}

/// Training memory in bytes, for a micro-batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainMemory {
    /// The weights.
    pub weights: u64,
    /// Their gradients; twice where micro-batches are summed.
    pub gradients: u64,
    /// The optimiser's moments.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass.
    pub activations: u64,
    /// Memories carried from step to step: those that a step starts from and those that it
    /// leaves; 0 unless `train.state = "carry"`.
    pub state: u64,
    /// What the backward pass and the process take besides.
    pub workspace: u64,
}

impl TrainMemory {
    /// What does not depend on the batch: weights, gradients and the optimiser's moments.
    pub fn fixed(self) -> u64 {
        self.weights + self.gradients + self.optimizer
    }

    /// The sum of all.
    pub fn peak(self) -> u64 {
        [self.fixed(), self.activations, self.state, self.workspace]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// A note if more than half of the parameters are the embedding of a tokenizer's tokens.
pub(crate) fn embedding_note(config: &RunConfig, ends: Ends) -> Option<String> {
    let (model, vocab) = (&config.model.config, ends.vocab());
    let is_tied = ends.outputs() != vocab || model.tie_head;
    let tables = if is_tied { 1 } else { 2 };
    let embedding = tables * vocab * model.dim;
    let all = cost::parameters(&config.model, ends).all;
    // A vocabulary of bytes is small, and so are the models that are tried with it.
    if vocab <= 256 || 2 * embedding <= all {
        return None;
    }
    let share = 100.0 * embedding as f64 / all as f64;
    let what = if is_tied {
        "embedding"
    } else {
        "embedding and output head"
    };
    Some(format!(
        "{embedding} of {all} parameters ({share:.0} %) are the {what} of {vocab} tokens: a smaller vocabulary, or a larger model.dim and more layers, leave more of them to the rest"
    ))
}

/// What training as configured takes, with a model of these ends; a number of token values is a
/// language model.
pub fn estimate(config: &RunConfig, ends: impl Into<Ends>) -> Estimate {
    let ends = ends.into();
    let (model, tokens) = (&config.model, config.data.seq_len());
    let parameters = cost::parameters(model, ends);
    let state = cost::state(model);
    let bytes = |numbers: f64| (numbers * BYTES) as u64;

    let weights = parameters.all as f64;
    let kernels = miras_device::has_kernels(&config.train.device);
    let activations = cost::kept(model, ends, tokens, kernels) as f64 * config.train.batch as f64;
    let sums = if config.train.accumulate > 1 {
        2.0
    } else {
        1.0
    };
    let carried = match config.train.state {
        StateRule::Reset => 0.0,
        StateRule::Carry => 2.0 * state.fixed as f64 * config.train.sequences() as f64,
    };
    Estimate {
        parameters: parameters.all,
        memory_parameters: parameters.memory,
        fast_weights: parameters.fast,
        state_bytes: bytes(state.fixed as f64),
        state_bytes_per_token: bytes(state.per_token as f64),
        flops_per_token: cost::flops(model, ends, tokens) * (tokens as f64).recip(),
        train: TrainMemory {
            weights: bytes(weights),
            gradients: bytes(weights * sums),
            optimizer: bytes(weights * MOMENTS),
            activations: bytes(activations),
            state: bytes(carried),
            workspace: (OVERHEAD + activations * BYTES * WORKSPACE) as u64,
        },
    }
}
