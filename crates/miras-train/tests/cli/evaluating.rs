//! What `eval` reads, says and leaves behind, and what `compare` makes of it.

use std::{fs, process::Stdio, thread, time::Duration};

use crate::support::Dir;

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn reports(dir: &Dir, run: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.at(run))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("eval"))
        .collect();
    names.sort();
    names
}

#[test]
fn the_batch_is_a_matter_of_speed_alone() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    let with = |words: &str| json(&dir.run(&format!("eval tiny --json {words}")).done().out);
    let one = with("--batch 1");
    let other = with("--batch 32");
    assert_eq!(one["tokens"], 64);
    for key in ["tokens", "rows", "stretches", "settings"] {
        assert_eq!(one[key], other[key], "{key}");
    }
    let loss = |report: &serde_json::Value| report["loss"].as_f64().unwrap();
    assert!((loss(&one) - loss(&other)).abs() < 1e-6);
    assert_eq!(reports(&dir, "runs/tiny"), ["eval-32-live.json"]);

    // The older way to say how much still works, and says how to say it.
    let ran = dir.run("eval tiny --batches 3 --batch 2").done();
    assert!(
        ran.out
            .contains("read     6 rows of 32 tokens in 1 stretch\n"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("use --tokens 192"), "{}", ran.err);
    let ran = dir.run("eval tiny --batches 3 --tokens 64").ended(2);
    assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
}

#[test]
fn memories_live_frozen_and_reset_have_reports_beside_each_other() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --set algorithm.chunk=8").done();
    for words in [
        "",
        "--memory frozen",
        "--memory reset",
        "--tokens all",
        "--step 2",
    ] {
        dir.run(&format!("eval tiny {words}")).done();
    }
    let names = reports(&dir, "runs/tiny");
    assert_eq!(names.len(), 5, "{names:?}");
    for name in [
        "eval-32-live.json",
        "eval-32-frozen.json",
        "eval-32-reset.json",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn what_was_measured_is_shown_even_if_it_cannot_be_saved() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    for (words, shown) in [("", "\nall  "), ("--json", "\"loss\": ")] {
        let words = format!("eval tiny --out nowhere/report.json {words}");
        let ran = dir.run(&words).ended(1);
        assert!(ran.out.contains(shown), "{}", ran.out);
        let expected = "error: the report nowhere/report.json is not saved (what was measured is above; --out FILE saves it elsewhere): cannot write nowhere/report.json";
        assert!(ran.err.starts_with(expected), "{}", ran.err);
    }
}

#[test]
fn a_report_on_earlier_weights_is_not_compared() {
    let dir = Dir::tiny();
    for seed in [1, 2] {
        let sets = format!("--set train.seed={seed} --set checkpoint.keep_last=9");
        dir.run(&format!("run tiny.toml --name s{seed} {sets}"))
            .done();
        for length in [32, 64] {
            dir.run(&format!("eval s{seed} --length {length}")).done();
        }
    }
    let compared = || {
        let ran = dir.run("compare s1 s2 --format json").done();
        let found = json(&ran.out);
        let runs = found["variants"][0]["runs"].as_array().unwrap().clone();
        let counts: Vec<usize> = (runs.iter())
            .map(|run| run["evaluations"].as_array().unwrap().len())
            .collect();
        (counts, found["warnings"].to_string())
    };
    assert_eq!(compared().0, [2, 2]);
    // Trained further: the reports are of step 4, and the run is at step 6.
    dir.run("run --name s1 --resume --set train.steps=6").done();
    let (counts, warnings) = compared();
    assert_eq!(counts.iter().sum::<usize>(), 2);
    let line = "left out: s1/eval-32-live.json, s1/eval-64-live.json: it is of step 4, and the run is at step 6";
    assert!(warnings.contains(line), "{warnings}");
    // Back to step 4, where they are true again; back to step 2, where there is nothing of them.
    dir.run("run --name s1 --resume=4 --set train.steps=4")
        .done();
    assert_eq!(compared().0, [2, 2]);
    let ran = dir
        .run("run --name s1 --resume=2 --set train.steps=3")
        .done();
    assert!(ran.out.contains("eval-32-live.json") || ran.err.contains("eval-32-live.json"));
    assert_eq!(reports(&dir, "runs/s1"), [""; 0]);
}

#[test]
fn half_of_the_text_is_not_compared_with_all_of_it() {
    let dir = Dir::tiny();
    for seed in [1, 2, 3] {
        dir.run(&format!(
            "run tiny.toml --name s{seed} --set train.seed={seed}"
        ))
        .done();
        let tokens = if seed == 3 { 64 } else { 128 };
        dir.run(&format!("eval s{seed} --tokens {tokens}")).done();
    }
    let ran = dir.run("compare s1 s2 s3").done();
    let line = "left out: s3/eval-32-live.json: it is of 64 tokens in 1 stretch, and the reports of 2 of 3 runs are of 128 tokens in 1 stretch";
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    assert!(words.join(" ").contains(line), "{}", ran.out);
}

