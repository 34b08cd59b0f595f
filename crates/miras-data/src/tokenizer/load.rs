//! Tokenizers from the contents of their files.

use std::collections::BTreeMap;

use serde_json::Value;
use tokenizers::{
    ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer,
    models::bpe::{BPE, Merges, Vocab},
    pre_tokenizers::byte_level::ByteLevel,
};

use super::files::Source;

const EXPECTED: &str =
    "byte-level BPE as of GPT-2, Llama 3 or Qwen: its tokens are bytes put together";

/// A byte-level BPE tokenizer that always gives a text the same tokens.
pub(super) fn tokenizer(source: Source) -> Result<Tokenizer, String> {
    let mut tokenizer = match source {
        Source::Whole(json) => from_whole(&json)?,
        Source::Pair { vocab, merges } => from_pair(&vocab, &merges)?,
    };
    let ModelWrapper::BPE(model) = tokenizer.get_model() else {
        let kind = match tokenizer.get_model() {
            ModelWrapper::WordPiece(_) => "WordPiece",
            ModelWrapper::WordLevel(_) => "WordLevel",
            _ => "Unigram",
        };
        return Err(format!("holds a {kind} model, expected {EXPECTED}"));
    };
    let is_byte_level = tokenizer.get_pre_tokenizer().is_some_and(splits_bytes)
        || tokenizer.get_normalizer().is_some_and(writes_bytes);
    if !is_byte_level {
        return Err(format!("is BPE over characters, expected {EXPECTED}"));
    }
    // Dropout would make tokens random; truncation and padding would change their number.
    let mut model = model.clone();
    model.dropout = None;
    tokenizer.with_model(model);
    tokenizer.with_padding(None);
    (tokenizer.with_truncation(None)).map_err(|cause| cause.to_string())?;
    Ok(tokenizer)
}

/// The name of the token for unknown text.
pub(super) fn unknown(tokenizer: &Tokenizer) -> Option<String> {
    match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.clone(),
        _ => None,
    }
}

/// The Unicode normal form of the normalizer.
pub(super) fn unicode_form(tokenizer: &Tokenizer) -> Option<&'static str> {
    fn form(normalizer: &NormalizerWrapper) -> Option<&'static str> {
        match normalizer {
            NormalizerWrapper::NFC(_) => Some("NFC"),
            NormalizerWrapper::NFD(_) => Some("NFD"),
            NormalizerWrapper::NFKC(_) => Some("NFKC"),
            NormalizerWrapper::NFKD(_) => Some("NFKD"),
            NormalizerWrapper::Sequence(list) => list.as_ref().iter().find_map(form),
            _ => None,
        }
    }
    tokenizer.get_normalizer().and_then(form)
}

fn from_whole(bytes: &[u8]) -> Result<Tokenizer, String> {
    let unreadable = |cause: String| format!("is no tokenizer.json that can be read: {cause}");
    let json: Value =
        serde_json::from_slice(bytes).map_err(|cause| unreadable(cause.to_string()))?;
    let model = &json["model"];
    if let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) {
        // These marks belong to BPE over characters, not bytes.
        for mark in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if model[mark].as_str().is_some_and(|mark| !mark.is_empty()) {
                return Err(format!("has a {mark}, expected {EXPECTED}"));
            }
        }
        for merge in merges {
            let pair = match merge {
                Value::String(line) => line.split_once(' '),
                other => other[0].as_str().zip(other[1].as_str()),
            };
            let (left, right) =
                pair.ok_or_else(|| unreadable(format!("{merge} is not a merge of two tokens")))?;
            check_merge(left, right, |token| vocab.contains_key(token))?;
        }
    }
    Tokenizer::from_bytes(bytes).map_err(|cause| unreadable(cause.to_string()))
}

/// A tokenizer from the two files of GPT-2.
fn from_pair(vocab: &[u8], merges: &[u8]) -> Result<Tokenizer, String> {
    let vocab: BTreeMap<String, u32> = serde_json::from_slice(vocab).map_err(|cause| {
        format!("has a vocabulary that is no JSON table of tokens and their numbers: {cause}")
    })?;
    let merges =
        str::from_utf8(merges).map_err(|_| "has merges that are not UTF-8 text".to_owned())?;
    let mut pairs: Merges = Vec::new();
    for (at, line) in merges.lines().enumerate() {
        if line.is_empty() || (at == 0 && line.starts_with("#version")) {
            continue;
        }
        let pair = line.split_once(' ');
        let Some((left, right)) = pair.filter(|(_, right)| !right.contains(' ')) else {
            return Err(format!(
                "has merges whose line {} is not two tokens with a space between: {line:?}",
                at + 1
            ));
        };
        check_merge(left, right, |token| vocab.contains_key(token))?;
        pairs.push((left.to_owned(), right.to_owned()));
    }
    let vocab: Vocab = vocab.into_iter().collect();
    let model = (BPE::builder().vocab_and_merges(vocab, pairs).build())
        .map_err(|cause| format!("cannot be put together: {cause}"))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, true)));
    Ok(tokenizer)
}

/// Refuses merges that do not fit the vocabulary, which the library does not check.
fn check_merge(left: &str, right: &str, is_token: impl Fn(&str) -> bool) -> Result<(), String> {
    let whole = format!("{left}{right}");
    match [left, right, &whole]
        .into_iter()
        .find(|token| !is_token(token))
    {
        None => Ok(()),
        Some(token) => Err(format!(
            "has merges that do not fit its vocabulary: `{left} {right}` needs a token `{token}`"
        )),
    }
}

fn splits_bytes(pre_tokenizer: &PreTokenizerWrapper) -> bool {
    match pre_tokenizer {
        PreTokenizerWrapper::ByteLevel(_) => true,
        PreTokenizerWrapper::Sequence(list) => list.as_ref().iter().any(splits_bytes),
        _ => false,
    }
}

fn writes_bytes(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::ByteLevel(_) => true,
        NormalizerWrapper::Sequence(list) => list.as_ref().iter().any(writes_bytes),
        _ => false,
    }
}
