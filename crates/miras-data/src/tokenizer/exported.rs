//! Bytes as tokens, in the files of Hugging Face's tokenizers.

use serde_json::{Map, Value, json};

use super::alphabet;

/// The files of a tokenizer whose tokens are bytes, for other programs: `tokenizer.json`, a
/// byte-level BPE with a token for each byte and no merges, and `tokenizer_config.json`. The number
/// of a token is its byte.
///
/// A separator of one byte is the token that ends a text. A longer one has no token, because the
/// model has 256, and one beyond them would change how a text that holds it is encoded.
pub fn byte_tokenizer_files(separator: &[u8]) -> Vec<(String, Vec<u8>)> {
    let written = |byte: u8| {
        let mut all = alphabet::characters();
        let found = all.find(|(one, _)| *one == byte);
        found.map(|(_, character)| character.to_string())
    };
    let vocab: Map<String, Value> = alphabet::characters()
        .map(|(byte, character)| (character.to_string(), byte.into()))
        .collect();
    // Without its pattern the step only writes bytes as characters.
    let bytes = json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": false,
        "use_regex": false,
    });
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": bytes,
        "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": [],
        },
    });
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        // The character that stands for the last token of a text may also be in a text.
        "split_special_tokens": true,
    });
    if let [byte] = separator {
        config["eos_token"] = written(*byte).into();
    }
    [
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", config),
    ]
    .map(|(name, content)| (name.to_owned(), format!("{content:#}\n").into_bytes()))
    .into()
}
