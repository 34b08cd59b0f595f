//! The commands that only look.

use std::process::Stdio;

use crate::support::{Dir, program};

const DEFAULT: &str = include_str!("../../../../configs/default.toml");

#[test]
fn help_names_every_command_and_exit_code() {
    let dir = Dir::new();
    let help = dir.run("--help").done().out;
    for word in [
        "run",
        "check",
        "show",
        "presets",
        "ls",
        "parts",
        "estimate",
        "bench",
        "eval",
        "generate",
        "state",
        "export",
        "tokenizer",
        "doctor",
        "completions",
        "Exit codes:",
        "130",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let help = dir.run("run --help").done().out;
    for word in [
        "--set",
        "--name",
        "--runs",
        "--resume[=<STEP>]",
        "--device",
        "--progress",
        "Exit codes:",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let version = dir.run("--version").done().out;
    assert_eq!(
        version.trim(),
        concat!("miras-train ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn check_reports_every_file() {
    let dir = Dir::tiny();
    dir.file("bad.toml", "stesp = 3\n");
    let ran = dir.run("check tiny.toml").done();
    let (ok, notes) = ran.out.split_once('\n').unwrap();
    assert_eq!((ok, &*ran.err), ("ok: tiny.toml", ""));
    assert!(
        notes.starts_with("note: algorithm.chunk = 64 is more than data.seq_len = 32"),
        "{notes}"
    );
    let ran = dir.run(
        "check tiny.toml --set algorithm.chunk=8 --set optim.decay_steps=4 --set optim.warmup=0",
    );
    assert_eq!(ran.done().out, "ok: tiny.toml\n");

    let ran = dir.run("check").done();
    assert!(ran.out.starts_with("ok: default (built in)\n"));
    let named = dir.run("check default").done();
    assert_eq!(named.out, ran.out);
    // What it says of memories goes with them, by its name too.
    for default in ["", "default"] {
        dir.run(&format!("check {default} --set mixer.kind=attention"))
            .done();
        let shown = |words: &str| dir.run(&format!("show {words}")).done().out;
        assert_eq!(shown(default), shown(""));
    }
    assert_eq!(dir.run("presets default").done().out, DEFAULT);
    dir.run("check defualt").refused(
        "error: there is no file `defualt`\n  = help: did you mean `default`, which is built in?",
    );
    let ran = dir.run("check --set train.steps=0").ended(2);
    assert!(ran.err.contains("(train.steps)"), "{}", ran.err);

    let ran = dir.run("check bad.toml tiny.toml missing.toml").ended(2);
    assert!(ran.out.starts_with("ok: tiny.toml\n"), "{}", ran.out);
    assert!(
        ran.err.contains(" --> bad.toml:1:1  (stesp)"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("there is no file `missing.toml`"),
        "{}",
        ran.err
    );
    assert!(!dir.at("runs").exists(), "a check leaves nothing");
}

#[test]
fn show_says_where_each_value_comes_from() {
    let dir = Dir::tiny();
    dir.file(
        "child.toml",
        "extends = \"tiny.toml\"\n\n[optim]\nlr = 1e-2\n",
    );
    let shown = dir.run("show child.toml --set train.steps=7").done().out;
    for line in [
        "dim = 16           # tiny.toml:3",
        "heads = 2                 # tiny.toml:1",
        "steps = 7              # --set",
        "lr = 0.01             # child.toml:4",
        "seed = 1               # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
}

#[test]
fn what_show_prints_is_a_configuration() {
    let dir = Dir::tiny();
    for config in ["", "tiny.toml"] {
        let annotated = dir.run(&format!("show {config}")).done().out;
        let plain = dir.run(&format!("show {config} --plain")).done().out;
        assert!(!plain.contains('#'), "{plain}");
        dir.file("annotated.toml", &annotated);
        dir.file("plain.toml", &plain);
        dir.run("check annotated.toml plain.toml").done();
        for copy in ["annotated.toml", "plain.toml"] {
            assert_eq!(dir.run(&format!("show {copy} --plain")).done().out, plain);
        }
    }
}

#[test]
fn parts_lists_the_axes_and_explains_each_part() {
    let dir = Dir::new();
    let all = dir.run("parts").done().out;
    for axis in ["memory", "bias", "retention", "algorithm", "data"] {
        let list = dir.run(&format!("parts {axis}")).done().out;
        assert!(list.starts_with(&format!("[{axis}]  ")), "{list}");
        assert!(all.contains(list.trim_end()), "{axis}: {all}");
        for name in list.lines().skip(1).filter_map(name) {
            let text = dir.run(&format!("parts {axis} {name}")).done().out;
            assert!(
                text.starts_with(&format!("{axis}.kind = {name:?}\n")),
                "{text}"
            );
            assert!(text.contains("\nKeys"), "{text}");
        }
    }
    let mlp = dir.run("parts memory mlp").done().out;
    for word in [
        "Formula",
        "Reference",
        "  depth  ",
        "Keys of every memory",
        "  dim  ",
    ] {
        assert!(mlp.contains(word), "{word}: {mlp}");
    }
}

/// The name that a line of a list begins with; none in a line that continues a text.
fn name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ")?;
    line.split_once(' ')
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty())
}

#[test]
fn parts_that_do_not_exist_get_a_suggestion() {
    let dir = Dir::new();
    dir.run("parts memry").refused(
        "error: unknown list `memry`, expected one of memory, bias, retention, algorithm, data, model, task, mixer, attention, train, optim, eval, checkpoint, log
  = help: did you mean `memory`?",
    );
    dir.run("parts memory mpl").refused(
        "error: unknown memory `mpl`, expected one of [..]\n  = help: did you mean `mlp`?",
    );
    dir.run("parts data txt")
        .refused("error: unknown data `txt`, expected one of [..]\n  = help: did you mean `text`?");
    dir.run("parts memory zzz")
        .refused("error: unknown memory `zzz`, expected one of [..]conv");
}

#[test]
fn doctor_reports_on_the_machine() {
    let dir = Dir::new();
    let text = dir.run("doctor").done().out;
    for word in [
        "miras-train",
        "burn",
        "CPUs",
        "memory",
        "CPU matmul",
        "GFLOP/s",
        "cpu",
        "cuda",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = dir.run("doctor --json").done().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["devices"][0]["name"], "cpu");
    assert_eq!(json["devices"][0]["opens"], true);
    assert!(json["cpus"].as_u64().unwrap() > 0);
    assert!(json["cpu_matmul"]["gflops"].as_f64().unwrap() > 0.0);
}

#[test]
fn completions_exist_for_every_shell() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = dir.run(&format!("completions {shell}")).done().out;
        assert!(
            script.contains("--resume") || script.contains("resume"),
            "{shell}"
        );
    }
    dir.run("completions csh")
        .refused("error: invalid value 'csh' for '<SHELL>'[..]");
}

/// `miras-train show | head -0`.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for words in [
        &["show"][..],
        &["parts"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program()
            .args(words)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*err), (Some(0), ""), "{words:?}");
    }
}
