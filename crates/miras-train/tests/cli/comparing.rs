//! `compare` on runs that were trained: what is one variant, what counts, how it is printed.

use std::fs;

use serde_json::Value;

use crate::support::{Dir, repository};

/// Three seeds are trained in a moment: words that end the name of a run say how.
const QUICK: &str = "--set train.steps=4 --progress quiet";

fn text() -> String {
    let sentence = |at: usize| format!("the lamp of house {} is red. ", at * 7 % 100);
    (0..400).map(sentence).collect::<Vec<_>>().concat()
}

fn compared(dir: &Dir, words: &str) -> Value {
    let ran = dir.run(&format!("compare {words} --format json")).done();
    serde_json::from_str(&ran.out).unwrap()
}

fn count(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

/// Every line of what `compare` prints fits a terminal.
fn fits(dir: &Dir, words: &str) -> String {
    let out = dir.run(&format!("compare {words}")).done().out;
    for line in out.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{out}");
    }
    out
}

#[test]
fn the_same_bytes_at_other_places_are_the_same_data() {
    let dir = Dir::tiny();
    dir.file("a/t.txt", text());
    dir.file("b/copy.txt", text());
    dir.file("c/v.txt", "another text for validation. ".repeat(40));
    dir.file("d/w.txt", "another text for validation. ".repeat(40));
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    let tokenizer = fs::read(fixture).unwrap();
    dir.file("own.json", &tokenizer);
    dir.file("e/tokenizer.json", &tokenizer);
    dir.run(&format!(
        "run tiny.toml --name seeded --set \
         data={{kind='text',path='a/t.txt',tokenizer='own.json',seq_len=32}} {QUICK}"
    ))
    .done();
    for to in ["one", "two"] {
        dir.run(&format!("export seeded --out {to}")).done();
    }
    for (seed, data, valid, tokenizer, weights) in [
        (1, "'a/t.txt'", "'c/v.txt'", "own.json", "one"),
        (
            2,
            "['b/copy.txt']",
            "'d/*.txt'",
            "e",
            "two/model.safetensors",
        ),
        (3, "'b/c*.txt'", "['d']", "own.json", "one"),
    ] {
        dir.run(&format!(
            "run tiny.toml --name own-s{seed} --set \
             data={{kind='text',path={data},valid_path={valid},tokenizer='{tokenizer}',seq_len=32}} \
             --set train.init_from={weights} --set train.seed={seed} {QUICK}"
        ))
        .done();
    }
    let all = compared(&dir, "own-s1 own-s2 own-s3");
    assert_eq!(count(&all["variants"]), 1, "{all}");
    assert_eq!(all["variants"][0]["n"], 3);
    assert_eq!(count(&all["warnings"]), 0, "{all}");
    // Another text at the same path is another variant.
    dir.file("a/t.txt", text() + "more");
    dir.run(&format!(
        "run tiny.toml --name own-s4 --set \
         data={{kind='text',path='a/t.txt',valid_path='c/v.txt',tokenizer='own.json',seq_len=32}} \
         --set train.init_from=one --set train.seed=4 {QUICK}"
    ))
    .done();
    let other = compared(&dir, "own-s1 own-s4");
    assert_eq!(other["differing"], serde_json::json!(["data.path"]));
    fits(&dir, "own-s1 own-s2 own-s3 own-s4");
}

#[test]
fn skipped_steps_cut_off_files_and_controls() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --name plain-s1 --progress quiet")
        .done();
    dir.run("run tiny.toml --name plain-s2 --set train.seed=2 --set eval.controls=['read_zero'] --progress quiet")
        .done();
    dir.run(
        "run tiny.toml --name burst --set optim.lr=1e30 --set train.steps=20 --set log.every=7 \
         --set train.on_nonfinite=skip --set train.max_skips=100 --set checkpoint.every=0 --progress quiet",
    )
    .done();
    let all = compared(&dir, "plain-s1 plain-s2 burst");
    assert_eq!(all["variants"][0]["n"], 2, "{all}");
    assert_eq!(count(&all["failed"]), 1, "{all}");
    let reason = all["failed"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("skipped 1") && reason.contains("of its 20 steps"),
        "{reason}"
    );
    fits(&dir, "plain-s1 plain-s2 burst");

    let file = dir.at("runs/plain-s1/metrics.jsonl");
    let whole = fs::read(&file).unwrap();
    let before = compared(&dir, "plain-s1");
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let after = compared(&dir, "plain-s1");
    assert_eq!(after["variants"][0]["mean"], before["variants"][0]["mean"]);
    assert_eq!(count(&before["warnings"]), 0, "{before}");
    let warned = after["warnings"][0].as_str().unwrap();
    assert!(
        warned.starts_with("incomplete: metrics.jsonl of plain-s1"),
        "{warned}"
    );
}

