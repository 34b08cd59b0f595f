//! `eval --task` and `score`.

use std::fs;

use miras_tasks::TASKS;

use crate::support::{Dir, repository};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn trained() -> Dir {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    dir.file(
        "piqa.jsonl",
        "{\"goal\": \"Dry it\", \"sol1\": \"sun\", \"sol2\": \"lake\", \"label\": 0}\n\
         {\"goal\": \"Wet it\", \"sol1\": \"sun\", \"sol2\": \"lake\", \"label\": 1}\n",
    );
    dir
}

#[test]
fn questions_are_answered_and_the_report_says_how_well() {
    let dir = trained();
    let ran = dir.run("eval tiny --task piqa=piqa.jsonl").done();
    for word in [
        "task     piqa, piqa.jsonl; sha256:",
        "asked    2 questions",
        "\naccuracy_norm ",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let path = ran
        .out
        .lines()
        .last()
        .unwrap()
        .strip_prefix("report in ")
        .unwrap();
    let printed = json(
        &dir.run("eval tiny --task piqa=piqa.jsonl --json")
            .done()
            .out,
    );
    assert_eq!(json(&dir.read(path)), printed);
    assert_eq!(printed["schema"], "miras_task");
    assert_eq!(
        (&printed["task"], &printed["questions"]),
        (&"piqa".into(), &2.into())
    );
    for key in ["accuracy", "accuracy_norm", "stderr", "loss"] {
        assert!(printed[key].is_number(), "{key}: {printed}");
    }
    // Another limit is another report.
    let one = json(
        &dir.run("eval tiny --task piqa=piqa.jsonl --limit 1 --json")
            .done()
            .out,
    );
    assert_eq!(one["questions"], 1);
    assert_ne!(one["settings"], printed["settings"]);

    dir.file("text.txt", "Mara has a red kite.");
    let of = |windows: &str| {
        let words = format!("eval tiny --task perplexity=text.txt --json {windows}");
        json(&dir.run(&words).done().out)
    };
    let (whole, cut) = (of("--length 100"), of("--length 4 --stride 2"));
    assert_eq!((&whole["tokens"], &cut["tokens"]), (&20.into(), &20.into()));
    assert_ne!(whole["loss"], cut["loss"]);
}

#[test]
fn texts_are_scored_line_by_line() {
    let dir = trained();
    dir.file(
        "pairs.jsonl",
        "{\"context\": \"Once upon \", \"continuation\": \"a time\"}\n\n\
         {\"context\": \"\", \"continuation\": \"The\", \"id\": 3}\n",
    );
    let lines = dir.run("score tiny pairs.jsonl --json").done().out;
    let lines: Vec<_> = lines.lines().map(json).collect();
    // The blank at the end of the context is scored.
    let tokens = lines
        .iter()
        .map(|line| (&line["line"], &line["tokens"], &line["bytes"]));
    assert_eq!(
        tokens.collect::<Vec<_>>(),
        [
            (&1.into(), &7.into(), &7.into()),
            (&3.into(), &3.into(), &3.into())
        ]
    );
    let log: f64 = lines
        .iter()
        .map(|line| line["loglikelihood"].as_f64().unwrap())
        .sum();
    let ran = dir.run("score tiny pairs.jsonl").done();
    assert!(ran.out.contains(&format!("all {log:>14.4}")), "{}", ran.out);
    assert!(ran.out.contains("2 lines, "), "{}", ran.out);
}

#[test]
fn mistakes_are_named_with_file_line_and_field() {
    let dir = trained();
    dir.file(
        "wrong.jsonl",
        "{\"context\": \"a\", \"continuation\": \"b\"}\n{\"contxt\": \"a\"}\n",
    );
    for (words, expected) in [
        (
            "score tiny wrong.jsonl",
            "wrong.jsonl, line 2: the field `continuation` is missing",
        ),
        ("score tiny none.jsonl", "cannot read none.jsonl"),
        (
            "eval tiny --task piqa=wrong.jsonl",
            "line 1: the field `goal` is missing",
        ),
        ("eval tiny --task pica=wrong.jsonl", "did you mean `piqa`?"),
        ("eval tiny --task piqa", "give a task and its file"),
        (
            "eval tiny --task piqa=piqa.jsonl --length 3",
            "--length and --stride are about texts",
        ),
        (
            "eval tiny --task piqa=piqa.jsonl --memory reset",
            "use --memory live or frozen",
        ),
        (
            "eval tiny --task piqa=piqa.jsonl --tokens 3",
            "cannot be used with",
        ),
        (
            "eval tiny --task perplexity=wrong.jsonl",
            "line 1: the field `text` is missing",
        ),
        ("eval tiny --limit 3", "--task"),
    ] {
        let ran = dir.run(words);
        let code = if expected.starts_with("cannot read") {
            1
        } else {
            2
        };
        assert_eq!(ran.code, Some(code), "{words}: {}", ran.err);
        assert!(ran.err.contains(expected), "{words}: {}", ran.err);
    }
    assert!(!fs::read_dir(dir.at("runs/tiny")).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("task-")
    }));
}

#[test]
fn every_task_is_explained() {
    let page = fs::read_to_string(repository().join("docs/evaluation.md")).unwrap();
    let help = Dir::new().run("eval --help").done().out;
    for task in TASKS {
        assert!(
            page.contains(&format!("| `{}` |", task.name)),
            "{}",
            task.name
        );
        assert!(help.contains(task.name), "{}", task.name);
    }
}
