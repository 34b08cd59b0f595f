//! Noise on what is read: tokens in the places of those of the text.

use miras_random::Stream;

/// Each token is replaced with a probability by one that is drawn uniformly from the vocabulary, and
/// may be the one that was there.
///
/// A larger share replaces what a smaller one does, by the same tokens, and more.
#[derive(Clone, Copy)]
pub(crate) struct Corruption {
    share: f64,
    vocab: u64,
}

/// What the noise of a row is a function of.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Row `row` of a training step.
    Train { seed: u64, step: u64, row: u64 },
    /// The row of the validation part that begins at this token: the noise of a token is that of its
    /// place in the text, of whatever row it is, and there is no seed.
    Valid { start: u64 },
}

impl Place {
    fn stream(self, at: u64) -> Stream {
        match self {
            Self::Train { seed, step, row } => Stream::new(seed, "corrupt", &[step, row, at]),
            Self::Valid { start } => Stream::new(0, "corrupt valid", &[start + at]),
        }
    }
}

impl Corruption {
    /// None where nothing is replaced.
    pub(crate) fn new(share: f64, vocab: usize) -> Option<Self> {
        let vocab = vocab as u64;
        (share > 0.0).then_some(Self { share, vocab })
    }

    /// Replaces some of the tokens of a row.
    pub(crate) fn replace(self, tokens: &mut [i32], place: Place) {
        for (at, token) in (0..).zip(tokens) {
            let mut stream = place.stream(at);
            if stream.unit() < self.share {
                *token = stream.below(self.vocab) as i32;
            }
        }
    }
}
