//! Byte-level byte-pair encoding.

use std::{collections::BTreeMap, iter};

use tokenizers::{AddedToken, Tokenizer};

use super::{alphabet::Alphabet, files::Source, load};

/// The most token values of a vocabulary.
const MAX_VOCAB: usize = 1 << 24;

/// Tokens that an error shows where they do not spell the text.
const SHOWN_TOKENS: usize = 16;

/// A tokenizer, with the bytes that each of its tokens stands for.
pub(super) struct Bpe {
    inner: Tokenizer,
    /// The bytes of each token; empty for numbers without a token.
    spelling: Vec<Box<[u8]>>,
    /// The token of each single byte.
    single: [Option<i32>; 256],
    /// The token for unknown text, and its name.
    unknown: Option<(String, i32)>,
    /// Added tokens that remove white space.
    strippers: BTreeMap<i32, Stripper>,
    /// The Unicode normal form of the normalizer, if it has one.
    form: Option<&'static str>,
}

/// An added token that removes the white space beside it.
struct Stripper {
    content: String,
    left: bool,
    right: bool,
}

impl Bpe {
    pub(super) fn new(source: Source) -> Result<Self, String> {
        let inner = load::tokenizer(source)?;
        let spelling = spelling(&inner)?;
        let mut single = [None; 256];
        for (token, bytes) in spelling.iter().enumerate() {
            if let [byte] = **bytes {
                single[usize::from(byte)].get_or_insert(token as i32);
            }
        }
        let unknown = load::unknown(&inner).and_then(|name| {
            let token = inner.token_to_id(&name)?;
            Some((name, token as i32))
        });
        let added = inner.get_added_tokens_decoder().into_iter();
        let strippers = added
            .filter(|(_, token)| token.lstrip || token.rstrip)
            .map(|(id, token)| {
                let (left, right) = (token.lstrip, token.rstrip);
                let content = token.content;
                let stripper = Stripper {
                    content,
                    left,
                    right,
                };
                (id as i32, stripper)
            })
            .collect();
        Ok(Self {
            form: load::unicode_form(&inner),
            inner,
            spelling,
            single,
            unknown,
            strippers,
        })
    }

    /// The first token whose bytes are these.
    pub(super) fn spelled(&self, bytes: &[u8]) -> Option<i32> {
        let token = self.spelling.iter().position(|found| **found == *bytes)?;
        Some(token as i32)
    }

    pub(super) fn vocab(&self) -> usize {
        self.spelling.len()
    }

    pub(super) fn len_of(&self, token: i32) -> u64 {
        self.bytes_of(token).len() as u64
    }

    pub(super) fn decode(&self, tokens: &[i32]) -> Vec<u8> {
        let bytes = tokens.iter().flat_map(|&token| self.bytes_of(token));
        bytes.copied().collect()
    }

    fn bytes_of(&self, token: i32) -> &[u8] {
        let found = usize::try_from(token).ok();
        found
            .and_then(|token| self.spelling.get(token))
            .map_or(&[], |bytes| bytes)
    }

    /// The tokens of each text.
    pub(super) fn encode(&self, texts: &[&[u8]]) -> Result<Vec<Vec<i32>>, Refused> {
        let encoded = self.tokens(texts)?;
        for (number, (text, tokens)) in texts.iter().zip(&encoded).enumerate() {
            self.check(number, text, tokens)?;
        }
        Ok(encoded)
    }

    /// Whether two texts have the same tokens as the two joined. A text that cannot be encoded is
    /// reported later, with its block.
    pub(super) fn is_cut(&self, before: &[u8], after: &[u8]) -> bool {
        let whole = [before, after].concat();
        let tokens = self.tokens(&[before, after, &whole]);
        tokens.is_ok_and(|tokens| [&tokens[0][..], &tokens[1]].concat() == tokens[2])
    }

    /// The tokenizer encodes valid UTF-8; each other byte becomes its own token.
    fn tokens(&self, texts: &[&[u8]]) -> Result<Vec<Vec<i32>>, Refused> {
        let runs = texts.iter().flat_map(|text| text.utf8_chunks());
        let runs: Vec<&str> = (runs.map(|chunk| chunk.valid()))
            .filter(|run| !run.is_empty())
            .collect();
        let mut encoded = (self.inner.encode_batch_fast(runs, false))
            .map_err(|cause| {
                Refused::new(
                    (0, 0),
                    "cannot encode the text",
                    format!(" or after: {cause}"),
                )
            })?
            .into_iter();
        let mut all = Vec::with_capacity(texts.len());
        for (number, text) in texts.iter().enumerate() {
            let mut tokens = Vec::new();
            let mut inside = 0;
            for chunk in text.utf8_chunks() {
                if !chunk.valid().is_empty()
                    && let Some(run) = encoded.next()
                {
                    tokens.extend(run.get_ids().iter().map(|&id| id as i32));
                }
                inside += chunk.valid().len();
                for byte in chunk.invalid() {
                    let token = self.single[usize::from(*byte)].ok_or_else(|| {
                        let before = format!("has no token for the byte 0x{byte:02X}");
                        Refused::new((number, inside), before, "")
                    })?;
                    tokens.push(token);
                    inside += 1;
                }
            }
            all.push(tokens);
        }
        Ok(all)
    }

