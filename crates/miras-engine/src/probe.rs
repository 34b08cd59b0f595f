//! Diagnostics of one memory layer, computed from what the pass has at hand.

use burn::tensor::Tensor;
use miras_core::{MapState, rows};

use crate::walk::{Walk, stack, stack_factors};

/// Reads whose norm is less count as that in the change of reads.
const LEAST_READ: f64 = 1e-6;

/// What gates among the step rules left of the steps of tokens, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WriteRate {
    /// Tokens, those of each memory for itself.
    tokens: f64,
    /// The sum of the shares of their steps.
    shares: f64,
    /// Those of whose step more than half was left.
    written: f64,
}

impl WriteRate {
    /// The mean share.
    pub fn mean(&self) -> f64 {
        self.shares / self.tokens
    }

    /// Of 1,000 tokens, those of whose step more than half is left.
    pub fn written_per_1000(&self) -> f64 {
        1000.0 * self.written / self.tokens
    }

    /// Adds those of other tokens.
    pub fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.shares += other.shares;
        self.written += other.written;
    }
}

/// What a memory did with the tokens of one call. Tensors are detached.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Inner loss of each token before its write, chunk by chunk `[n, g, c]`, where the bias has one.
    pub loss: Vec<f32>,
    /// Norm of each token's inner gradient (its surprise).
    pub surprise: Vec<f32>,
    /// Norm of each token's write, step size and caps included.
    pub write: Vec<f32>,
    /// Retention `a_t`.
    pub retention: Vec<f32>,
    /// Step size after the caps over the one before, gates aside (1 where nothing is capped, or
    /// written).
    pub capped: Vec<f32>,
    /// What the gates among the step rules leave of a token's step, from 0 to 1; empty where there is no
    /// gate.
    pub gate: Vec<f32>,
    /// `|y − y₀| / (|y| + |y₀|)` of each token's read `y`, `[g, t]`, where `y₀` is what its query reads from the
    /// initial memory: 0 where nothing that was written, or forgotten, reaches what is read.
    pub read_change: Vec<f32>,
    /// Norm of the whole state at each chunk's end, averaged over the memories.
    pub state: Vec<f32>,
}

impl Probe {
    /// Adds what the same layer did with other rows, or what another memory of it did.
    pub fn extend(&mut self, more: Self) {
        self.loss.extend(more.loss);
        self.surprise.extend(more.surprise);
        self.write.extend(more.write);
        self.retention.extend(more.retention);
        self.capped.extend(more.capped);
        self.gate.extend(more.gate);
        self.read_change.extend(more.read_change);
        self.state.extend(more.state);
    }

    /// What its gates left of all steps; none where there is no gate.
    pub fn write_rate(&self) -> Option<WriteRate> {
        (!self.gate.is_empty()).then(|| {
            let shares = self.gate.iter().copied().map(f64::from);
            WriteRate {
                tokens: self.gate.len() as f64,
                shares: shares.clone().sum(),
                written: shares.filter(|share| *share > 0.5).count() as f64,
            }
        })
    }

    /// Of reads and those of the initial memory, both `[1, g, t, d_v]`.
    pub(crate) fn record_reads(&mut self, y: &Tensor<4>, initial: Tensor<4>) {
        let squares = |x: Tensor<4>| x.powi_scalar(2).sum_dim(3);
        let change = squares(y.clone() - initial.clone()).sqrt();
        let norms = squares(y.clone()).sqrt() + squares(initial).sqrt();
        self.read_change
            .extend(numbers(change / norms.clamp_min(LEAST_READ)));
    }

    pub(crate) fn record(
        &mut self,
        walk: &Walk,
        end: &[MapState],
        loss: Option<Tensor<4>>,
        log_decay: &Tensor<4>,
        step: &Tensor<4>,
        skip: usize,
    ) {
        let factors = stack_factors(&walk.factors);
        // The mean of a token's channels, where they have their own.
        let token = |x: Tensor<4>| x.mean_dim(3);
        let steps = token(stack(&walk.steps, |step| step));
        // Tokens of windows come before those of the chunk.
        let (written, own) = (steps.dims()[2], step.dims()[2]);
        let surprise = rows::gradient_norm(&factors, written);
        let write = surprise.clone() * steps.clone();
        let new = |x: Tensor<4>| {
            let c = x.dims()[2];
            x.slice(burn::tensor::s![.., .., c - (own - skip).., ..])
        };
        let asked = new(token(step.clone())).add_scalar(rows::TINY);
        let left = new(steps).add_scalar(rows::TINY) / asked;
        // What a gate leaves is not what caps do.
        let gates = (!walk.gates.is_empty()).then(|| new(stack(&walk.gates, |gate| gate)));
        let ratio = match &gates {
            Some(gates) => left / gates.clone().add_scalar(rows::TINY),
            None => left,
        };
        for (into, values) in [
            (&mut self.surprise, new(surprise)),
            (&mut self.write, new(write)),
            (&mut self.retention, new(token(log_decay.clone().exp()))),
            (&mut self.capped, ratio),
        ] {
            into.extend(numbers(values));
        }
        if let Some(gates) = gates {
            self.gate.extend(numbers(gates));
        }
        if let Some(loss) = loss {
            self.loss.extend(numbers(loss));
        }
        let after_each = walk.starts[1..].iter().map(Vec::as_slice).chain([end]);
        for maps in after_each {
            let square = (maps.iter())
                .map(|map| map.weights.clone().powi_scalar(2).sum_dim(3).sum_dim(2))
                .reduce(|a, b| a + b)
                .expect("a memory has a map");
            self.state.extend(numbers(square.sqrt().mean_dim(1)));
        }
    }
}

fn numbers(x: Tensor<4>) -> Vec<f32> {
    x.detach()
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .expect("converted to f32")
}
