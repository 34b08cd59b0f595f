use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    path::Path,
};

use tokenizers::{
    AddedToken, PostProcessorWrapper, TokenizerBuilder,
    decoders::byte_level::ByteLevel,
    models::bpe::{BPE, BpeTrainer},
    normalizers::NormalizerWrapper,
};

use miras_data::{DataConfig, Tokenizer, open};

use crate::support::{AWKWARD, tokenizer, tokenizer_path as path};

/// The text of the built-in corpus' training part.
fn stories() -> String {
    let data = open(&DataConfig::default(), 1).unwrap();
    let mut text = Vec::new();
    for step in 0..data.stream_steps(1).unwrap() {
        let batch = data.stream_batch(step, 0..1, 1).unwrap();
        text.extend(Tokenizer::bytes().decode(&batch.inputs));
    }
    String::from_utf8(text).unwrap()
}

/// How the file of the testkit is made: `UPDATE_FIXTURES=1 cargo test` writes it.
#[test]
fn the_small_tokenizer_is_what_training_on_the_stories_gives() {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(511)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build();
    let byte_level = ByteLevel::new(false, false, true);
    let mut made = TokenizerBuilder::<BPE, NormalizerWrapper, _, PostProcessorWrapper, _>::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(byte_level))
        .with_post_processor(None)
        .with_decoder(Some(byte_level))
        .build()
        .unwrap();
    made.train(&mut trainer, [stories()].into_iter()).unwrap();
    made.add_special_tokens([AddedToken::from("<|end|>", true)])
        .unwrap();
    let json = made.to_string(false).unwrap();
    if env::var_os("UPDATE_FIXTURES").is_some() {
        fs::create_dir_all(path().parent().unwrap()).unwrap();
        fs::write(path(), &json).unwrap();
    }
    assert!(json.len() < 30_000, "{}", json.len());
    assert!(
        fs::read_to_string(path()).unwrap() == json,
        "make the file anew with UPDATE_FIXTURES=1"
    );
}

#[test]
fn tokens_spell_the_text_whatever_it_is() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.vocab(), 512);
    let every_byte: Vec<u8> = (0..=255).collect();
    let cut_off = "中文".as_bytes()[1..5].to_vec();
    for text in [
        b"" as &[u8],
        b"Anna put the red key under the lamp.",
        AWKWARD.as_bytes(),
        &every_byte,
        &cut_off,
    ] {
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&tokens), text);
        assert!(tokens.iter().all(|token| (0..512).contains(token)));
    }
    let stories = stories();
    let tokens = tokenizer.encode(stories.as_bytes()).unwrap();
    assert!(tokens.len() * 2 < stories.len(), "{}", tokens.len());
}

#[test]
fn added_tokens_are_found_in_the_text() {
    let tokenizer = tokenizer();
    let tokens = tokenizer.encode(b"a<|end|>b").unwrap();
    assert_eq!(tokens.len(), 3);
    assert_eq!((tokens[1], tokenizer.decode(&[511]).len()), (511, 7));
    assert_eq!(tokenizer.decode(&tokens), b"a<|end|>b");
}

#[test]
fn bytes_are_tokens_too() {
    let bytes = Tokenizer::open("bytes").unwrap();
    assert_eq!(bytes.vocab(), 256);
    assert_eq!(bytes.fingerprint(), None);
    let text = [0, 200, 255];
    assert_eq!(bytes.encode(&text).unwrap(), [0, 200, 255]);
    assert_eq!(bytes.decode(&[0, 200, 255, -1, 256]), text);
}