#[test]
fn a_run_with_carried_memories_is_evaluated_with_them() {
    let dir = Dir::tiny();
    let sets = "--set train.state=carry --set eval.tokens=4096";
    dir.run(&format!("run tiny.toml {sets}")).done();
    let ran = dir.run("eval tiny").done();
    let line = "read     128 rows of 32 tokens in 4 stretches; memories are carried from row to row, as in training\n";
    assert!(ran.out.contains(line), "{}", ran.out);
    assert!(ran.out.contains("\n512 to 1023 "), "{}", ran.out);
    let report = json(&dir.read("runs/tiny/eval-32-live.json"));
    let summary = json(&dir.read("runs/tiny/summary.json"));
    let of_run = summary["metrics"]["eval/loss"].as_f64().unwrap();
    assert!((report["loss"].as_f64().unwrap() - of_run).abs() < 1e-6);
}

#[test]
fn text_read_through_noise_is_measured_by_name_and_compared_with_its_like_alone() {
    let dir = Dir::tiny();
    let train = |name: &str, seed: u64, share: f64| {
        let sets = format!("--set train.seed={seed} --set data.corrupt={share}");
        dir.run(&format!("run tiny.toml --name {name} {sets}"))
            .done();
    };
    train("clean", 1, 0.0);
    train("other", 2, 0.0);
    train("noisy", 1, 0.2);
    let eval = |words: &str| {
        let ran = dir.run(&format!("eval {words} --json")).done();
        (json(&ran.out), ran.err)
    };
    let loss = |report: &serde_json::Value| report["loss"].as_f64().unwrap();
    let data = |report: &serde_json::Value| report["data"]["fingerprint"].clone();
    let (clean, said) = eval("clean");
    assert!(!said.contains("corrupt"), "{said}");
    let (through, said) = eval("clean --set data.corrupt=0.2");
    assert!(
        said.contains("data.corrupt is 0.2 here and was 0 in training"),
        "{said}"
    );
    assert_eq!(
        through["data"]["name"],
        "built-in stories, version 1, corrupt = 0.2"
    );
    assert!((loss(&through) - loss(&clean)).abs() > 1e-6);
    assert_eq!(through["tokens"], clean["tokens"]);
    // As it was trained, and clean.
    let (own, said) = eval("noisy");
    assert!(!said.contains("was 0.2 in training"), "{said}");
    let (without, said) = eval("noisy --set data.corrupt=0");
    assert!(
        said.contains("data.corrupt is 0 here and was 0.2 in training"),
        "{said}"
    );
    assert_eq!(data(&own), data(&through));
    assert_eq!(data(&without), data(&clean));
    assert_ne!(data(&own), data(&clean));
    // Text of another file, with the noise of training or as it is set.
    dir.file(
        "a.txt",
        "the lamp was red and the key was blue. ".repeat(99),
    );
    let (of_file, _) = eval("noisy --data a.txt");
    assert_eq!(of_file["data"]["name"], "a.txt, corrupt = 0.2");
    let (of_file, _) = eval("noisy --data a.txt --set data.corrupt=0");
    assert_eq!(of_file["data"]["name"], "a.txt");
    for (share, expected) in [
        (
            "2",
            "error: --set data.corrupt: must be a share of the tokens from 0 to below 1, got 2",
        ),
        (
            "x",
            "error: `--set data.corrupt=x`: must be a number from 0 to below 1",
        ),
    ] {
        let ran = dir.run(&format!(
            "eval clean --data a.txt --set data.corrupt={share}"
        ));
        let ran = ran.ended(2);
        assert!(ran.err.starts_with(expected), "{}", ran.err);
    }

    eval("other");
    let ran = dir.run("compare clean other noisy").done();
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    let said = words.join(" ");
    for line in [
        "not equal: data.corrupt, so eval/loss is not of the same thing everywhere",
        "noisy/eval-32-live.json",
        "it is of another text than the reports of 3 of 3 runs",
        "other data",
    ] {
        assert!(said.contains(line), "{line}\n{}", ran.out);
    }
}

/// The most memory that a process had at once, in MiB.
#[cfg(target_os = "linux")]
fn peak(dir: &Dir, words: &str) -> u64 {
    let mut child = dir
        .command(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
        let line = status.unwrap_or_default();
        let line = line.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success(), "{words}");
    peak / 1024
}

#[test]
#[cfg(target_os = "linux")]
fn long_rows_of_a_large_vocabulary_take_little_memory() {
    let dir = Dir::tiny();
    let data = "--set data={kind='mqar',vocab=60000,seq_len=32,pairs=4,gap=4}";
    let sets = "--set train.steps=1 --set train.batch=1 --set eval.tokens=32";
    dir.run(&format!("run tiny.toml {data} {sets}")).done();
    let eval = |length: u64| {
        let words = format!("eval tiny --length {length} --tokens {length} --pairs 4");
        peak(&dir, &words)
    };
    let (short, long) = (eval(64), eval(4096));
    // The logits of all positions are 940 MiB, and more than once.
    assert!(
        long < short + 300,
        "{short} MiB at 64 tokens, {long} MiB at 4,096"
    );
}
