//! The tokenizer of bytes in the files of Hugging Face's tokenizers, as their library reads them.

use std::fs;

use miras_data::{Tokenizer, byte_tokenizer_files};

use crate::support::AWKWARD;

fn content(separator: &str, name: &str) -> Vec<u8> {
    let mut files = byte_tokenizer_files(separator.as_bytes()).into_iter();
    files.find(|(file, _)| file == name).unwrap().1
}

#[test]
fn every_text_has_its_bytes_as_tokens_and_is_read_back() {
    let theirs = tokenizers::Tokenizer::from_bytes(content("\n", "tokenizer.json")).unwrap();
    assert_eq!(theirs.get_vocab_size(true), 256);
    let all: String = (0..0x3000)
        .chain(0x1F300..0x1F700)
        .filter_map(char::from_u32)
        .collect();
    for text in [
        AWKWARD,
        &all,
        "",
        " ",
        "Ċ Ġ <|endoftext|>\r\n\n",
        "e\u{301}\u{feff}\u{200d}",
    ] {
        for with_special in [false, true] {
            let encoded = theirs.encode(text, with_special).unwrap();
            let bytes: Vec<u32> = text.bytes().map(u32::from).collect();
            assert_eq!(encoded.get_ids(), bytes, "{text:?}");
            assert_eq!(theirs.decode(encoded.get_ids(), false).unwrap(), text);
        }
    }
    for byte in 0..=255 {
        let token = theirs.id_to_token(byte).unwrap();
        assert_eq!(theirs.token_to_id(&token), Some(byte));
    }
    // It is a byte-level BPE like others.
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in byte_tokenizer_files(b"") {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let ours = Tokenizer::open(folder.path().to_str().unwrap()).unwrap();
    let bytes: Vec<i32> = (0..=255).collect();
    let text: Vec<u8> = (0..=255).collect();
    assert_eq!(ours.encode(&text).unwrap(), bytes);
    assert_eq!(ours.vocab(), 256);
}

#[test]
fn a_text_ends_with_the_token_of_a_separator_of_one_byte() {
    let theirs = tokenizers::Tokenizer::from_bytes(content("", "tokenizer.json")).unwrap();
    for (separator, expected) in [
        ("\n", Some(10)),
        ("~", Some(126)),
        ("\u{1}", Some(1)),
        ("", None),
        ("\n\n", None),
        ("<|endoftext|>", None),
    ] {
        let config: serde_json::Value =
            serde_json::from_slice(&content(separator, "tokenizer_config.json")).unwrap();
        let end = config["eos_token"]
            .as_str()
            .map(|token| theirs.token_to_id(token).unwrap());
        assert_eq!(end, expected, "{separator:?}");
    }
}