#[test]
fn every_form_of_one_tokenizer_gives_the_same_tokens() {
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].to_string();
    let pair = |merge: &serde_json::Value| {
        let words: Vec<_> = (merge.as_array().unwrap().iter())
            .map(|word| word.as_str().unwrap())
            .collect();
        words.join(" ") + "\n"
    };
    let merges = json["model"]["merges"].as_array().unwrap();
    let merges = "#version: 0.2\n".to_owned() + &merges.iter().map(pair).collect::<String>();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for folder in ["new", "whole"] {
        write(&format!("{folder}/vocab.json"), vocab.as_bytes());
        write(&format!("{folder}/merges.txt"), merges.as_bytes());
    }
    write("whole/tokenizer.json", &fs::read(path()).unwrap());
    write("old/encoder.json.gz", &gz(vocab.as_bytes()));
    write("old/vocab.bpe.gz", &gz(merges.as_bytes()));
    write("own/mine.json", vocab.as_bytes());
    write("own/merges.txt", merges.as_bytes());

    let text = AWKWARD.replace("<|end|>", "");
    let expected = tokenizer().encode(text.as_bytes()).unwrap();
    let mut fingerprints = Vec::new();
    for (name, tokens) in [
        ("new", 511),
        ("new/vocab.json", 511),
        ("new/merges.txt", 511),
        ("old", 511),
        ("old/encoder.json.gz", 511),
        ("own/mine.json", 511),
        ("whole", 512),
        ("whole/tokenizer.json", 512),
    ] {
        let path = folder.path().join(name);
        let tokenizer = Tokenizer::open(path.to_str().unwrap()).unwrap();
        assert_eq!(tokenizer.vocab(), tokens, "{name}");
        assert_eq!(
            tokenizer.encode(text.as_bytes()).unwrap(),
            expected,
            "{name}"
        );
        fingerprints.push((tokens, tokenizer.fingerprint().unwrap().to_owned()));
    }
    // The files count, not where they are.
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 2, "{fingerprints:?}");
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A text and the tokens that another program gives it.
#[derive(serde::Deserialize)]
struct Golden {
    text: String,
    ids: Vec<i32>,
    /// Which pattern cuts the text into words, and the pattern.
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    regex: String,
}

/// `scripts/bpe-golden.py`, an implementation of its own, makes the file.
#[test]
fn texts_have_the_ids_of_an_independent_program() {
    let folder = tempfile::tempdir().unwrap();
    let file: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let lines = path().with_file_name("stories-512.golden.jsonl");
    let mut compared = BTreeMap::new();
    for line in fs::read_to_string(lines).unwrap().lines() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        let changed = folder.path().join(&golden.pattern);
        // GPT-2's pattern is the one that byte-level files have built in.
        if golden.pattern == "gpt2" {
            fs::write(&changed, file.to_string()).unwrap();
        } else {
            let mut file = file.clone();
            file["pre_tokenizer"] = serde_json::json!({ "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": golden.regex }, "behavior": "Isolated",
                  "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                  "use_regex": false },
            ] });
            fs::write(&changed, file.to_string()).unwrap();
        }
        let tokenizer = Tokenizer::open(changed.to_str().unwrap()).unwrap();
        let ids = tokenizer.encode(golden.text.as_bytes()).unwrap();
        assert_eq!(ids, golden.ids, "{} {:?}", golden.pattern, golden.text);
        assert_eq!(tokenizer.decode(&ids), golden.text.as_bytes());
        *compared.entry(golden.pattern).or_insert(0) += ids.len();
    }
    let patterns: Vec<&str> = compared.keys().map(String::as_str).collect();
    assert_eq!(patterns, ["gpt2", "llama3", "qwen2"]);
    assert!(
        compared.values().all(|tokens| *tokens > 1000),
        "{compared:?}"
    );
}

/// A folder with a tokenizer and `golden.jsonl`, lines of `text` and the `ids` that another
/// program gives it:
/// `MIRAS_GOLDEN=FOLDER cargo test --workspace --test it golden -- --ignored --nocapture`.
#[test]
#[ignore = "needs a folder in MIRAS_GOLDEN"]
fn golden_texts_have_the_ids_of_another_program() {
    let folder = env::var("MIRAS_GOLDEN").expect("MIRAS_GOLDEN names a folder");
    let tokenizer = Tokenizer::open(&folder).unwrap();
    let lines = fs::read_to_string(Path::new(&folder).join("golden.jsonl")).unwrap();
    let (mut texts, mut tokens, mut bytes) = (0, 0, 0);
    for line in lines.lines() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        let ids = tokenizer.encode(golden.text.as_bytes()).unwrap();
        assert_eq!(ids, golden.ids, "{:?}", golden.text);
        assert_eq!(tokenizer.decode(&ids), golden.text.as_bytes());
        texts += 1;
        tokens += ids.len();
        bytes += golden.text.len();
    }
    assert!(texts > 0);
    let vocab = tokenizer.vocab();
    let report = format!("{texts} texts of {bytes} bytes: {tokens} tokens of {vocab}, all equal");
    writeln!(io::stdout(), "{report}").unwrap();
}
