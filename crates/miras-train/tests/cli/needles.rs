//! A model of text is fine-tuned on needles in haystacks, and asked for them.

use std::fs;

use serde_json::Value;

use crate::support::{Dir, TINY};

/// A model of text, and a configuration that goes on from its weights with needles.
fn with_a_model() -> Dir {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --name text").done();
    let needles = TINY.replace(
        "seq_len = 32",
        "kind = \"needle\"\nneedle = \"text\"\nhaystack = \"book.txt\"\nseq_len = 420",
    );
    let needles = needles.replace(
        "[train]",
        "[train]\ninit_from = \"runs/text/checkpoints/step-00000004\"",
    );
    dir.file(
        "needles.toml",
        needles.replace("tokens = 64", "tokens = 840"),
    );
    dir.file(
        "book.txt",
        "It was a long way. And on they went! ".repeat(30),
    );
    dir
}

#[test]
fn a_model_of_text_is_fine_tuned_on_them_and_resumes_bit_for_bit() {
    let dir = with_a_model();
    dir.run("run needles.toml --name whole").done();
    dir.run("run needles.toml --name parts --set train.steps=2")
        .done();
    dir.run("run --name parts --resume --set train.steps=4")
        .done();
    let weights = |run: &str| {
        let path = format!("runs/{run}/checkpoints/step-00000004/model.safetensors");
        fs::read(dir.at(&path)).unwrap()
    };
    assert!(weights("whole") == weights("parts"));
    assert!(weights("whole") != weights("text"));
    let lines = dir.read("runs/whole/metrics.jsonl");
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(last["eval/accuracy"].is_f64() && last["eval/bits_per_byte"].is_null());
    // Two rows with seven digits and the blank before them.
    assert_eq!(last["eval/questions"], 16.0, "{last}");

    let said = dir.run("eval whole --json").done().out;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(report["accuracy"].is_f64() && report["bits_per_byte"].is_null());
    let asked = dir
        .run("eval whole --task needle --lengths 420 --depths 2 --samples 2 --answer-tokens 0 --json")
        .done()
        .out;
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["questions"], 4);
    // Of untrained answers the model knows no more than it does of its own data.
    let losses = [&report, &asked].map(|report| report["loss"].as_f64().unwrap());
    assert!((losses[0] - losses[1]).abs() < 1.0, "{losses:?}");
    let written = dir.run("generate whole The --tokens 3").done().out;
    assert!(written.starts_with("The"), "{written}");
}

#[test]
fn a_model_of_text_with_needles_in_some_rows_is_measured_on_text_and_asked_for_them() {
    let dir = Dir::tiny();
    let sets = "--set data.needles=0.5 --set data.seq_len=256 --set eval.tokens=256";
    let trained = dir.run(&format!("run tiny.toml --name planted {sets}"));
    assert!(trained.done().err.contains("needles = 0.5: "));
    dir.run(&format!(
        "run tiny.toml --name text {sets} --set data.needles=0"
    ))
    .done();
    // Rows of evaluations have none, and may be shorter than what is planted.
    for words in ["", "--length 32"] {
        let said = dir.run(&format!("eval planted {words}")).done();
        assert!(!said.err.contains("needles"), "{}", said.err);
    }
    for set in ["data.needles=0.1", "data={needles=0.1}"] {
        for run in ["planted", "text"] {
            dir.run(&format!("eval {run} --set {set}")).refused(
                "error: data.needles = 0.1: needles are planted in rows of training[..]--task needle[..]",
            );
        }
    }
    let asked = "--task needle --kind noise --lengths 420 --depths 2 --samples 2 --answer-tokens 0";
    dir.run(&format!("eval planted {asked}")).done();
    // The same text is held out for both.
    let ran = dir.run("compare planted text").done();
    assert!(!ran.out.contains("not of the same thing"), "{}", ran.out);
    assert!(!ran.out.contains("other data"), "{}", ran.out);
    let ran = dir.run("compare planted text --metric train/loss").done();
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    let note = "not equal: data.needles, so train/loss is not of the same thing everywhere";
    assert!(words.join(" ").contains(note), "{}", ran.out);
    let sweep = TINY
        .replace("seq_len = 32", "seq_len = 256")
        .replace("[train]", "[train]\nseed = 1")
        + "[sweep.axes]\n\"data.needles\" = [0.0, 0.5]\n\
           [sweep.evaluate]\nlengths = [32]\ntokens = 64\n";
    dir.file("many.toml", sweep);
    dir.run("sweep many.toml --dry-run").done();
    dir.run("check tiny.toml --set data.needles=0.5")
        .refused("error: seq_len: a needle and its question[..]seq_len = 32: use seq_len = [..](data.seq_len)[..]");
}

#[test]
fn mistakes_name_the_key() {
    let dir = with_a_model();
    dir.run("check needles.toml --set data.seq_len=100")
        .refused(
            "error: seq_len: a row has a prompt and an answer[..]or more[..](data.seq_len)[..]",
        );
    dir.run("check needles.toml --set data.haystack=nowhere.txt")
        .refused("error: haystack: `nowhere.txt` does not exist[..](data.haystack)[..]");
    dir.run("check needles.toml --set data.needle=noise")
        .refused("error: data.haystack: has no effect with needle = \"noise\"[..]");
    dir.run("check needles.toml --set data.needle=txt")
        .refused("error: unknown value `txt`[..]did you mean `text`[..]");
    dir.run("check needles.toml --set train.state=carry")
        .refused("error: train.state = \"carry\" needs data in order[..]");
}
