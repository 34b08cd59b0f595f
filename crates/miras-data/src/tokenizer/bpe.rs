//! Byte-level byte-pair encoding.

use std::{collections::BTreeMap, iter};

use tokenizers::{AddedToken, Tokenizer};

use super::{alphabet::Alphabet, files::Source, load};

/// The largest vocabulary that is accepted.
const MAX_VOCAB: usize = 1 << 24;

/// A tokenizer of which it is known what bytes each token stands for.
pub(super) struct Bpe {
    inner: Tokenizer,
    /// The bytes of each token; none for numbers without a token.
    spelling: Vec<Box<[u8]>>,
    /// The token of each single byte.
    single: [Option<i32>; 256],
    /// What the tokenizer writes for what it does not know.
    unknown: Option<(String, i32)>,
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
        Ok(Self {
            inner,
            spelling,
            single,
            unknown,
        })
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

    /// The tokens of each text, the first of which stands at `at`.
    pub(super) fn encode(&self, texts: &[&[u8]], at: u64) -> Result<Vec<Vec<i32>>, String> {
        let encoded = self.tokens(texts, at)?;
        let mut at = at;
        for (text, tokens) in texts.iter().zip(&encoded) {
            self.check(text, tokens, at)?;
            at += text.len() as u64;
        }
        Ok(encoded)
    }

    /// Whether the tokens of two texts are those of the texts as one.
    pub(super) fn is_cut(&self, before: &[u8], after: &[u8]) -> Result<bool, String> {
        let whole = [before, after].concat();
        let tokens = self.tokens(&[before, after, &whole], 0)?;
        Ok([&tokens[0][..], &tokens[1]].concat() == tokens[2])
    }

    /// Runs of UTF-8 go through the tokenizer, other bytes are tokens of their own.
    fn tokens(&self, texts: &[&[u8]], at: u64) -> Result<Vec<Vec<i32>>, String> {
        let runs = texts.iter().flat_map(|text| text.utf8_chunks());
        let runs: Vec<&str> = (runs.map(|chunk| chunk.valid()))
            .filter(|run| !run.is_empty())
            .collect();
        let mut encoded = (self.inner.encode_batch_fast(runs, false))
            .map_err(|cause| format!("cannot encode the text: {cause}"))?
            .into_iter();
        let mut at = at;
        let mut all = Vec::with_capacity(texts.len());
        for text in texts {
            let mut tokens = Vec::new();
            let mut inside = at;
            for chunk in text.utf8_chunks() {
                if !chunk.valid().is_empty()
                    && let Some(run) = encoded.next()
                {
                    tokens.extend(run.get_ids().iter().map(|&id| id as i32));
                }
                inside += chunk.valid().len() as u64;
                for byte in chunk.invalid() {
                    let token = self.single[usize::from(*byte)].ok_or_else(|| {
                        format!(
                            "has no token for the byte 0x{byte:02X} at byte {inside} of the text"
                        )
                    })?;
                    tokens.push(token);
                    inside += 1;
                }
            }
            at += text.len() as u64;
            all.push(tokens);
        }
        Ok(all)
    }

    /// Refuses tokens whose bytes are not the text.
    fn check(&self, text: &[u8], tokens: &[i32], at: u64) -> Result<(), String> {
        let mut inside = 0;
        for &token in tokens {
            let bytes = self.bytes_of(token);
            if !text[inside..].starts_with(bytes) || bytes.is_empty() {
                return Err(self.difference(text, inside, (token, tokens), at));
            }
            inside += bytes.len();
        }
        if inside < text.len() {
            let place = at + inside as u64;
            let rest = start(&text[inside..]);
            return Err(format!(
                "has no token for {rest} at byte {place} of the text"
            ));
        }
        Ok(())
    }

    /// Where in a text, from which a token was made, a byte is that the vocabulary lacks.
    fn lacking(&self, text: &[u8], token: i32) -> Option<usize> {
        let made_from = text.iter().take(self.bytes_of(token).len() + 1);
        (made_from.copied()).position(|byte| self.single[usize::from(byte)].is_none())
    }

    fn difference(
        &self,
        text: &[u8],
        inside: usize,
        (token, tokens): (i32, &[i32]),
        at: u64,
    ) -> String {
        let place = at + inside as u64;
        let found = start(&text[inside..]);
        match &self.unknown {
            Some((name, unknown)) if tokens.iter().all(|token| token == unknown) => {
                format!("knows nothing of the text, which becomes `{name}` alone, from {found} on")
            }
            Some((name, unknown)) if token == *unknown => {
                format!("has no token for {found} at byte {place} of the text and writes `{name}`")
            }
            _ => {
                if let Some(lacking) = self.lacking(&text[inside..], token) {
                    let place = place + lacking as u64;
                    let found = start(&text[inside + lacking..]);
                    return format!("has no token for {found} at byte {place} of the text");
                }
                let spelled = start(self.bytes_of(token));
                format!(
                    "changes the text: at byte {place} it has {spelled} for {found}, and bits a \
                     byte would mean nothing; use one without normalizer and without a space put \
                     in front"
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
    // Added tokens are found in the text as they are written.
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
