//! What each parameter is to an optimiser.
//!
//! Every module names its own parameters, so that no name is taken apart to find out what a
//! tensor is.

use std::collections::BTreeMap;

use burn::{
    module::{Param, ParamId},
    tensor::Tensor,
};

/// What a parameter is to an optimiser and to histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterGroup {
    /// The embedding, which is the head as well where `model.tie_head` says so.
    Embedding,
    /// A projection around a mixer.
    Projection,
    /// A projection of the feed-forward half of a block.
    FeedForward,
    /// The head.
    Head,
    /// The gain of a norm outside of memories.
    Norm,
    /// Projection, bias and rate of a gate.
    Gate,
    /// Initial weights and gains of a memory.
    Memory,
    /// The taps of a short convolution.
    Convolution,
    /// Learned tokens before a sequence.
    Persistent,
}

impl ParameterGroup {
    /// Its name in tags of histograms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Projection => "projection",
            Self::FeedForward => "feed_forward",
            Self::Head => "head",
            Self::Norm => "norm",
            Self::Gate => "gate",
            Self::Memory => "memory",
            Self::Convolution => "convolution",
            Self::Persistent => "persistent",
        }
    }

    /// Whether weight decay acts on it.
    pub fn decays(self) -> bool {
        match self {
            Self::Embedding | Self::Projection | Self::FeedForward | Self::Head => true,
            Self::Norm | Self::Gate | Self::Memory | Self::Convolution | Self::Persistent => false,
        }
    }
}

/// The groups of parameters.
#[derive(Debug, Clone, Default)]
pub struct ParameterGroups(BTreeMap<u64, ParameterGroup>);

impl ParameterGroups {
    /// The group of a parameter, if a module named one.
    pub fn of(&self, parameter: ParamId) -> Option<ParameterGroup> {
        self.0.get(&parameter.val()).copied()
    }

    /// Puts a parameter into a group.
    pub(crate) fn put<const D: usize>(
        &mut self,
        group: ParameterGroup,
        parameter: &Param<Tensor<D>>,
    ) {
        self.0.insert(parameter.id.val(), group);
    }
}
