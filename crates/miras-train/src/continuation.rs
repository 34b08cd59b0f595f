//! Writing what a model says comes next.

use miras_data::Tokenizer;
use miras_use::{Generator, Sampler, Stops, Utf8Stream};

use crate::out::Out;

/// How a text is continued.
pub(crate) struct Continuation<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) sampler: Sampler,
    /// The most tokens that are written.
    pub(crate) tokens: usize,
    /// Texts that end it.
    pub(crate) stops: Vec<&'a str>,
}

impl Continuation<'_> {
    /// Writes what comes next, token by token, up to a stop.
    pub(crate) fn write(&self, generator: &mut Generator<'_>, out: &mut Out) -> anyhow::Result<()> {
        let mut text = Utf8Stream::default();
        let mut stops = Stops::new(self.stops.iter().copied());
        for _ in 0..self.tokens {
            let Some(token) = generator.next(&self.sampler)? else {
                break;
            };
            let (bytes, is_end) = stops.push(&self.tokenizer.decode(&[token]));
            out.piece(&text.push(&bytes))?;
            if is_end {
                break;
            }
        }
        out.piece(&text.push(&stops.finish()))?;
        out.piece(&text.finish())
    }
}
