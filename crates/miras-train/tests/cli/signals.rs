//! Processes that are told to stop, or that just end.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Dir, Ran};

const ENDLESS: &str = "--set train.steps=1000000 --set log.every=1";

#[test]
fn sigterm_saves_and_the_printed_command_goes_on() {
    let dir = Dir::tiny();
    let name = "it's mine";
    let folder = format!(r"-odd \ runs/{name}");
    let child = dir
        .command(&format!("run tiny.toml {ENDLESS}"))
        .args(["--name", name, r"--runs=-odd \ runs"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&child, &dir.at(&format!("{folder}/metrics.jsonl")));
    let output = stop(child, "TERM");
    let ran = Ran::new("run", &output, dir.path()).ended(130);
    assert!(
        ran.err.contains("stopping: finishing the step and saving"),
        "{}",
        ran.err
    );

    let summary: serde_json::Value =
        serde_json::from_str(&dir.read(&format!("{folder}/summary.json"))).unwrap();
    assert_eq!(summary["status"], "interrupted");
    let step = summary["steps"].as_u64().unwrap();
    let saved = format!("{folder}/checkpoints/step-{step:08}");
    assert!(dir.at(&saved).is_dir(), "{saved}");

    let end = format!("stopped after step {step}: interrupted; go on with: ");
    assert!(ran.err.contains(&end), "{}", ran.err);
    let line = ran.err.lines().find(|line| line.contains("go on with: "));
    let line = line.unwrap_or_else(|| panic!("no command in {}", ran.err));
    let program = env!("CARGO_BIN_EXE_miras-train");
    let command = &line[line.find(program).unwrap()..].trim_end_matches(['`', '.']);
    let output = Command::new("sh")
        .args(["-c", &format!("{command} --set train.steps={}", step + 2)])
        .current_dir(dir.path())
        .output()
        .unwrap();
    Ran::new(command, &output, dir.path()).done();
    let summary = dir.read(&format!("{folder}/summary.json"));
    assert!(summary.contains("finished"), "{summary}");
}

#[test]
fn an_interrupt_is_answered_like_a_sigterm() {
    let dir = Dir::tiny();
    let child = start(&dir, &format!("run tiny.toml --name mine {ENDLESS}"));
    wait_for(&child, &dir.at("runs/mine/metrics.jsonl"));
    let output = stop(child, "INT");
    Ran::new("run", &output, dir.path()).ended(130);
    assert!(dir.read("runs/mine/summary.json").contains("interrupted"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = Dir::tiny();
    // Steps so long that the second signal comes before the first one is obeyed.
    let slow = "--set train.batch=64 --set train.accumulate=500 --set train.steps=1000000";
    let mut child = start(&dir, &format!("run tiny.toml --name mine {slow}"));
    wait_for(&child, &dir.at("runs/mine/run.json"));
    signal(&child, "TERM");
    // Two that come together are one: the second waits for the answer to the first.
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("stopping: ") {
        assert_ne!(errors.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let started = Instant::now();
    signal(&child, "TERM");
    errors.read_to_string(&mut said).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.into_bytes();
    let ran = Ran::new("run", &output, dir.path()).ended(130);
    assert!(ran.err.contains("stopped without saving"), "{}", ran.err);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let dir = Dir::tiny();
    let child = start(&dir, &format!("run tiny.toml --name mine {ENDLESS}"));
    wait_for(&child, &dir.at("runs/mine/metrics.jsonl"));
    let pid = child.id();
    let ran = dir.run("run --name mine --resume").ended(1);
    let expected = format!(
        "error: runs/mine is in use by another training process (process {pid}): \
         wait for it or stop it, or choose another `--name`\n"
    );
    assert_eq!(ran.err, expected);
    stop(child, "TERM");
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on() {
    let dir = Dir::tiny();
    let steps = "--set train.steps=1000000 --set checkpoint.every=1 --set eval.every=0";
    let mut last = 0;
    for round in 0..8_u64 {
        let words = if dir.at("runs/mine").exists() {
            format!("run --name mine --resume {steps}")
        } else {
            format!("run tiny.toml --name mine {steps}")
        };
        let mut child = start(&dir, &words);
        // Moments of no pattern, from the start of the process to many steps later.
        thread::sleep(Duration::from_millis(150 + round * 7919 % 700));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let now = newest(&dir);
        assert!(now >= last, "a kill lost steps: {now} < {last}");
        last = now;
    }
    assert!(last > 0, "no step was ever saved");
    let end = last + 2;
    dir.run(&format!("run --name mine --resume --set train.steps={end}"))
        .done();
    assert!(dir.read("runs/mine/summary.json").contains("finished"));

    dir.run(&format!(
        "run tiny.toml --name whole --set train.steps={end}"
    ))
    .done();
    let model = |run: &str| {
        let file = format!("runs/{run}/checkpoints/step-{end:08}/model.safetensors");
        fs::read(dir.at(&file)).unwrap()
    };
    assert!(model("mine") == model("whole"), "the kills left a trace");

    let lines = dir.read("runs/mine/metrics.jsonl");
    for line in lines.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
}

/// The step of the newest finished checkpoint, 0 if there is none.
fn newest(dir: &Dir) -> u64 {
    let Ok(folders) = fs::read_dir(dir.at("runs/mine/checkpoints")) else {
        return 0;
    };
    folders
        .filter_map(|folder| folder.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("step-")?.parse().ok())
        .max()
        .unwrap_or(0)
}

fn start(dir: &Dir, words: &str) -> Child {
    dir.command(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a file has content.
#[track_caller]
fn wait_for(child: &Child, file: &Path) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while fs::metadata(file).map_or(0, |data| data.len()) == 0 {
        assert!(
            Instant::now() < deadline,
            "{} of process {}",
            file.display(),
            child.id()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn stop(child: Child, with: &str) -> Output {
    signal(&child, with);
    child.wait_with_output().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
