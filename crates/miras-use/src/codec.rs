//! Between text and tokens: the one place that knows what a token is.

use miras_data::DataConfig;

use crate::UseError;

/// Turns text into tokens and back.
pub trait Codec {
    /// The tokens of a text.
    fn encode(&self, text: &[u8]) -> Vec<i32>;

    /// The text of one token.
    fn decode(&self, token: i32) -> Vec<u8>;
}

/// The codec of a run's data; an error for data that is no text.
pub fn codec(data: &DataConfig) -> Result<Box<dyn Codec>, UseError> {
    match data {
        DataConfig::Builtin(_) | DataConfig::Text(_) => Ok(Box::new(Bytes)),
        DataConfig::Mqar(_) => Err(UseError::NoText { kind: data.kind() }),
    }
}

/// A token is a byte.
struct Bytes;

impl Codec for Bytes {
    fn encode(&self, text: &[u8]) -> Vec<i32> {
        text.iter().copied().map(i32::from).collect()
    }

    fn decode(&self, token: i32) -> Vec<u8> {
        vec![token as u8]
    }
}
