//! What somebody meets who types for the first time.

use std::{fs, process::Command};

use crate::{
    classes::table,
    dna::genome,
    series::series,
    support::{Dir, Ran, repository},
};

/// Makes a preset small without changing its parts.
const SMALL: &str = "--set model.dim=16 --set model.layers=1 --set model.ffn_dim=32 \
    --set data.seq_len=32 --set train.batch=2 --set train.steps=2 --set optim.warmup=1 \
    --set eval.batches=1";

#[test]
fn presets_are_found_by_name_from_anywhere() {
    let dir = Dir::new();
    dir.run(&format!("run titans-lmm {SMALL}")).done();
    assert!(dir.at("runs/titans-lmm/summary.json").is_file());
    for name in [
        "yaad",
        "presets/yaad",
        "mqar/moneta",
        "30m/transformer",
        "six-models",
    ] {
        let ran = dir.run(&format!("check {name}")).done();
        assert!(
            ran.out.starts_with(&format!("ok: {name} (built in)\n")),
            "{}",
            ran.out
        );
    }
    let shown = dir.run("show titans-lmm").done().out;
    assert!(shown.contains("# titans-lmm (built in):"), "{shown}");
    assert!(shown.contains("# base (built in):"), "{shown}");
    for command in ["show", "estimate", "check"] {
        let text = |file: &str| dir.run(&format!("{command} {file}")).done().out;
        let file = repository().join("configs/mqar/titans-lmm.toml");
        let (built_in, on_disk) = (text("mqar/titans-lmm"), text(&file.display().to_string()));
        // The same but for where it comes from.
        let values = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with("ok: "));
            lines
                .map(|line| line.split('#').next().unwrap_or("").trim().to_owned())
                .collect()
        };
        assert_eq!(values(&built_in), values(&on_disk), "{command}");
    }
    // A sweep whose axis extends files that are built in.
    let listed = dir.run("sweep six-models --dry-run").done().out;
    assert!(listed.contains("33 trials"), "{listed}");
}

#[test]
fn a_mistake_on_a_preset_is_shown_in_it_and_files_go_first() {
    let dir = Dir::tiny();
    dir.file(
        "mine.toml",
        "extends = \"titans-lmm\"\n[memory]\ndpeth = 3\n",
    );
    dir.run("check mine.toml").refused(
        "error: unknown field `dpeth`, expected [..]
 --> mine.toml:3:1  (memory.dpeth)
  |
3 | dpeth = 3
  | ^^^^^
  = help: did you mean `depth`?",
    );
    dir.run("check titans-lmm --set data.seq_len=1").done();
    dir.run("check titans-lmm --set memory=matrix --set algorithm.form=exact --set algorithm.load_cap=1")
        .refused("error: load_cap acts on chunk-start gradients[..]");
    dir.run("check gated-deltanet --set algorithm.form=chunk_start")
        .refused(
            "error: with order = \"before\" [..]
  --> gated-deltanet (built in):[..]  (retention.order)
[..]",
        );
    // The file wins; with the extension left out, both are named.
    dir.file("yaad", fs::read_to_string(dir.at("tiny.toml")).unwrap());
    assert_eq!(
        dir.run("check yaad").done().out.lines().next(),
        Some("ok: yaad")
    );
    dir.file(
        "moneta.toml",
        fs::read_to_string(dir.at("tiny.toml")).unwrap(),
    );
    let ran = dir.run(&format!("run moneta {SMALL}")).done();
    assert!(
        ran.err
            .starts_with("note: `moneta` is built in; for the file write `moneta.toml`\n"),
        "{}",
        ran.err
    );
}

#[test]
fn a_name_that_is_no_file_gets_the_names_of_presets() {
    let dir = Dir::new();
    for (words, help) in [
        (
            "run titans-lm",
            "did you mean `titans-lmm`, which is built in?",
        ),
        (
            "run titans",
            "did you mean `titans-lmm`, which is built in?",
        ),
        (
            "run configs/presets/yaad.toml",
            "did you mean `yaad`, which is built in?",
        ),
        ("check zzz", "`miras-train presets` lists what is built in"),
        (
            "run optim.lr=1e-3",
            "to set a key, write `--set optim.lr=1e-3`",
        ),
        (
            "sweep memory-deep",
            "did you mean `memory-depth`, which is built in?",
        ),
    ] {
        let name = words.split(' ').nth(1).unwrap();
        dir.run(words).refused(&format!(
            "error: there is no file `{name}`\n  = help: {help}"
        ));
    }
    assert!(!dir.at("runs").exists());
}

