//! The two ends of a model, which its task and its data decide.

use crate::ModelConfig;

/// The two ends of a model: what its first block is given, and what is made of its last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The input encoder.
    pub encoder: EncoderSpec,
    /// The head.
    pub head: HeadSpec,
}

/// An input encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderSpec {
    /// Each token is a row of an embedding.
    Tokens {
        /// Number of token values.
        vocab: usize,
    },
    /// Each token is so many values, of which a projection makes a row.
    Values {
        /// Values of a token.
        patch: usize,
    },
}

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSpec {
    /// Logits of the token after each token.
    Tokens,
    /// Logits of so many classes, of a whole row.
    Classes(usize),
    /// The values that come after a row, so many.
    Horizon(usize),
}

impl Ends {
    /// Those of a language model of `vocab` tokens.
    pub fn tokens(vocab: usize) -> Self {
        Self {
            encoder: EncoderSpec::Tokens { vocab },
            head: HeadSpec::Tokens,
        }
    }

    /// Number of token values that are read; 0 where tokens are made of numbers.
    pub fn vocab(self) -> usize {
        match self.encoder {
            EncoderSpec::Tokens { vocab } => vocab,
            EncoderSpec::Values { .. } => 0,
        }
    }

    /// Values of a token that is a patch of a series; 0 where tokens come from a vocabulary.
    pub fn patch(self) -> usize {
        match self.encoder {
            EncoderSpec::Tokens { .. } => 0,
            EncoderSpec::Values { patch } => patch,
        }
    }

    /// What the head gives at a time: numbers of a token, or of a row.
    pub fn outputs(self) -> usize {
        match self.head {
            HeadSpec::Tokens => self.vocab(),
            HeadSpec::Classes(classes) => classes,
            HeadSpec::Horizon(values) => values,
        }
    }

    /// Rows of `tokens` tokens each give so many outputs.
    pub(crate) fn places(self, tokens: usize) -> usize {
        match self.head {
            HeadSpec::Tokens => tokens,
            HeadSpec::Classes(_) | HeadSpec::Horizon(_) => 1,
        }
    }

    /// Whether the head is the embedding.
    pub(crate) fn are_tied(self, config: &ModelConfig) -> bool {
        self.head == HeadSpec::Tokens && config.tie_head
    }
}

/// A number of token values is a language model.
impl From<usize> for Ends {
    fn from(vocab: usize) -> Self {
        Self::tokens(vocab)
    }
}
