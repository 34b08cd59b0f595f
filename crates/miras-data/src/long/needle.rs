//! The single needles of RULER.

use std::sync::Arc;

use miras_random::Stream;
use serde::{Deserialize, Serialize};

use super::{
    Haystack, Row,
    words::{ADJECTIVES, NOUNS},
};
use crate::{DataError, Tokenizer};

/// What is hidden, and where.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum NeedleKind {
    /// A number in noise.
    Noise,
    /// A number in text.
    Text,
    /// A UUID in text.
    Uuid,
}

impl NeedleKind {
    /// All, in RULER's order.
    pub const ALL: [Self; 3] = [Self::Noise, Self::Text, Self::Uuid];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Text => "text",
            Self::Uuid => "uuid",
        }
    }

    /// Its name in RULER.
    pub fn ruler(self) -> &'static str {
        match self {
            Self::Noise => "niah_single_1",
            Self::Text => "niah_single_2",
            Self::Uuid => "niah_single_3",
        }
    }

    /// The kind of a name, ours or RULER's.
    pub fn of(name: &str) -> Option<Self> {
        let is = |kind: &Self| [kind.name(), kind.ruler()].contains(&name);
        Self::ALL.into_iter().find(is)
    }

    /// Whether its haystack is text.
    pub fn needs_text(self) -> bool {
        self != Self::Noise
    }

    /// What the value is called.
    pub(super) fn value_name(self) -> &'static str {
        match self {
            Self::Noise | Self::Text => "number",
            Self::Uuid => "uuid",
        }
    }

    fn value(self, stream: &mut Stream) -> String {
        match self {
            Self::Noise | Self::Text => (1_000_000 + stream.below(9_000_000)).to_string(),
            Self::Uuid => {
                let [high, low] = [stream.next_u64(), stream.next_u64()];
                // Version 4 of RFC 9562.
                format!(
                    "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xfff,
                    low >> 48 & 0x3fff | 0x8000,
                    low & 0xffff_ffff_ffff
                )
            }
        }
    }
}

/// Rows of a kind, each a function of seed, length, depth and its number.
///
/// A row is the prompt of RULER with one key, one value and one question, up to where the value
/// belongs: `A special magic number is hidden within the following text. …`, the haystack with the
/// sentence `One of the special magic numbers for KEY is: VALUE.` in it, the question, and `The special
/// magic number for KEY mentioned in the provided text is`.
///
/// # Reference
/// Hsieh et al. 2024, RULER, <https://arxiv.org/abs/2404.06654>, tasks `niah_single_1` to `3`.
///
/// # Notes
/// RULER's haystacks end where another sentence or 500 words would be too much. Here the first
/// sentence is cut, so that a row has exactly the tokens asked for; and the depth is that of the
/// cell, where RULER draws one of 40. Parts of a row are encoded each on their own.
#[derive(Clone)]
pub struct Needles {
    kind: NeedleKind,
    haystack: Arc<Haystack>,
    tokenizer: Arc<Tokenizer>,
}

/// A row, and what is hidden in it.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// What is read before the value.
    pub row: Row,
    /// The token of the row that the needle begins with; where it would, of a row without one.
    pub at: usize,
    /// Tokens of the needle.
    pub needle: usize,
    /// The value.
    pub value: String,
    /// The tokens of the value, as they follow the row, then those of wrong ones.
    pub values: Vec<Vec<i32>>,
}

/// What is drawn for a row.
pub(super) struct Drawn {
    /// The sentence that is hidden.
    pub(super) needle: Vec<i32>,
    /// The question, up to where the value belongs.
    pub(super) tail: Vec<i32>,
    value: String,
    stream: Stream,
}

impl Drawn {
    /// Of a kind, with what stands before the sentence that is hidden and behind it.
    pub(super) fn new(
        kind: NeedleKind,
        [before, behind]: [&str; 2],
        tokenizer: &Tokenizer,
        place: &[u64],
        seed: u64,
    ) -> Result<Self, DataError> {
        let mut stream = Stream::new(seed, &format!("needle {}", kind.name()), place);
        let [adjective, noun] = [ADJECTIVES, NOUNS].map(|words| words[stream.index(words.len())]);
        let key = format!("{adjective}-{noun}");
        let (what, value) = (kind.value_name(), kind.value(&mut stream));
        let needle =
            format!("{before}One of the special magic {what}s for {key} is: {value}.{behind}");
        let tail = format!(
            "\nWhat is the special magic {what} for {key} mentioned in the provided text? The special magic {what} for {key} mentioned in the provided text is"
        );
        let encode = |text: String| tokenizer.encode(text.as_bytes());
        Ok(Self {
            needle: encode(needle)?,
            tail: encode(tail)?,
            value,
            stream,
        })
    }