#[test]
fn presets_are_listed_and_printed() {
    let dir = Dir::new();
    dir.file("genome.fa", genome());
    dir.file("sequences.csv", table());
    dir.file("ETTh1.csv", series(14_400));
    let listed = dir.run("presets").done().out;
    for word in [
        "titans-lmm",
        "1.29 M",
        " min  Titans LMM",
        "Differs: ",
        "mqar/yaad",
        "needle/titans-lmm",
        "dna/conv",
        "series/conv",
        "memory-depth",
    ] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    assert!(
        listed.lines().all(|line| line.chars().count() <= 80),
        "{listed}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&dir.run("presets --json").done().out).unwrap();
    let all = json.as_array().unwrap();
    for preset in all {
        let command = if preset["command"] == "sweep" {
            "sweep --dry-run"
        } else {
            "check"
        };
        let name = preset["name"].as_str().unwrap();
        dir.run(&format!("{command} {name}")).done();
    }
    let printed = dir.run("presets titans-lmm").done().out;
    let file = repository().join("configs/presets/titans-lmm.toml");
    assert_eq!(printed, fs::read_to_string(file).unwrap());
    dir.run("presets titan-lmm").refused(
        "error: nothing built in is called `titan-lmm`\n  = help: did you mean `titans-lmm`?",
    );
}

#[test]
fn every_mistake_of_a_file_is_reported_at_once() {
    let dir = Dir::tiny();
    dir.file(
        "bad.toml",
        "extends = \"tiny.toml\"
[memory]
depth = 0
expansion = 9999
[bias]
kind = \"mse\"
[retention]
decay = 2.0
[optim]
lrr = 1
lr = inf
clip = -1
[train]
max_minutes = inf
steps = 1e3
batch = 0
[eval]
every = \"often\"
[log]
every = 0
[modle]
dim = 3
",
    );
    let ran = dir
        .run("check bad.toml --set checkpoint.keep_last=0")
        .ended(2);
    let places: Vec<&str> = (ran.err.lines())
        .filter_map(|line| line.trim().strip_prefix("--> "))
        .filter_map(|place| place.split("  (").nth(1)?.strip_suffix(')'))
        .collect();
    assert_eq!(
        places,
        [
            "memory.depth",
            "memory.expansion",
            "bias.kind",
            "retention.decay",
            "optim.lrr",
            "optim.lr",
            "optim.clip",
            "train.max_minutes",
            "train.steps",
            "train.batch",
            "eval.every",
            "log.every",
            "modle",
            "checkpoint.keep_last",
        ],
        "{}",
        ran.err
    );
    for help in [
        "`mse` is called `l2` here: bias.kind = \"l2\"",
        "write it as 1000",
        "train.max_minutes must be a finite number, above 0, got inf",
        "optim.lr must be a finite number, above 0 and at most 1e38, got inf",
    ] {
        assert!(ran.err.contains(help), "{help}: {}", ran.err);
    }
    // All flags, too.
    let ran = dir
        .run("check tiny.toml --set a --set =3 --set b=[1")
        .ended(2);
    assert_eq!(ran.err.matches("error: ").count(), 3, "{}", ran.err);
}

#[test]
fn names_of_other_programs_are_translated() {
    let dir = Dir::tiny();
    for (set, help) in [
        (
            "bias.kind=logcosh",
            "`logcosh` is called `l1` here: bias.kind = \"l1\"",
        ),
        (
            "algorithm.kind=adagrad",
            "there is no `adagrad` here; the nearest is algorithm.kind = \"rmsprop\"",
        ),
        (
            "memory.kind=linear",
            "`linear` is called `matrix` here: memory.kind = \"matrix\"",
        ),
        (
            "train.batch_size=4",
            "`batch_size` is called `train.batch` here",
        ),
        ("model.n_heads=4", "`n_heads` is called `mixer.heads` here"),
        (
            "train.epochs=4",
            "there are no epochs: training is counted in steps, `train.steps`",
        ),
        (
            "optim.grad_clip=4",
            "`grad_clip` is called `optim.clip` here",
        ),
        ("block_size=4", "`block_size` is called `data.seq_len` here"),
    ] {
        let ran = dir.run(&format!("check tiny.toml --set {set}")).ended(2);
        assert!(
            ran.err.trim_end().ends_with(&format!("= help: {help}")),
            "{set}: {}",
            ran.err
        );
        assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
    }
}

#[test]
fn a_path_of_digits_is_a_path() {
    let dir = Dir::tiny();
    let text = "What the user wrote, again and again. ".repeat(100);
    for (at, name) in ["1984", "1e5", "true", "[draft] a.txt", "2024-01-01"]
        .iter()
        .enumerate()
    {
        dir.file(name, &text);
        let path = match name.strip_prefix('[') {
            Some(_) => format!("data.path=\"{name}\""),
            None => format!("data.path={name}"),
        };
        let mut command = dir.command("check tiny.toml --set data.kind=text --set");
        let output = command.arg(&path).output().unwrap();
        let ran = Ran::new(path, &output, dir.path()).done();
        assert!(ran.out.starts_with("ok: "), "{at}: {}", ran.out);
    }
    let mut command = dir.command("check tiny.toml --set data.kind=text --set");
    let output = command.arg("data.path=[draft] a.txt").output().unwrap();
    let ran = Ran::new("", &output, dir.path()).ended(2);
    let help = r#"quote it: `--set 'data.path="[draft] a.txt"'`"#;
    assert!(ran.err.contains(help), "{}", ran.err);
    dir.file(
        "bad.toml",
        "extends = \"tiny.toml\"\n[data]\nkind = \"text\"\npath = 1984\n",
    );
    let ran = dir.run("check bad.toml").ended(2);
    assert!(
        ran.err.contains("= help: write it in quotes: \"1984\""),
        "{}",
        ran.err
    );
}

#[test]
fn runs_and_sweeps_are_listed() {
    let dir = Dir::tiny();
    let ran = dir.run("ls").done();
    assert_eq!(ran.out, "there are no runs in runs; `run` trains one\n");
    dir.run("run tiny.toml").done();
    dir.run("run tiny.toml --name half --set train.steps=2")
        .done();
    // As a killed process leaves it.
    fs::remove_file(dir.at("runs/half/summary.json")).unwrap();
    dir.file(
        "sweep.toml",
        "extends = \"tiny.toml\"\n[sweep.axes]\n\"optim.lr\" = [1e-3, 2e-3]\n",
    );
    dir.run("sweep sweep.toml --prepare").done();
    let listed = dir.run("ls").done().out;
    let rows: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "name",
            "model",
            "status",
            "step",
            "eval/loss",
            "tokens",
            "age"
        ]
    );
    assert_eq!(
        rows[1][..5],
        ["half", "mlp/l2/l2/momentum", "1x16", "stopped", "2/2"]
    );
    assert_eq!(rows[2][..4], ["sweep", "sweep", "of", "optim.lr"]);
    assert_eq!(
        rows[3][..5],
        ["tiny", "mlp/l2/l2/momentum", "1x16", "finished", "4/4"]
    );
    let json: serde_json::Value = serde_json::from_str(&dir.run("ls --json").done().out).unwrap();
    assert_eq!(json[1]["kind"], "sweep");
    assert_eq!(json[1]["trials"], 2);
    assert_eq!(
        (&json[2]["step"], &json[2]["tokens"]),
        (&4.into(), &256.into())
    );
    let summary: serde_json::Value =
        serde_json::from_str(&dir.read("runs/tiny/summary.json")).unwrap();
    assert_eq!(json[2]["eval_loss"], summary["metrics"]["eval/loss"]);
    assert!(json[0]["eval_loss"].is_number(), "{json}");
}

