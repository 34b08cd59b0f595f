//! The widths of a mixer's projections, and what these and all around them cost.

use miras_engine::cost::{Flops, Needs::Both};

use super::keys::{ConvActivation, MixerKeys, OutputGate, OutputNorm, QkNorm};
use crate::cost::of_norm;

/// Features that go in and out of the projections of a mixer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    /// Of the residual stream.
    pub(crate) dim: usize,
    /// Of the queries, keys and values of all heads that have their own; 0 for queries that are keys.
    pub(crate) qkv: [usize; 3],
    /// Of one head's queries and keys.
    pub(crate) d_k: usize,
    /// Of one head's values.
    pub(crate) d_v: usize,
    /// Of what all heads read.
    pub(crate) inner: usize,
}

impl Widths {
    /// Those of queries and keys that are made, 2 or 1.
    pub(crate) fn queries_and_keys(&self) -> usize {
        1 + usize::from(self.qkv[0] > 0)
    }

    fn projected(&self) -> usize {
        self.qkv.iter().sum()
    }

    /// Parameters of projections, convolutions and norms.
    pub(crate) fn parameters(&self, keys: &MixerKeys) -> usize {
        let gate = usize::from(keys.output_gate != OutputGate::None);
        let projections = self.dim * (self.projected() + (1 + gate) * self.inner);
        let qk_norms = match keys.qk_norm {
            QkNorm::Rms => self.queries_and_keys() * self.d_k,
            QkNorm::L2 | QkNorm::None => 0,
        };
        let output_norm = match keys.output_norm {
            OutputNorm::Rms => self.d_v,
            OutputNorm::None => 0,
        };
        projections + keys.conv * self.projected() + qk_norms + output_norm
    }

    /// The products of `tokens` tokens with the projections.
    pub(crate) fn flops(&self, keys: &MixerKeys, tokens: usize) -> Flops {
        let gate = usize::from(keys.output_gate != OutputGate::None);
        let width = self.projected() + (1 + gate) * self.inner;
        Flops::product(tokens, self.dim, width, Both)
    }

    /// Numbers that a forward pass keeps of a token, up to queries, keys and values as they are
    /// before their norm, and from what is read on; with `kernels` or without.
    pub(crate) fn kept(&self, keys: &MixerKeys, kernels: bool) -> usize {
        let convolved = self.projected() * usize::from(keys.conv > 0);
        // A `SiLU` keeps its input and its sigmoid, unless it is part of the convolution.
        let is_apart = keys.conv == 0 || !kernels;
        let is_activated = is_apart && keys.conv_activation == ConvActivation::Silu;
        let activated = 2 * self.projected() * usize::from(is_activated);
        let [q, k, _] = self.qkv;
        let normed = match keys.qk_norm {
            QkNorm::L2 => q + k,
            QkNorm::Rms => (of_norm(kernels) - 1) * (q + k),
            QkNorm::None => 0,
        };
        // What is read, on its way through the norm.
        let read = match keys.output_norm {
            OutputNorm::Rms => of_norm(kernels),
            OutputNorm::None => 1,
        };
        // The gate and what makes it from its projection, and the product.
        let gate = match keys.output_gate {
            OutputGate::Silu if !kernels => 4,
            OutputGate::Silu | OutputGate::Sigmoid => 2,
            OutputGate::None => 0,
        };
        convolved + activated + normed + (read + gate) * self.inner
    }

    /// Numbers in the last inputs of the convolutions.
    pub(crate) fn tails(&self, keys: &MixerKeys) -> usize {
        keys.conv.saturating_sub(1) * self.projected()
    }
}