    /// Refuses tokens that do not spell the text.
    fn check(&self, number: usize, text: &[u8], tokens: &[i32]) -> Result<(), Refused> {
        let mut inside = 0;
        for (at, &token) in tokens.iter().enumerate() {
            let bytes = self.bytes_of(token);
            if !text[inside..].starts_with(bytes) || bytes.is_empty() {
                let stripper = self.stripper(&text[inside..], (&tokens[..at], Some(token)));
                return Err(match stripper {
                    Some((before, after)) => Refused::new((number, inside), before, after),
                    None => self.difference((number, text), inside, (at, tokens)),
                });
            }
            inside += bytes.len();
        }
        if inside < text.len() {
            let rest = &text[inside..];
            let (before, after) = (self.stripper(rest, (tokens, None)))
                .unwrap_or_else(|| (format!("has no token for {}", start(rest)), String::new()));
            return Err(Refused::new((number, inside), before, after));
        }
        Ok(())
    }

    /// The error if white space at the start of a text was removed by an added token, the last
    /// one before it or the one after it.
    fn stripper(
        &self,
        text: &[u8],
        (before, after): (&[i32], Option<i32>),
    ) -> Option<(String, String)> {
        let first = text.utf8_chunks().next()?.valid().chars().next()?;
        if !first.is_whitespace() {
            return None;
        }
        let find = |token: Option<&i32>| self.strippers.get(token?);
        let left = find(after.as_ref()).filter(|token| token.left);
        let right = find(before.last()).filter(|token| token.right);
        let (token, property, side) = match (left, right) {
            (Some(token), _) => (token, "lstrip", "before"),
            (_, Some(token)) => (token, "rstrip", "after"),
            _ => return None,
        };
        let content = &token.content;
        Some((
            "changes the text:".to_owned(),
            format!(
                " its added token `{content}` swallows the white space {side} it, because it has \
                 {property} = true: set that to false in tokenizer.json, or take the token out of \
                 added_tokens"
            ),
        ))
    }

    /// The first byte without a token in the text that became `token`.
    fn lacking(&self, text: &[u8], token: i32) -> Option<usize> {
        let made_from = text.iter().take(self.bytes_of(token).len() + 1);
        (made_from.copied()).position(|byte| self.single[usize::from(byte)].is_none())
    }

    fn difference(
        &self,
        (number, text): (usize, &[u8]),
        inside: usize,
        (at, tokens): (usize, &[i32]),
    ) -> Refused {
        let token = tokens[at];
        let place = (number, inside);
        let found = start(&text[inside..]);
        match &self.unknown {
            Some((name, unknown)) if tokens.iter().all(|token| token == unknown) => {
                let before = format!(
                    "knows nothing of the text, which becomes `{name}` alone, from {found}"
                );
                Refused::new(place, before, " on")
            }
            Some((name, unknown)) if token == *unknown => Refused::new(
                place,
                format!("has no token for {found}"),
                format!(" and writes `{name}`"),
            ),
            _ => {
                if let Some(lacking) = self.lacking(&text[inside..], token) {
                    let found = start(&text[inside + lacking..]);
                    let before = format!("has no token for {found}");
                    return Refused::new((number, inside + lacking), before, "");
                }
                // A character may have several tokens.
                let spelled = start(&self.decode(&tokens[at..tokens.len().min(at + SHOWN_TOKENS)]));
                let (cause, remedy) = match self.form {
                    Some(form) => (
                        format!(" (its normalizer is {form})"),
                        format!(
                            "bring the text into that form first, as by `python3 -c 'import sys, \
                             unicodedata as u; sys.stdout.write(u.normalize(\"{form}\", \
                             sys.stdin.read()))' < FILE > NEW`, or use a tokenizer without \
                             normalizer"
                        ),
                    ),
                    None => (
                        String::new(),
                        "use one without normalizer and without a space put in front".to_owned(),
                    ),
                };
                Refused::new(
                    place,
                    "changes the text:",
                    format!(
                        " it has {spelled} for {found}{cause}, and bits a byte would mean \
                         nothing; {remedy}"
                    ),
                )
            }
        }
    }
}

/// The first characters of a text, quoted.
fn start(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(64)]);
    let short: String = text.chars().take(12).collect();
    format!("{short:?}")
}

/// The bytes of every token of the vocabulary, by number.
fn spelling(tokenizer: &Tokenizer) -> Result<Vec<Box<[u8]>>, String> {
    let alphabet = Alphabet::new();
    let vocab: BTreeMap<String, u32> = tokenizer.get_vocab(false).into_iter().collect();
    // Added tokens are matched in the text as they are written.
    let added: BTreeMap<u32, AddedToken> =
        tokenizer.get_added_tokens_decoder().into_iter().collect();
    let ids = vocab.values().chain(added.keys());
    let count = ids.map(|&id| id as usize + 1).max().unwrap_or(0);
    if count == 0 || count > MAX_VOCAB {
        return Err(format!(
            "has a vocabulary of {count} tokens, expected 1 to {MAX_VOCAB}"
        ));
    }
    let mut all: Vec<Box<[u8]>> = iter::repeat_n(Box::default(), count).collect();
    for (token, id) in vocab {
        let bytes = alphabet.bytes(&token).unwrap_or_else(|| token.into_bytes());
        all[id as usize] = bytes.into();
    }
    for (id, AddedToken { content, .. }) in added {
        all[id as usize] = content.into_bytes().into();
    }
    Ok(all)
}

/// Where a text cannot be encoded, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which of the texts, from 0.
    pub(crate) text: usize,
    /// The byte in it.
    pub(crate) at: u64,
    /// The parts of the message before and after the place.
    before: String,
    after: String,
}

impl Refused {
    /// A message in two parts, with the place to be put between them.
    pub(super) fn new(
        (text, at): (usize, usize),
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        Self {
            text,
            at: at as u64,
            before: before.into(),
            after: after.into(),
        }
    }

    /// The whole message.
    pub(super) fn told(&self, place: &str) -> String {
        format!("{} {place}{}", self.before, self.after)
    }
}