#[test]
fn a_command_that_cargo_started_is_printed_as_cargo_takes_it() {
    let dir = Dir::tiny();
    let mut command = dir.command("sweep tiny.toml --prepare --set");
    let output = (command
        .arg("sweep.axes={\"optim.lr\"=[1e-3,2e-3]}")
        .env("CARGO", "cargo"))
    .output()
    .unwrap();
    let ran = Ran::new("sweep", &output, dir.path()).done();
    assert!(ran.err.contains("`cargo run -p miras-train"), "{}", ran.err);
    assert!(ran.err.contains(" -- worker runs/tiny`"), "{}", ran.err);
}

#[test]
fn what_has_no_value_is_shown_as_not_set() {
    let dir = Dir::tiny();
    let shown = dir.run("show tiny.toml").done().out;
    for key in ["max_minutes", "init_from", "max_skips", "dim"] {
        let line = shown
            .lines()
            .find(|line| line.starts_with(&format!("# {key} =")));
        assert!(
            line.is_some_and(|line| line.ends_with("# not set")),
            "{key}: {shown}"
        );
    }
    let shown = dir
        .run("show tiny.toml --set train.max_minutes=3")
        .done()
        .out;
    assert!(
        shown.contains("\nmax_minutes = 3.0 ") && !shown.contains("# max_minutes"),
        "{shown}"
    );
}