#[test]
fn a_run_that_was_killed_is_compared_at_the_tokens_that_both_have() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --name whole --set train.steps=8 --progress quiet")
        .done();
    dir.run("run tiny.toml --name killed --set optim.lr=1e-4 --progress quiet")
        .done();
    fs::remove_file(dir.at("runs/killed/summary.json")).unwrap();
    // Four steps of two rows of 32 tokens.
    let all = compared(&dir, "whole killed");
    assert_eq!(all["at_tokens"], 256, "{all}");
    assert_eq!(count(&all["variants"]), 2);
    assert!(
        all["variants"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["tokens"] == 256.0)
    );
    let out = fits(&dir, "whole killed");
    assert!(
        out.contains("compared after 256 tokens of training"),
        "{out}"
    );
    let end = compared(&dir, "whole killed --at end");
    assert_eq!(
        (&end["at_tokens"], count(&end["failed"])),
        (&Value::Null, 1)
    );
    assert_eq!(compared(&dir, "whole killed --at 128")["at_tokens"], 128);
    let wrong = dir.run("compare whole --at soon").ended(2);
    assert!(
        wrong.err.contains("give end, common or a number of tokens"),
        "{}",
        wrong.err
    );
}

#[cfg(unix)]
#[test]
fn a_recall_sweep_draws_all_its_seeds_and_finds_all_data_equal() {
    let dir = Dir::tiny();
    let tiny = dir.read("tiny.toml").replace(
        "[data]\nseq_len = 32",
        "[data]\nkind = \"mqar\"\nseq_len = 32\nvocab = 32\npairs = 4\ngap = 4\nqueries = 1",
    );
    let sweep = "\n[sweep]\nseeds = [1, 2, 3]\nmetric = \"eval/accuracy\"\n\
                 [sweep.axes]\n\"memory.depth\" = [1, 2]\n\
                 [sweep.evaluate]\nlengths = [32, 64]\ntokens = 128\n";
    dir.file("recall.toml", tiny + sweep);
    dir.run("sweep recall.toml --progress quiet").done();
    let all = compared(&dir, "recall");
    // The memories are not of one size; data are equal.
    let warnings = all["warnings"].as_array().unwrap().iter();
    let warnings: Vec<&str> = warnings.map(|one| one.as_str().unwrap()).collect();
    assert!(
        warnings
            .iter()
            .all(|one| one.starts_with("not equal: parameters")),
        "{warnings:?}"
    );
    assert_eq!(count(&all["variants"]), 2);
    let first = &all["variants"][0];
    assert_eq!(
        (&first["n"], &first["runs"][0]["data"]),
        (&3.into(), &first["runs"][1]["data"])
    );
    // One batch of two rows, each with four questions.
    assert_eq!(all["resolution"], 0.125, "{all}");
    for variant in all["variants"].as_array().unwrap() {
        assert!(variant["p"].as_f64().is_none_or(|p| p > 0.0), "{variant}");
        assert_ne!(variant["verdict"], "worse", "eight questions tell nothing");
    }
    for (plot, places) in [("accuracy-by-pairs", 1), ("loss-by-length", 2)] {
        let svg = dir.read(&format!("runs/recall/compare/plots/{plot}.svg"));
        assert!(svg.contains("standard deviation over seeds"), "{plot}");
        // A ring a seed at each place, for both depths.
        let circles = svg.matches("<circle").count();
        assert!(circles >= places * 2 * 4, "{plot}: {circles}");
    }
    fits(&dir, "recall");
    // Two rows of 64 tokens as well have four questions each.
    let by_rows = compared(&dir, "recall --metric rows/64/live/accuracy");
    assert_eq!(by_rows["resolution"], 0.125, "{by_rows}");
    fits(&dir, "recall --metric rows/64/live/accuracy");

    let power = dir.run("sweep recall.toml --power 0.01").done().out;
    // Eight questions: a spread of one of them at least, so hundreds of seeds.
    let row = power.lines().find(|line| line.contains("depth=")).unwrap();
    let seeds: Vec<usize> = (row.split_whitespace().rev().take(2))
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(seeds[1] >= 1000 && seeds[0] > seeds[1], "{power}");
    let by_rows = dir.run("sweep recall.toml --power 0.01 --metric rows/32/live/loss");
    let out = by_rows.done().out;
    assert!(out.contains("Differences of rows/32/live/loss"), "{out}");
    for (wrong, said) in [
        (
            "--power 0.01 --name another",
            "no sweep in runs/another yet",
        ),
        ("--power 0", "a number above 0"),
        ("--metric eval/loss", "--power <DIFFERENCE>"),
        (
            "--power 0.01 --metric rows/32/live/lost",
            "did you mean `rows/32/live/loss`?",
        ),
        ("--power 0.01 --resume", "cannot be used with"),
    ] {
        dir.run(&format!("sweep recall.toml {wrong}"))
            .refused(&format!("[..]{said}[..]"));
    }
}