    /// The tokens of the value, as they follow the question.
    pub(super) fn answer(&self, tokenizer: &Tokenizer) -> Result<Vec<i32>, DataError> {
        encoded(&self.value, tokenizer)
    }
}

/// The tokens of a value, as they follow the question.
fn encoded(value: &str, tokenizer: &Tokenizer) -> Result<Vec<i32>, DataError> {
    tokenizer.encode(format!(" {value}").as_bytes())
}

impl Needles {
    /// Rows of a kind in a haystack that fits it.
    pub fn new(kind: NeedleKind, haystack: Arc<Haystack>, tokenizer: Arc<Tokenizer>) -> Self {
        Self {
            kind,
            haystack,
            tokenizer,
        }
    }

    /// Tokens of the shortest row that has this key and value, with one token of haystack.
    ///
    /// # Errors
    /// If the tokenizer cannot spell the prompt.
    pub fn shortest(&self, depth: f64, place: &[u64], seed: u64) -> Result<usize, DataError> {
        let Drawn { needle, tail, .. } = self.draw(depth, place, seed)?;
        Ok(self.head()?.len() + needle.len() + tail.len() + 1)
    }

    /// The tokens of the value of a row, as they follow it.
    ///
    /// # Errors
    /// If the tokenizer cannot spell the prompt.
    pub(super) fn answer(
        &self,
        depth: f64,
        place: &[u64],
        seed: u64,
    ) -> Result<Vec<i32>, DataError> {
        self.draw(depth, place, seed)?.answer(&self.tokenizer)
    }

    /// A row of `length` tokens whose needle stands behind `depth` percent of the haystack, between
    /// the sentences that are nearest; `place` are the numbers that it is a function of, beside the
    /// seed. Without `is_hidden` the haystack is the longer by the needle.
    ///
    /// # Errors
    /// If the tokenizer cannot spell the prompt.
    ///
    /// # Panics
    /// If the length is below [`shortest`](Self::shortest).
    pub fn row(
        &self,
        length: usize,
        depth: f64,
        place: &[u64],
        seed: u64,
        wrong: usize,
        is_hidden: bool,
    ) -> Result<Hidden, DataError> {
        let Drawn {
            needle,
            tail,
            value,
            mut stream,
        } = self.draw(depth, place, seed)?;
        let head = self.head()?;
        let rest = length.checked_sub(head.len() + needle.len() + tail.len());
        let Some(rest) = rest.filter(|rest| *rest > 0) else {
            panic!("{length} tokens are too few for the prompt");
        };
        let spare = if is_hidden { 0 } else { needle.len() };
        let background = self.haystack.background(rest + spare, &mut stream);
        let wanted = (rest as f64 * depth / 100.0).round() as usize;
        let at = match background.nearest(wanted) {
            // Behind the start stands a sentence that is cut, and is one with what is before it.
            0 if depth > 0.0 => background.behind(0),
            at => at,
        };
        let mut row = Row::default();
        let (before, len) = (head.len(), needle.len());
        row.push(head);
        background.push(&mut row, 0, at);
        if is_hidden {
            row.push(needle);
        }
        background.push(&mut row, at, rest + spare);
        row.push(tail);
        let mut texts = vec![value.clone()];
        while texts.len() <= wrong {
            let other = self.kind.value(&mut stream);
            if !texts.contains(&other) {
                texts.push(other);
            }
        }
        let values = texts.iter().map(|text| encoded(text, &self.tokenizer));
        Ok(Hidden {
            row,
            at: before + at,
            needle: len,
            value,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    /// The tokens that a row begins with.
    fn head(&self) -> Result<Vec<i32>, DataError> {
        let what = self.kind.value_name();
        let head = format!(
            "A special magic {what} is hidden within the following text. Make sure to memorize it. I will quiz you about the {what} afterwards.\n"
        );
        self.tokenizer.encode(head.as_bytes())
    }

    fn draw(&self, depth: f64, place: &[u64], seed: u64) -> Result<Drawn, DataError> {
        let joint = self.haystack.joint();
        let around = if depth <= 0.0 {
            ["", joint]
        } else {
            [joint, ""]
        };
        Drawn::new(self.kind, around, &self.tokenizer, place, seed)
    }
}
