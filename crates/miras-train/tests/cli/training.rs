//! Short runs from start to end.

use std::fs;

use crate::support::{Dir, Ran};

#[test]
fn a_run_leaves_a_complete_folder() {
    let dir = Dir::tiny();
    let ran = dir.run("run tiny.toml").done();
    assert!(ran.err.contains("step 4/4"), "{}", ran.err);

    for file in [
        "config.toml",
        "run.json",
        "metrics.jsonl",
        "summary.json",
        "checkpoints/step-00000002/model.safetensors",
        "checkpoints/step-00000004/model.safetensors",
    ] {
        assert!(dir.at("runs/tiny").join(file).is_file(), "{file}");
    }
    let files = fs::read_dir(dir.at("runs/tiny")).unwrap();
    let has_events = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .any(|name| name.contains("tfevents"));
    assert!(has_events, "TensorBoard has something to read");

    let shown = dir.run("show tiny.toml --plain").done().out;
    assert_eq!(dir.read("runs/tiny/config.toml").trim(), shown.trim());
    let summary = json(&dir.read("runs/tiny/summary.json"));
    assert_eq!(summary["status"], "finished");
    assert_eq!(summary["steps"], 4);
    assert_eq!(summary["tokens"], 4 * 2 * 32);
    let metrics = dir.read("runs/tiny/metrics.jsonl");
    let last = json(metrics.lines().last().unwrap());
    assert_eq!(last["step"], 4);
}

#[test]
fn names_come_from_the_file_and_are_never_used_twice() {
    let dir = Dir::tiny();
    for name in ["tiny", "tiny-2", "tiny-3"] {
        dir.run("run tiny.toml --set train.steps=1").done();
        assert!(
            dir.at("runs").join(name).join("summary.json").is_file(),
            "{name}"
        );
    }
    dir.run("run tiny.toml --name tiny").refused(
        "error: run folder runs/tiny exists already: continue it with `--resume` or choose another `--name`",
    );
    dir.run("run tiny.toml --name mine --runs deep/runs --set train.steps=1")
        .done();
    assert!(dir.at("deep/runs/mine/summary.json").is_file());
}

#[test]
fn any_working_directory_will_do() {
    let dir = Dir::tiny();
    dir.file(
        "configs/child.toml",
        "extends = \"../tiny.toml\"\n\n[train]\nsteps = 2\n",
    );
    dir.file("elsewhere/readme", "");
    let output = dir
        .command("run ../configs/child.toml --runs ../runs")
        .current_dir(dir.at("elsewhere"))
        .output()
        .unwrap();
    Ran::new("run ../configs/child.toml", &output, dir.path()).done();
    assert!(dir.at("runs/child/summary.json").is_file());
    assert!(!dir.at("elsewhere/runs").exists());
}

#[test]
fn a_corpus_of_ones_own_is_one_key() {
    let dir = Dir::tiny();
    dir.file(
        "corpus.txt",
        "What the user wrote, again and again. ".repeat(100),
    );
    dir.run("run tiny.toml --set data.kind=text --set data.path=corpus.txt")
        .done();
    let record = dir.read("runs/tiny/run.json");
    assert!(record.contains("corpus.txt"), "{record}");
}

#[test]
fn quiet_is_quiet() {
    let dir = Dir::tiny();
    let ran = dir.run("run tiny.toml --progress quiet").done();
    assert_eq!((&*ran.out, &*ran.err), ("", ""));

    let diverging = "--set optim.lr=1e30 --set optim.warmup=0 --set train.steps=50";
    let ran = dir
        .run(&format!("run tiny.toml --progress quiet {diverging}"))
        .ended(3);
    assert!(ran.err.starts_with("error: step "), "{}", ran.err);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    assert!(lines[1].starts_with(
        "  = help: try a new run with a lower optim.weight_decay (now 0.01) or optim.lr (now 1e30)"
    ));
}

#[test]
fn one_seed_gives_one_model() {
    let dir = Dir::tiny();
    let model = |name: &str, set: &str| {
        dir.run(&format!(
            "run tiny.toml --name {name} --set train.steps=2{set}"
        ))
        .done();
        fs::read(dir.at(&format!(
            "runs/{name}/checkpoints/step-00000002/model.safetensors"
        )))
        .unwrap()
    };
    let first = model("first", "");
    assert!(first == model("again", ""));
    assert!(first != model("other", " --set train.seed=2"));
}

#[test]
fn numbers_that_are_not_finite_stop_the_run() {
    let dir = Dir::tiny();
    let ran =
        dir.run("run tiny.toml --set optim.lr=1e30 --set optim.warmup=0 --set train.steps=50");
    let ran = ran.ended(3);
    assert!(
        ran.err.to_lowercase().contains("finite") || ran.err.contains("NaN"),
        "{}",
        ran.err
    );
    let summary = json(&dir.read("runs/tiny/summary.json"));
    assert_eq!(summary["status"], "nonfinite");
}

#[test]
fn a_time_limit_ends_a_run_that_can_go_on() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --set train.steps=1000000 --set train.max_minutes=0.005")
        .done();
    let summary = json(&dir.read("runs/tiny/summary.json"));
    assert_eq!(summary["status"], "time");
    let steps = summary["steps"].as_u64().unwrap();
    assert!(steps < 1_000_000);

    let more = format!("run tiny.toml --resume --set train.steps={}", steps + 1);
    dir.run(&more).done();
    let summary = json(&dir.read("runs/tiny/summary.json"));
    assert_eq!(
        (&summary["status"], &summary["steps"]),
        (&"finished".into(), &(steps + 1).into())
    );
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