#[test]
fn keys_that_belong_to_no_part_are_listed() {
    let dir = Dir::new();
    let listed = dir.run("parts train").done().out;
    assert!(listed.starts_with("[train]  keys"), "{listed}");
    for word in [
        "  steps ",
        "  batch, accumulate ",
        "[8, 1] sequences a micro-batch",
    ] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    for table in [
        "model",
        "task",
        "mixer",
        "mixer memory",
        "mixer attention",
        "attention",
        "optim",
        "eval",
        "checkpoint",
        "log",
    ] {
        let listed = dir.run(&format!("parts {table}")).done().out;
        assert!(listed.lines().count() > 1, "{listed}");
        assert!(
            listed.lines().all(|line| line.chars().count() <= 80),
            "{listed}"
        );
    }
    let all = dir.run("parts").done().out;
    assert!(
        all.contains("parts TABLE`, for model, task, mixer, attention, train")
            && all.contains("[mixer]  what mixes"),
        "{all}"
    );
}

/// A terminal is what `script` makes; without it there is nothing to test here.
#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let dir = Dir::tiny();
    let program = env!("CARGO_BIN_EXE_miras-train");
    let on_terminal = |words: &str, setup: &str| {
        let output = Command::new("script")
            .args([
                "-qec",
                &format!("stty rows 24 cols 80; {setup} {program} {words}"),
                "/dev/null",
            ])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .current_dir(dir.path())
            .output();
        output
            .ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(error) = on_terminal("check tiny.toml --set train.stpes=3", "") else {
        eprintln!("there is no `script` here: nothing was tried on a terminal");
        return;
    };
    assert!(
        error.contains("\u{1b}[31m") && error.contains("error:"),
        "{error:?}"
    );
    let plain = on_terminal("check tiny.toml --set train.stpes=3", "NO_COLOR=1").unwrap();
    assert!(
        !plain.contains('\u{1b}') && plain.contains("error:"),
        "{plain:?}"
    );
    let run = on_terminal("run tiny.toml --set train.steps=20", "").unwrap();
    // The bar is drawn again and again, after the line is cleared.
    let bars: Vec<&str> = run
        .split("\u{1b}[2K")
        .filter(|piece| piece.contains("tok/s"))
        .collect();
    assert!(!bars.is_empty(), "{run:?}");
    assert!(
        bars[1..].iter().all(|bar| bar.contains("\u{1b}[36m")),
        "{bars:?}"
    );
    for bar in bars
        .iter()
        .skip(1)
        .filter_map(|bar| bar.split(['\r', '\n']).next())
        // A line above the bar is filled up with blanks to the width of the terminal.
        .filter_map(|bar| Some(&bar[bar.find("\u{1b}[36m")?..]))
    {
        // What is left of the line is filled with blanks.
        assert!(console::measure_text_width(bar.trim_end()) < 80, "{bar:?}");
    }
    dir.run("run tiny.toml --name recall --set data=mqar --set data.seq_len=64 --set data.pairs=4 --set data.gap=8")
        .done();
    let eval = on_terminal("eval recall", "").unwrap();
    let data = eval
        .lines()
        .position(|line| line.contains("data     recall of"));
    let after = eval.lines().nth(data.unwrap() + 1).unwrap();
    assert!(after.starts_with("         "), "{eval}");
    dir.file(
        "depths.toml",
        dir.read("tiny.toml") + "[sweep.axes]\n'optim.lr' = [0.001, 0.02]\n",
    );
    for words in ["eval recall --pairs 2,8", "sweep depths.toml --dry-run"] {
        let said = on_terminal(words, "").unwrap();
        for line in said.lines() {
            // A bar is cleared before anything else is written.
            let line = line.rsplit("\u{1b}[2K").next().unwrap();
            assert!(console::measure_text_width(line) <= 80, "{line:?}");
        }
    }
}
