//! Text as tokens of a byte-level BPE.

use std::f64::consts::LN_2;

use miras_data::{DataConfig, Tokenizer};
use miras_spec::RunConfig;
use miras_trainer::Resume;

use crate::support::{Bench, MEMORY, config};

/// 512 tokens, trained on the built-in corpus.
pub(crate) const TOKENIZER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../miras-data/fixtures/stories-512.json"
);

fn on_tokens(bench: &Bench, tokenizer: &str, sets: &[&str]) -> RunConfig {
    let text = bench.path("corpus.txt");
    let lines = |n: u32| format!("On day {n} Anna put the {} key under the lamp.\n", n * n);
    std::fs::write(&text, (0..400).map(lines).collect::<String>()).unwrap();
    let data = format!(
        "data={{ kind = 'text', path = '{}', tokenizer = '{tokenizer}', seq_len = 16 }}",
        text.display()
    );
    config(MEMORY, &[&[data.as_str()], sets].concat())
}

#[test]
fn bits_per_byte_are_all_bits_over_all_bytes() {
    let bench = Bench::new();
    let sets = ["eval.tokens=1000000", "train.accumulate=2"];
    let config = on_tokens(&bench, TOKENIZER, &sets);
    bench.run("run", config.clone());
    let last = |tag: &str| bench.values("run", tag).pop().unwrap().1;

    let DataConfig::Text(text) = &config.data else {
        panic!("text")
    };
    let bytes = std::fs::read(bench.path("corpus.txt")).unwrap();
    let cut = (bytes.len() as f64 * (1.0 - 0.1)) as usize;
    let tokenizer = Tokenizer::open(&text.tokenizer).unwrap();
    let valid = tokenizer.encode(&bytes[cut..]).unwrap();
    // Nothing precedes the first token, so it is not scored.
    let first = tokenizer.decode(&valid[..1]).len();
    let nats = last("eval/loss") * (valid.len() - 1) as f64;
    let expected = nats / LN_2 / (bytes.len() - cut - first) as f64;
    let found = last("eval/bits_per_byte");
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");

    let data = miras_data::open(&config.data, config.train.seed).unwrap();
    let step = config.train.steps - 1;
    let batches = [0..2, 2..4].map(|rows| data.train_batch(step, rows).unwrap());
    let bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
    let expected = last("train/loss") * (4.0 * 16.0) / LN_2 / bytes as f64;
    let found = last("train/bits_per_byte");
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    assert!(bench.said().contains(" tokens of 512)"), "{}", bench.said());
}

#[test]
fn memories_are_carried_along_tokens() {
    let bench = Bench::new();
    let config = on_tokens(&bench, TOKENIZER, &["train.state='carry'"]);
    bench.run("whole", config.clone());
    let mut half = config.clone();
    half.train.steps = 2;
    bench.run("half", half);
    bench.resume("half", config);
    assert_eq!(
        bench.values("whole", "train/loss"),
        bench.values("half", "train/loss")
    );
}

#[test]
fn the_copy_of_the_tokenizer_is_used_and_another_is_refused_before_the_weights_are() {
    let bench = Bench::new();
    let own = bench.path("own.json");
    let json = std::fs::read_to_string(TOKENIZER).unwrap();
    std::fs::write(&own, &json).unwrap();
    let setting = own.to_str().unwrap().to_owned();
    let half = on_tokens(&bench, &setting, &["train.steps=2"]);
    bench.run("run", half);
    bench.run("whole", on_tokens(&bench, &setting, &[]));
    // One more token: the embedding would not fit either.
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut more = json["added_tokens"][0].clone();
    more["id"] = 512.into();
    more["content"] = "<|more|>".into();
    json["added_tokens"].as_array_mut().unwrap().push(more);
    for other in ["bytes", "other.json"] {
        let other = match other {
            "bytes" => other.to_owned(),
            file => {
                std::fs::write(bench.path(file), json.to_string()).unwrap();
                bench.path(file).to_str().unwrap().to_owned()
            }
        };
        let again = on_tokens(&bench, &other, &[]);
        let error = bench.try_run("run", again, Some(Resume::Latest));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("data.tokenizer: the tokenizer of run `run` changed"),
            "{error}"
        );
    }
    // The file that the configuration names changed, and the folder has what it was.
    std::fs::write(&own, json.to_string()).unwrap();
    bench.resume("run", on_tokens(&bench, &setting, &[]));
    let note = format!(
        "note     data.tokenizer: `{setting}` changed since, so the copy in {} is used",
        bench.path("run/tokenizer").display()
    );
    assert!(bench.said().contains(&note), "{}", bench.said());
    let weights = |run: &str| bench.file(run, 4, "model.safetensors");
    assert!(weights("run") == weights("whole"));
}
