//! Sweeps, workers and comparisons.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::support::{Dir, TINY};

const DEPTHS: &str = r#"
[sweep]
seeds = [1, 2]

[sweep.axes]
"memory.depth" = [1, 2, 3]

[[sweep.match]]
budget = "parameters"

[sweep.evaluate]
lengths = [32, 64]
tokens = 128
"#;

fn with(rest: &str) -> Dir {
    let dir = Dir::new();
    dir.file("depths.toml", format!("{TINY}{rest}"));
    dir
}

/// Events by what happened, and how often each trial is done.
fn ledger(dir: &Dir, sweep: &str) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (mut events, mut done) = (BTreeMap::new(), BTreeMap::new());
    for line in dir.read(&format!("{sweep}/ledger.jsonl")).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let what = event["event"].as_str().unwrap().to_owned();
        if what == "done" {
            *done.entry(event["trial"].to_string()).or_default() += 1;
        }
        *events.entry(what).or_default() += 1;
    }
    (events, done)
}

#[test]
fn a_sweep_ends_in_a_table_a_report_and_the_same_tags_for_all() {
    let dir = with(DEPTHS);
    let list = dir.run("sweep depths.toml --dry-run").done();
    assert!(list.out.contains("depth-3-s2"), "{}", list.out);
    assert!(list.out.contains("model.ffn_dim="), "{}", list.out);
    assert!(list.out.contains("6 trials, "), "{}", list.out);
    for preset in ["memory-depth", "four-axes"] {
        let list = dir.run(&format!("sweep {preset} --dry-run")).done().out;
        let (table, _) = list.split_once(" FLOPs of training").unwrap();
        assert!(table.lines().count() > 48, "{table}");
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{table}");
    }
    assert!(!dir.at("runs").exists(), "a dry run leaves nothing");

    let ran = dir.run("sweep depths.toml --jobs 2").done();
    assert!(
        ran.err.contains("6 of 6 trials done, 0 failed"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("depth=2"), "{}", ran.out);
    let report = dir.read("runs/depths/compare/report.html");
    assert!(report.contains("<svg") && !report.contains("<script"));
    assert!(
        dir.at("runs/depths/compare/plots/loss-by-length.svg")
            .is_file()
    );
    let results = dir.read("runs/depths/compare/results.csv");
    assert_eq!(results.lines().count(), 7, "{results}");
    let (events, done) = ledger(&dir, "runs/depths");
    assert_eq!((events["running"], done.len()), (6, 6));

    dir.run("eval depths").refused(
        "error: runs/depths is a sweep, not a run
  = help: name one of its trials, with `--runs runs/depths`",
    );
    dir.run("eval depth-1-s1 --runs runs/depths").done();

    // What is compared can be compared again, in part and as JSON.
    let all = dir.run("compare depths --format json").done();
    let all: Value = serde_json::from_str(&all.out).unwrap();
    assert_eq!(all["variants"].as_array().unwrap().len(), 3);
    assert_eq!(all["variants"][0]["n"], 2);
    let some = "compare runs/depths/depth-1-s1 runs/depths/depth-1-s2 --format csv";
    assert_eq!(dir.run(some).done().out.lines().count(), 3);

    dir.run("sweep depths.toml").refused(
        "error: runs/depths exists already: go on with `--resume`, or choose another `--name`",
    );
    let again = dir.run("sweep depths.toml --resume").done();
    assert!(again.err.contains("6 of 6 trials done"), "{}", again.err);
    assert_eq!(
        ledger(&dir, "runs/depths").0["running"],
        6,
        "nothing is done again"
    );
}

#[test]
fn workers_that_are_killed_lose_nothing_and_repeat_nothing() {
    killed(
        &with("[sweep]\nseeds = [1, 2, 3, 4]\n[sweep.axes]\noptim.lr = [1e-3, 2e-3, 3e-3]"),
        12,
    );
}

/// The same with a hundred: `cargo test --workspace --test cli -- --ignored hundred`.
#[test]
#[ignore = "half a minute"]
fn a_hundred_trials_under_four_workers_that_are_killed() {
    let axes = "[sweep]\nseeds = [1, 2, 3, 4, 5]\n[sweep.axes]\n\
                optim.lr = { log = [1e-3, 1e-2], n = 20 }";
    killed(&with(axes), 100);
}

fn killed(dir: &Dir, trials: usize) {
    dir.run("sweep depths.toml --prepare").done();
    let worker = || -> Child {
        let mut command = dir.command("worker runs/depths --progress quiet");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut workers: Vec<Child> = (0..4).map(|_| worker()).collect();
    for round in 0..trials / 2 {
        thread::sleep(Duration::from_millis(130));
        let slot = round % workers.len();
        workers[slot].kill().unwrap();
        workers[slot].wait().unwrap();
        workers[slot] = worker();
    }
    for mut worker in workers {
        assert_eq!(worker.wait().unwrap().code(), Some(0));
    }
    let (_, done) = ledger(dir, "runs/depths");
    assert_eq!(done.len(), trials);
    assert!(done.values().all(|&times| times == 1), "{done:?}");
    let finished = fs::read_dir(dir.at("runs/depths")).unwrap().flatten();
    let finished = finished.filter(|entry| {
        let summary = fs::read_to_string(entry.path().join("summary.json"));
        summary.is_ok_and(|summary| summary.contains("\"finished\""))
    });
    assert_eq!(finished.count(), trials);
}

#[test]
fn the_best_go_on_from_their_checkpoints() {
    let dir = with(
        "[sweep]\n[sweep.axes]\noptim.lr = [1e-4, 1e-2, 2e-2]\n\
         [[sweep.rungs]]\ntokens = 128\n[[sweep.rungs]]\ntokens = 256\nbest = 1",
    );
    let ran = dir.run("sweep depths.toml").done();
    assert!(ran.err.contains("3 of 3 trials done"), "{}", ran.err);
    let steps = |name: &str| {
        let summary = dir.read(&format!("runs/depths/{name}/summary.json"));
        let summary: Value = serde_json::from_str(&summary).unwrap();
        summary["steps"].as_u64().unwrap()
    };
    let all = ["lr-0.0001-s1", "lr-0.01-s1", "lr-0.02-s1"].map(steps);
    assert_eq!(all[0], 2, "the worst stops at the first rung");
    assert_eq!(all.iter().filter(|&&steps| steps == 4).count(), 1);
    let best = dir.read("runs/depths/lr-0.02-s1/run.json");
    let best: Value = serde_json::from_str(&best).unwrap();
    if all[2] == 4 {
        assert_eq!(best["starts"][1]["step"], 2, "it went on where it was");
    }
}

#[test]
fn whole_parts_are_swept_and_attention_stands_beside_memories() {
    let dir = with(
        "[sweep]\n[sweep.axes]\nbias = [\"l2\", { kind = \"huber\", delta = 0.5 }]\n\
         [sweep.evaluate]\nlengths = [32]\ntokens = 64\nmemory = [\"live\", \"frozen\"]",
    );
    let ran = dir.run("sweep depths.toml").done();
    assert!(
        ran.err.contains("2 of 2 trials done, 0 failed"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("bias=huber"), "{}", ran.out);

    dir.file(
        "mixers.toml",
        "[model]\ndim = 16\nlayers = 1\n[mixer]\nheads = 2\n[data]\nseq_len = 32\n[train]\nsteps = 2\n\
         [eval]\ntokens = 64\n[sweep]\nmode = \"list\"\n[[sweep.list]]\nmixer.kind = \"attention\"\n\
         [[sweep.list]]\nmemory = { kind = \"mlp\", expansion = 2 }\n\
         [sweep.evaluate]\nlengths = [32]\ntokens = 64\nmemory = [\"frozen\"]",
    );
    let ran = dir.run("sweep mixers.toml").done();
    assert!(
        ran.err.contains("2 of 2 trials done, 0 failed"),
        "{}",
        ran.err
    );
}

#[test]
fn trials_answer_the_questions_of_tasks_once_for_each_content_of_the_file() {
    let dir = with(
        "[sweep]\nseeds = [1, 2]\n[sweep.axes]\noptim.lr = [1e-3, 2e-3]\n\
         [sweep.evaluate]\ntasks = [\"piqa=q.jsonl\"]\nmemory = [\"live\", \"frozen\"]",
    );
    let question = |label: u8| {
        format!(
            "{{\"goal\": \"Dry it\", \"sol1\": \"sun\", \"sol2\": \"lake\", \"label\": {label}}}\n"
        )
    };
    dir.file("q.jsonl", question(0).repeat(3));
    dir.run("sweep depths.toml").done();
    let report = "runs/depths/lr-0.001-s1/task-piqa-live.json";
    let before = dir.read(report);
    let found: Value = serde_json::from_str(&before).unwrap();
    assert_eq!(found["questions"], 3);
    assert!(
        dir.at("runs/depths/lr-0.002-s2/task-piqa-frozen.json")
            .is_file()
    );
    let compared = dir
        .run("compare runs/depths --metric task/piqa/frozen/accuracy")
        .done();
    assert!(compared.out.contains("lr=0.001"), "{}", compared.out);

    // What is there is kept, until the questions are others.
    let changed = |path: &str| fs::metadata(dir.at(path)).unwrap().modified().unwrap();
    let written = changed(report);
    dir.run("sweep depths.toml --resume").done();
    assert_eq!(changed(report), written);
    dir.file("q.jsonl", question(1).repeat(3));
    dir.run("sweep depths.toml --resume").done();
    let after: Value = serde_json::from_str(&dir.read(report)).unwrap();
    assert_ne!(after["fingerprint"], found["fingerprint"]);
}

#[test]
fn trials_are_asked_for_a_passage_that_comes_again() {
    let dir = with(
        "[sweep]\n[sweep.axes]\noptim.lr = [1e-3, 2e-3]\n\
         [sweep.evaluate]\ntasks = [\"recall=book.txt\", \"piqa=q.jsonl\"]\nlimit = 2\n\
         memory = [\"live\", \"frozen\"]",
    );
    let question = "{\"goal\": \"Dry it\", \"sol1\": \"sun\", \"sol2\": \"lake\", \"label\": 0}\n";
    dir.file("q.jsonl", question.repeat(3));
    let lines = (0..700).map(|line| format!("line {line} of the whole book\n"));
    dir.file("book.txt", lines.collect::<String>());
    dir.run("sweep depths.toml").done();
    let report = |memory: &str| {
        let path = format!("runs/depths/lr-0.001-s1/task-recall-{memory}.json");
        let found: Value = serde_json::from_str(&dir.read(&path)).unwrap();
        found
    };
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    for memory in ["live", "frozen"] {
        let found = report(memory);
        assert_eq!(found["questions"], 80);
        let distances: Vec<&Value> = (found["cells"].as_array().unwrap().iter())
            .map(|cell| &cell["distance"])
            .collect();
        assert_eq!(distances, [256, 1024, 4096, 16384]);
        for of in found["cells"].as_array().unwrap().iter().chain([&found]) {
            let fell = number(of, "loss_first") - number(of, "loss");
            assert!((fell - number(of, "gain")).abs() < 1e-9, "{of}");
            assert!(of["gain_stderr"].is_number(), "{of}");
        }
    }
    for metric in ["gain", "frozen/gain", "4096/loss", "frozen/256/gain"] {
        let words = format!("compare runs/depths --metric task/recall/{metric}");
        let compared = dir.run(&words).done();
        assert!(compared.out.contains("lr=0.001"), "{}", compared.out);
    }
    // What is there is kept, with a limit for other tasks too.
    let before = report("live");
    let path = dir.at("runs/depths/lr-0.001-s1/task-recall-live.json");
    let changed = || fs::metadata(&path).unwrap().modified().unwrap();
    let written = changed();
    dir.run("sweep depths.toml --resume").done();
    assert_eq!((changed(), report("live")), (written, before));
}

#[test]
fn failures_are_listed_and_three_alike_end_it() {
    let dir = with("[sweep]\n[sweep.axes]\noptim.lr = [1e-3, 1e30]");
    let ran = dir.run("sweep depths.toml").ended(1);
    assert!(
        ran.err.contains("1 of 2 trials done, 1 failed"),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("not counted") && ran.out.contains("is not finite")
            || ran.out.contains("NaN")
            || ran.out.contains("nonfinite"),
        "{}",
        ran.out
    );

    let dir = with("[sweep]\nseeds = [1, 2, 3, 4, 5]\n[sweep.axes]\noptim.lr = [1e30]");
    let ran = dir.run("sweep depths.toml").ended(1);
    assert!(
        ran.err.contains("error: 3 trials in a row failed alike: "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("0 of 5 trials done, 3 failed"),
        "{}",
        ran.err
    );
    let ran = dir.run("sweep depths.toml --resume --fail-fast").ended(1);
    assert!(ran.err.contains("error: a trial failed: "), "{}", ran.err);
    assert!(
        ran.err.contains("0 of 5 trials done, 4 failed"),
        "{}",
        ran.err
    );
}

#[test]
fn mistakes_in_a_sweep_have_a_line() {
    let dir = with("[sweep.axes]\n'memory.depht' = [1, 2]");
    dir.run("sweep depths.toml").refused(
        "error: unknown field `depht`, expected one of [..]
  --> depths.toml:24:19  (memory.depht)
   |
24 | 'memory.depht' = [1, 2]
   |                   ^
   = help: did you mean `depth`?",
    );
    let dir = with(
        "[sweep]\npoints = 3\n[sweep.axes]\n'memory.depth' = 2\n[sweep.evaluate]\nlengths = [0]\ntokens = 9",
    );
    let ran = dir.run("sweep depths.toml").ended(2);
    for place in [
        "depths.toml:24:10  (sweep.points)",
        "depths.toml:26:18  (sweep.axes.\"memory.depth\")",
        "depths.toml:28:12  (sweep.evaluate.lengths[0])",
    ] {
        assert!(ran.err.contains(place), "{}", ran.err);
    }
    let dir = with("[sweep.axes]\n'memory.depth' = [0, 1, -2]\n'optim.lr' = [0.1, -0.1]");
    let ran = dir.run("sweep depths.toml").ended(2);
    assert_eq!(ran.err.matches("error: ").count(), 3, "{}", ran.err);
    let dir = with(DEPTHS);
    dir.run("sweep depths.toml --set memory.depth=4").refused(
        "error: `--set memory.depth=4` changes nothing: the sweep has its own values
  = help: change `memory.depth` in the file, or leave it out",
    );
    dir.run("sweep depths.toml --resume").refused(
        "error: there is no sweep runs/depths
  = help: leave `--resume` and `--retry` out to begin it",
    );
    dir.run("worker runs/none").refused(
        "error: runs/none is no sweep: it has no sweep.json; make one with `miras-train sweep FILE`",
    );
    dir.run("sweep depths.toml --prepare").done();
    dir.file(
        "depths.toml",
        format!("{TINY}{}", DEPTHS.replace("[1, 2, 3]", "[1, 2, 4]")),
    );
    dir.run("sweep depths.toml --resume").refused(
        "error: the sweep in runs/depths has 2 of 6 trials that this file and its `--set` do not \
         describe, the first is `depth-3-s1`: more may be added, none changed. It was started by \
         `[..] sweep depths.toml --prepare`; `worker` goes on with it as it was planned, and `--name` \
         starts another",
    );
    dir.file("tiny.toml", TINY);
    dir.run("sweep tiny.toml").refused(
        "error: there is no [sweep] in `tiny.toml`
  = help: add what is to be swept, for example [sweep.axes] and below it \"optim.lr\" = [1e-3, 3e-3]",
    );
    dir.run("sweep depths.toml --name other --set sweep.metric=eval/los")
        .refused(
            "error: runs of this configuration have no metric `eval/los`
 --> --set:1:14  (sweep.metric)
  |
1 | sweep.metric=eval/los
  |              ^^^^^^^^
  = help: did you mean `eval/loss`?",
        );
    let help = "belongs to `miras-train sweep FILE`, which trains many trials out of one file";
    let ran = dir.run("run depths.toml").ended(2);
    assert!(ran.err.contains(help), "{}", ran.err);
    let ran = dir.run("check depths.toml").done();
    assert!(ran.out.contains("note: a sweep of 6 trials"), "{}", ran.out);
    dir.run("compare nothing")
        .refused("error: runs/nothing is neither a run [..]");
}

#[test]
fn a_worker_trains_what_was_planned_and_nothing_else() {
    let dir = with("[sweep]\n[sweep.axes]\noptim.lr = [1e-3, 2e-3]");
    dir.run("sweep depths.toml --prepare").done();
    let trials = fs::read_dir(dir.at("runs/depths/trials")).unwrap();
    let file = trials.map(|entry| entry.unwrap().path());
    let file = file
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .find(|path| {
            let text = fs::read_to_string(path).unwrap();
            text.contains("lr = 0.001")
        });
    let file = file.unwrap();
    let edited = fs::read_to_string(&file).unwrap();
    fs::write(&file, edited.replace("lr = 0.001", "lr = 0.5")).unwrap();
    let ran = dir.run("worker runs/depths").ended(1);
    assert!(
        ran.err.contains(
            "the configuration of trial `lr-0.001-s1`, is damaged or was changed: `sweep FILE --resume`"
        ),
        "{}",
        ran.err
    );
    assert!(!dir.at("runs/depths/lr-0.001-s1").exists());
    let plan = dir.read("runs/depths/sweep.json");
    dir.file(
        "runs/depths/sweep.json",
        plan.replace("eval/loss", "eval/accuracy"),
    );
    for words in ["worker runs/depths", "sweep depths.toml --resume"] {
        let ran = dir.run(words).ended(1);
        let said = "error: runs/depths/sweep.json is damaged or was changed: ";
        assert!(ran.err.starts_with(said), "{words}: {}", ran.err);
    }
    dir.file("runs/depths/sweep.json", plan);
    let ran = dir.run("sweep depths.toml --resume").done();
    assert!(ran.err.contains("2 of 2 trials done"), "{}", ran.err);
    let trained = dir.read("runs/depths/lr-0.001-s1/config.toml");
    assert!(trained.contains("lr = 0.001"), "{trained}");
}

#[test]
fn an_array_job_is_a_script_that_a_person_can_read() {
    let dir = with(DEPTHS);
    let ran = dir.run("sweep depths.toml --slurm 3 --device cpu").done();
    assert!(
        ran.err.contains("sbatch runs/depths/sweep.sbatch"),
        "{}",
        ran.err
    );
    let script = dir.read("runs/depths/sweep.sbatch");
    assert!(script.contains("#SBATCH --array=1-3\n"), "{script}");
    assert!(script.contains(" worker "), "{script}");
    assert!(script.contains(" --device cpu "), "{script}");
    // What it starts, started by hand.
    let line = script
        .lines()
        .find(|line| line.starts_with("exec "))
        .unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", line])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(ledger(&dir, "runs/depths").1.len(), 6);
}
