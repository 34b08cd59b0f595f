use std::{env, fs, sync::Arc};

use super::{blocks::Blocks, *};
use crate::source::Span;

const TOKENIZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/stories-512.json");
const AWKWARD: &str = include_str!("../../fixtures/awkward.txt");

fn tokenizer() -> Tokenizer {
    Tokenizer::open(TOKENIZER).unwrap()
}

/// The blocks of a text.
fn blocks(text: &[u8], tokenizer: &Tokenizer, sizes: (usize, usize)) -> Vec<Vec<u8>> {
    let span = Span::whole(Arc::new(text.to_vec()));
    let mut blocks = Blocks::new(&span, tokenizer, sizes);
    let mut all = Vec::new();
    while let Some(block) = blocks.next().unwrap() {
        assert!(!block.is_empty() && block.len() <= sizes.1);
        all.push(block);
    }
    assert_eq!(all.concat(), text);
    all
}

fn tokens(blocks: &[Vec<u8>], tokenizer: &Tokenizer) -> Vec<i32> {
    let slices: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    tokenizer.encode_all(&slices).unwrap().concat()
}

#[test]
fn blocks_have_the_tokens_of_the_whole_text() {
    let tokenizer = tokenizer();
    let text = AWKWARD;
    let whole = tokenizer.encode(text.as_bytes()).unwrap();
    for size in [300, 301, 512, 700, 1000, 4000] {
        let blocks = blocks(text.as_bytes(), &tokenizer, (size, 1 << 14));
        assert!(blocks.len() > 1, "{size}: {}", blocks.len());
        assert_eq!(tokens(&blocks, &tokenizer), whole, "{size}");
    }
}

#[test]
fn text_without_lines_is_cut_at_spaces_and_white_space_never() {
    let tokenizer = tokenizer();
    for (text, at_least) in [
        ("the lamp was red and ".repeat(300), 10),
        ("the lamp\r\nwas red\r\n".repeat(300), 10),
        ("\n \n".repeat(2000), 1),
        ("中文字。\n".repeat(500), 10),
        ("x".repeat(6000), 1),
    ] {
        let blocks = blocks(text.as_bytes(), &tokenizer, (512, 1 << 14));
        assert!(blocks.len() >= at_least, "{}", &text[..20]);
        let whole = tokenizer.encode(text.as_bytes()).unwrap();
        assert_eq!(tokens(&blocks, &tokenizer), whole, "{}", &text[..20]);
    }
}

#[test]
fn text_without_a_place_to_cut_is_cut_between_characters() {
    let tokenizer = tokenizer();
    for text in ["x".repeat(5000), "中".repeat(1700), "😀".repeat(1300)] {
        let blocks = blocks(text.as_bytes(), &tokenizer, (512, 1024));
        assert!(blocks.len() > 4);
        assert!(blocks.iter().all(|block| str::from_utf8(block).is_ok()));
        let tokens = tokens(&blocks, &tokenizer);
        assert_eq!(tokenizer.decode(&tokens), text.as_bytes());
    }
}

#[test]
fn a_tokenizer_that_joins_lines_is_not_cut_there() {
    // Without a pattern, a line end merges with what follows it.
    let json = fs::read_to_string(TOKENIZER).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    json["pre_tokenizer"]["use_regex"] = false.into();
    json["added_tokens"][0]["id"] = 512.into();
    json["model"]["vocab"]["ĊA"] = 511.into();
    let merges = json["model"]["merges"].as_array_mut().unwrap();
    merges.push(serde_json::json!(["Ċ", "A"]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("joins.json");
    fs::write(&path, json.to_string()).unwrap();
    let joins = Tokenizer::open(path.to_str().unwrap()).unwrap();
    assert!(joins.encode(b"x\nAx").unwrap().contains(&511));

    let text = "Anna was here.\nAll was well.\n".repeat(200);
    let blocks = blocks(text.as_bytes(), &joins, (600, 1 << 14));
    assert!(blocks.len() > 1);
    let whole = joins.encode(text.as_bytes()).unwrap();
    assert_eq!(tokens(&blocks, &joins), whole);
}

/// A tokenizer of your own on a text of your own: as for `golden`, with a file in `MIRAS_TEXT`.
#[test]
#[ignore = "needs a folder in MIRAS_GOLDEN and a file in MIRAS_TEXT"]
fn golden_blocks_have_the_tokens_of_the_whole_text() {
    let tokenizer = Tokenizer::open(&env::var("MIRAS_GOLDEN").unwrap()).unwrap();
    let text = fs::read(env::var("MIRAS_TEXT").unwrap()).unwrap();
    let whole = tokenizer.encode(&text).unwrap();
    for size in [1 << 10, 1 << 12, 1 << 18] {
        let blocks = blocks(&text, &tokenizer, (size, 1 << 22));
        assert!(tokens(&blocks, &tokenizer) == whole, "{size}");
    }
}
