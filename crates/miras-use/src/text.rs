//! Between text and tokens.

use miras_data::{DataConfig, Tokenizer};

use crate::UseError;

/// The tokenizer of a run's data; an error for data that is no text.
pub fn tokenizer(data: &DataConfig) -> Result<Tokenizer, UseError> {
    match data {
        DataConfig::Builtin(_) => Ok(Tokenizer::bytes()),
        DataConfig::Text(config) => Ok(Tokenizer::open(&config.tokenizer)?),
        DataConfig::Mqar(_) => Err(UseError::NoText { kind: data.kind() }),
    }
}
