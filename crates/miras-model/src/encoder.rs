//! What the first block is given.

use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor},
};

use crate::{EncoderSpec, ParameterGroup, ParameterGroups, init::Init};

/// An input encoder. Its parameters are called `embedding`, whichever it is.
#[derive(Module, Debug)]
pub(crate) enum Encoder {
    /// `[vocab, d]`.
    Tokens(Param<Tensor<2>>),
    /// `[patch, d]`.
    Values(Param<Tensor<2>>),
}

impl Encoder {
    pub(crate) fn new(spec: EncoderSpec, dim: usize, init: &mut Init) -> Self {
        match spec {
            EncoderSpec::Tokens { vocab } => {
                Self::Tokens(init.normal("embedding", [vocab, dim], 1.0))
            }
            // Of values with deviation 1, rows have that of embeddings.
            EncoderSpec::Values { patch } => {
                let deviation = (patch as f64).sqrt().recip();
                Self::Values(init.normal("embedding", [patch, dim], deviation))
            }
        }
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        match self {
            Self::Tokens(table) | Self::Values(table) => {
                groups.put(ParameterGroup::Embedding, table);
            }
        }
    }

    pub(crate) fn device(&self) -> Device {
        self.table().device()
    }

    /// Token by token, `[vocab, d]`, or value by value, `[patch, d]`.
    pub(crate) fn table(&self) -> Tensor<2> {
        match self {
            Self::Tokens(table) | Self::Values(table) => table.val(),
        }
    }

    /// `[b, t]` to `[b, t, d]`.
    pub(crate) fn tokens(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [b, t] = tokens.dims();
        let table = self.table();
        let d = table.dims()[1];
        table.select(0, tokens.reshape([b * t])).reshape([b, t, d])
    }
}
