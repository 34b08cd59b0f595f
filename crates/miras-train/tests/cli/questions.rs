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
        ("score tiny none.jsonl", "cannot read `none.jsonl`"),
        (
            "eval tiny --task piqa=wrong.jsonl",
            "line 1: the field `goal` is missing",
        ),
        ("eval tiny --task pica=wrong.jsonl", "did you mean `piqa`?"),
        ("eval tiny --task piqa", "give --task piqa=PATH"),
        (
            "eval tiny --task piqa=piqa.jsonl --length 3",
            "--length and --stride are about texts",
        ),
        (
            "eval tiny --task piqa=piqa.jsonl --memory reset",
            "memories that are reset depend on where a row begins and ends: use --memory live, frozen or unread",
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

#[test]
fn needles_are_asked_for_by_length_and_depth_and_drawn() {
    let dir = trained();
    dir.file(
        "book.txt",
        "A kite is red. Tom keeps nine small stones in a box. ".repeat(9),
    );
    let words = "eval tiny --task needle --lengths 512,1k --depths 0,100 --samples 2 --answer-tokens 2 \
                 --haystack book.txt --out needle.json";
    let ran = dir.run(words).done();
    for word in [
        "task     needle, book.txt; sha256:",
        "asked    24 prompts in 12 cells",
        "\naccuracy_choice ",
        "kind    length   depth %",
        "     uuid      1024     100.0 ",
        "drawing in needle.svg\nreport in needle.json",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let report = json(&dir.read("needle.json"));
    assert_eq!(
        (&report["task"], &report["questions"]),
        (&"needle".into(), &24.into())
    );
    assert_eq!(report["options"]["lengths"], "512,1024");
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 12);
    for cell in cells {
        for key in [
            "length",
            "depth",
            "samples",
            "accuracy",
            "accuracy_choice",
            "stderr",
            "loss",
        ] {
            assert!(cell[key].is_number(), "{key}: {cell}");
        }
    }
    let svg = dir.read("needle.svg");
    for text in [
        "noise: written answers",
        "uuid: the likeliest",
        "512",
        "1k",
        "100 %",
    ] {
        assert!(svg.contains(text), "{text}");
    }

    // By its own name beside the run, and without a haystack the noise alone.
    let words = "eval tiny --task needle --lengths 512 --depths 1 --samples 1 --answer-tokens 0";
    let ran = dir.run(words).done();
    let path = ran
        .out
        .lines()
        .last()
        .unwrap()
        .strip_prefix("report in ")
        .unwrap();
    assert!(path.starts_with("runs/tiny/task-needle-live-"), "{path}");
    let report = json(&dir.read(path));
    assert!(
        report["accuracy"].is_null() && report["accuracy_choice"].is_number(),
        "{report}"
    );
    let ran = dir.run(&format!("{words} --control")).done();
    assert!(
        ran.out.contains(", control") && !ran.out.contains(path),
        "{}",
        ran.out
    );
}

#[test]
fn a_passage_that_comes_again_is_measured_by_distance() {
    let dir = trained();
    dir.file(
        "book.txt",
        "A kite is red. Tom keeps nine small stones in a box. ".repeat(9),
    );
    let words = "eval tiny --task recall=book.txt --distances 64,256 --samples 2";
    let ran = dir.run(words).done();
    for word in [
        "\nloss_first ",
        " distance ",
        "\n       64 ",
        "\n      256 ",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    assert!(!ran.out.contains("drawing"), "{}", ran.out);
}

#[test]
fn what_cannot_be_made_is_refused_with_what_can() {
    let dir = trained();
    dir.file("recall.toml", "[data]\nkind = \"mqar\"\nvocab = 32\nseq_len = 48\npairs = 4\ngap = 4\nqueries = 2\n[model]\ndim = 16\nlayers = 1\n[mixer]\nheads = 2\n[train]\nsteps = 1\nbatch = 2\n");
    dir.run("run recall.toml").done();
    dir.file("short.txt", "A kite is red.");
    for (words, expected) in [
        ("tiny --task needle --kind nois", "did you mean `noise`?"),
        (
            "tiny --task needle --kind text",
            "give it with --haystack PATH",
        ),
        (
            "tiny --task needle --kind noise --haystack short.txt",
            "--kind has neither",
        ),
        (
            "tiny --task needle --haystack none.txt",
            "cannot read `none.txt`",
        ),
        (
            "tiny --task needle --lengths 64",
            "--lengths 64 is too short for the prompt of kind noise",
        ),
        (
            "tiny --task needle --lengths 4x",
            "give one as 4096, 4k or 1M",
        ),
        (
            "tiny --task needle --depths 0,120",
            "give how many depths, as 5, or percents",
        ),
        (
            "tiny --task needle=short.txt",
            "needle is made and has no file",
        ),
        ("tiny --task needle --limit 3", "--limit is about files"),
        (
            "tiny --task needle --length 3",
            "--length and --stride are about texts",
        ),
        (
            "tiny --task needle --distances 3",
            "--distances is not an option of --task needle: it knows --kind",
        ),
        (
            "tiny --task needle --memory reset",
            "memories that are reset depend on where a row begins and ends: use --memory live, frozen or unread",
        ),
        (
            "tiny --task piqa=piqa.jsonl --seed 3",
            "--seed is not an option of --task piqa",
        ),
        (
            "tiny --task recall",
            "--task recall needs the text: give --task recall=PATH",
        ),
        (
            "tiny --task recall=short.txt",
            "give a longer text, or distances of",
        ),
        (
            "tiny --task recall=short.txt --distances 32",
            "give 64 or more, or a smaller --passage",
        ),
        ("tiny --lengths 64", "--task"),
        (
            "recall --task needle",
            "data.kind = \"mqar\", whose tokens are no text",
        ),
    ] {
        let ran = dir.run(&format!("eval {words}"));
        let code = if expected.contains("cannot read") {
            1
        } else {
            2
        };
        assert_eq!(ran.code, Some(code), "{words}: {}", ran.err);
        assert!(ran.err.contains(expected), "{words}: {}", ran.err);
    }
    // The minimum that is named is one.
    let ran = dir.run("eval tiny --task needle --lengths 64 --samples 1");
    let least = ran
        .err
        .split("give ")
        .last()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    dir.run(&format!(
        "eval tiny --task needle --lengths {least} --samples 1 --answer-tokens 0"
    ))
    .done();
}
