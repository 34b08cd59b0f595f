//! `estimate` and `bench`.

use serde_json::Value;

use crate::{
    classes::table,
    presets::toml_files,
    series::series,
    support::{Dir, repository},
};

fn json(dir: &Dir, words: &str) -> Value {
    let out = dir.run(&format!("{words} --json")).done().out;
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words}: {error}\n{out}"))
}

#[test]
fn estimate_gives_numbers_for_every_configuration() {
    let dir = Dir::new();
    dir.file("sequences.csv", table());
    dir.file("ETTh1.csv", series(14_400));
    let files = toml_files(&repository().join("configs"));
    // A sweep is many configurations: `sweep --dry-run` says what they take.
    for file in files
        .iter()
        .filter(|file| !file.parent().unwrap().ends_with("sweeps"))
    {
        let file = file.display();
        let found = json(&dir, &format!("estimate {file}"));
        for key in [
            "parameters",
            "state_bytes",
            "flops_per_token_fwd",
            "flops_per_token_fwd_bwd",
            "train_peak_bytes",
        ] {
            assert!(found[key].as_f64() > Some(0.0), "{file}: {key} in {found}");
        }
        let number = |key: &str| found[key].as_u64().unwrap();
        assert!(number("memory_parameters") < number("parameters"));
        let parts = [
            "weight",
            "gradient",
            "optimizer",
            "activation",
            "state",
            "workspace",
        ];
        let sum: u64 = (parts.iter())
            .map(|part| number(&format!("train_{part}_bytes")))
            .sum();
        assert_eq!(sum, number("train_peak_bytes"), "{file}");
    }
    assert!(!dir.at("runs").exists(), "an estimate leaves nothing");
}

#[test]
fn estimate_needs_no_data() {
    let dir = Dir::tiny();
    let text = "--set data={kind='text',path='nowhere.txt'}";
    let found = json(&dir, &format!("estimate tiny.toml {text}"));
    assert_eq!(found["vocab"], 256);
    let recall = json(
        &dir,
        "estimate tiny.toml --set data={kind='mqar',vocab=64,seq_len=128}",
    );
    assert_eq!(recall["vocab"], 64);
}

#[test]
fn the_tokenizer_is_opened_and_its_mistakes_are_those_of_run() {
    let dir = Dir::tiny();
    dir.file("a.txt", "the lamp was red and ".repeat(200));
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    let text = |tokenizer: &str| {
        format!("--set data={{kind='text',path='a.txt',tokenizer='{tokenizer}'}}")
    };
    let found = json(
        &dir,
        &format!("estimate tiny.toml {}", text(&fixture.to_string_lossy())),
    );
    assert_eq!(found["vocab"], 512);
    let said = |command: &str| {
        let words = format!("{command} tiny.toml {}", text("nowhere.json"));
        dir.run(&words).ended(2).err
    };
    let by_run = said("run");
    assert!(by_run.contains("(data.tokenizer)"), "{by_run}");
    assert_eq!(said("estimate"), by_run);
    assert_eq!(said("bench"), by_run);
}

#[test]
fn estimate_says_the_same_to_people() {
    let dir = Dir::tiny();
    let text = dir.run("estimate tiny.toml").done().out;
    let parameters = json(&dir, "estimate tiny.toml")["parameters"].to_string();
    for word in [
        &*parameters,
        "fast weights",
        "state",
        "FLOPs a token",
        "training memory",
        "2 x 32 tokens",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let attention = dir.run("estimate --set mixer.kind=attention").done().out;
    assert!(attention.contains("a token of the past"), "{attention}");
}

#[test]
fn bench_measures_what_it_was_asked_for() {
    let dir = Dir::tiny();
    let words = "bench tiny.toml --batch 3 --seq 9 --chunk 4 --repeats 2 --device cpu";
    let whole = json(&dir, words);
    for (key, value) in [("batch", 3), ("seq", 9), ("chunk", 4), ("repeats", 2)] {
        assert_eq!(whole[key], value, "{key}");
    }
    assert_eq!(whole["device"], "cpu");
    assert_eq!(whole["config"], "tiny");
    assert_eq!(whole["layer"], false);
    for key in ["fwd_tokens_per_s", "fwd_bwd_tokens_per_s"] {
        let spread = &whole[format!("{key}_spread")];
        let number = |value: &Value| value.as_f64().unwrap();
        assert!(number(&whole[key]) > 0.0, "{whole}");
        assert!(number(&spread["min"]) <= number(&whole[key]), "{whole}");
        assert!(number(&whole[key]) <= number(&spread["max"]), "{whole}");
    }
    assert_eq!(whole["peak_bytes"].is_u64(), cfg!(target_os = "linux"));
    assert_eq!(whole["launches"], Value::Null);
    let estimated = json(&dir, "estimate tiny.toml");
    assert_eq!(whole["parameters"], estimated["parameters"]);

    let layer = json(&dir, &format!("{words} --layer"));
    assert_eq!(layer["layer"], true);
    assert!(layer["parameters"].as_u64() < whole["parameters"].as_u64());

    let text = dir.run("bench tiny.toml --repeats 1").done().out;
    for word in [
        "2 x 32 tokens",
        "forward+backward",
        "tokens/s",
        "peak memory",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let attention = json(
        &dir,
        "bench --set mixer={kind='attention',heads=2} --set model.dim=8 --seq 4",
    );
    assert_eq!(attention["chunk"], Value::Null);
    assert!(!dir.at("runs").exists(), "a measurement leaves nothing");
}

#[test]
fn mistakes_are_refused_as_by_run() {
    let dir = Dir::tiny();
    let said = |words: &str, code: i32| dir.run(words).ended(code).err;
    for command in ["estimate", "bench"] {
        let error = said(&format!("{command} tiny.toml --set memory.detph=2"), 2);
        assert!(error.contains("did you mean `depth`?"), "{error}");
        said(&format!("{command} missing.toml"), 2);
    }
    let error = said("bench --set mixer.kind=attention --chunk 4", 2);
    assert!(error.contains("has no [algorithm]"), "{error}");
    let error = said("bench tiny.toml --chunk 0", 2);
    assert!(error.contains("--set:1:"), "{error}");
    for flag in ["--batch", "--seq", "--repeats"] {
        dir.run(&format!("bench tiny.toml {flag} 0"))
            .refused(&format!("error: {flag} must be 1 or more"));
    }
    let error = said("bench tiny.toml --batch 1000000 --seq 1000000", 2);
    assert!(error.contains("are more than"), "{error}");
    let error = said("bench tiny.toml --device cpu --launches", 2);
    assert!(error.contains("`cuda` and `wgpu` do"), "{error}");
    let error = said("bench tiny.toml --device abacus", 2);
    assert!(error.contains("unknown device `abacus`"), "{error}");
}
