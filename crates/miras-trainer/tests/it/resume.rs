//! 10 + 10 steps are 20, and what a resume refuses.

use miras_trainer::Resume;
use serde_json::Value;

use crate::support::{ATTENTION, Bench, MEMORY, Mischief, RECALL, config, presets};

/// Every way of running that has a state of its own.
fn cases() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    vec![
        ("memory", MEMORY, vec!["log.every=3", "eval.every=4"]),
        ("attention", ATTENTION, vec![]),
        ("accumulated", MEMORY, vec!["train.accumulate=2"]),
        (
            "matrix",
            MEMORY,
            vec![
                "memory={ kind = 'matrix', start = 'zero' }",
                "retention={ kind = 'l2', gate = 'rate', order = 'before' }",
                "algorithm={ kind = 'gd', chunk = 8 }",
            ],
        ),
        ("recall", MEMORY, RECALL.to_vec()),
        ("corrupted", MEMORY, vec!["data.corrupt=0.2"]),
        (
            "planted",
            MEMORY,
            vec!["data.needles=0.5", "data.seq_len=256"],
        ),
        ("carried", MEMORY, vec!["train.state=carry"]),
        (
            "carried, corrupted, accumulated",
            MEMORY,
            vec![
                "train.state=carry",
                "train.accumulate=3",
                "data.corrupt=0.2",
            ],
        ),
        (
            "carried, open chunks, accumulated",
            MEMORY,
            vec![
                "train.state=carry",
                "train.accumulate=3",
                "data.seq_len=21",
                "model.layers=2",
            ],
        ),
        (
            "carried, anchored",
            MEMORY,
            vec![
                "train.state=carry",
                "data.seq_len=21",
                "retention.anchored=true",
                "algorithm.read=stale",
            ],
        ),
        (
            "carried matrix",
            MEMORY,
            vec!["train.state=carry", "memory.kind=matrix", "data.seq_len=21"],
        ),
    ]
}

/// Losses and norms by step.
fn losses(bench: &Bench, name: &str) -> Vec<(u64, String)> {
    (bench.lines(name).into_iter())
        .filter(|line| line.contains_key("train/loss"))
        .map(|line| {
            let loss = &line["train/loss"];
            let norm = &line["optim/grad_norm"];
            (line["step"].as_u64().unwrap(), format!("{loss} {norm}"))
        })
        .collect()
}

fn assert_same_end(bench: &Bench, name: &str, other: &str, step: u64) {
    for file in ["model.safetensors", "optimizer.bpk"] {
        let same = bench.file(name, step, file) == bench.file(other, step, file);
        assert!(same, "{file} of {name} and {other}");
    }
    let memories = [name, other].map(|run| {
        let file = format!("{run}/checkpoints/step-{step:08}/memory.safetensors");
        std::fs::read(bench.path(&file)).ok()
    });
    assert!(memories[0] == memories[1], "memories of {name} and {other}");
}

#[test]
fn a_run_in_two_parts_is_bit_for_bit_the_run_in_one() {
    for (name, text, sets) in cases() {
        let bench = Bench::new();
        let with = |steps: &'static str| config(text, &[&sets[..], &[steps]].concat());
        bench.run("whole", with("train.steps=6"));
        bench.run("parts", with("train.steps=3"));
        let outcome = bench.resume("parts", with("train.steps=6"));
        assert_eq!((outcome.step, outcome.checkpoint), (6, Some(6)), "{name}");
        assert_same_end(&bench, "whole", "parts", 6);
        let memories = bench.path("parts/checkpoints/step-00000006/memory.safetensors");
        assert_eq!(memories.exists(), name.starts_with("carried"), "{name}");
        assert_eq!(losses(&bench, "whole"), losses(&bench, "parts"), "{name}");
        let ends = ["whole", "parts"].map(|run| bench.values(run, "eval/loss").pop());
        assert_eq!(ends[0], ends[1], "{name}");
    }
}

#[test]
fn every_preset_can_be_run_in_two_parts() {
    for (name, config) in presets() {
        let bench = Bench::new();
        let with = |steps| {
            let mut config = config.clone();
            config.train.steps = steps;
            config
        };
        bench.run("whole", with(20));
        bench.run("parts", with(10));
        bench.resume("parts", with(20));
        assert_same_end(&bench, "whole", "parts", 20);
        assert_eq!(losses(&bench, "whole"), losses(&bench, "parts"), "{name}");
    }
}

#[test]
fn a_run_that_is_stopped_between_steps_goes_on_as_if_nothing_had_happened() {
    let bench = Bench::new();
    let six = || config(MEMORY, &["train.steps=6", "log.every=2"]);
    bench.run("whole", six());
    let mischief = Mischief {
        stop_at: Some(2),
        ..Mischief::default()
    };
    let outcome = bench.run_with("parts", six(), None, mischief);
    assert_eq!(outcome.status.to_string(), "interrupted");
    assert_eq!((outcome.step, outcome.checkpoint), (3, Some(3)));
    let message = outcome.message.unwrap();
    assert!(
        message.ends_with("miras-train run x.toml --name parts --resume"),
        "{message}"
    );
    assert!(bench.said().contains(&message));
    let summary = bench.json("parts", "summary.json");
    assert_eq!(
        (&summary["status"], &summary["steps"]),
        (&"interrupted".into(), &3.into())
    );

    bench.resume("parts", six());
    assert_same_end(&bench, "whole", "parts", 6);
    assert_eq!(losses(&bench, "whole"), losses(&bench, "parts"));
    let starts = bench.json("parts", "run.json")["starts"].clone();
    let steps: Vec<&Value> = starts
        .as_array()
        .unwrap()
        .iter()
        .map(|start| &start["step"])
        .collect();
    assert_eq!(steps, [&Value::from(0), &Value::from(3)]);
    assert_eq!(bench.json("parts", "summary.json")["status"], "finished");
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let bench = Bench::new();
    bench.run("whole", config(MEMORY, &[]));
    bench.run("killed", config(MEMORY, &[]));
    std::fs::remove_dir_all(bench.path("killed/checkpoints")).unwrap();
    std::fs::remove_file(bench.path("killed/run.json")).unwrap();
    bench.resume("killed", config(MEMORY, &[]));
    assert!(
        bench
            .said()
            .contains("there is no checkpoint yet: starting from step 0")
    );
    assert_same_end(&bench, "whole", "killed", 4);
    assert_eq!(losses(&bench, "whole"), losses(&bench, "killed"));
}

#[test]
fn what_a_kill_leaves_half_done_is_done_again() {
    let bench = Bench::new();
    let sets = ["checkpoint.every=2"];
    bench.run("whole", config(MEMORY, &sets));
    bench.run("killed", config(MEMORY, &sets));
    let inside = |path: &str| bench.path("killed").join(path);
    // As a kill during the last save leaves it.
    std::fs::rename(
        inside("checkpoints/step-00000004"),
        inside("checkpoints/step-00000004.tmp"),
    )
    .unwrap();
    std::fs::remove_file(inside("checkpoints/step-00000004.tmp/manifest.json")).unwrap();
    std::fs::remove_file(inside("summary.json")).unwrap();
    let lines = std::fs::read_to_string(inside("metrics.jsonl")).unwrap();
    std::fs::write(inside("metrics.jsonl"), &lines[..lines.len() - 20]).unwrap();

    bench.resume("killed", config(MEMORY, &sets));
    assert_same_end(&bench, "whole", "killed", 4);
    assert_eq!(losses(&bench, "whole"), losses(&bench, "killed"));
    assert_eq!(bench.checkpoints("killed"), bench.checkpoints("whole"));
}

#[test]
fn a_run_stopped_before_its_first_step_can_go_on() {
    let bench = Bench::new();
    let request = bench.request("early", None);
    request
        .stop
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let outcome = miras_trainer::run(config(MEMORY, &[]), request).unwrap();
    assert_eq!((outcome.step, outcome.checkpoint), (0, Some(0)));
    assert_eq!(bench.resume("early", config(MEMORY, &[])).step, 4);
}

#[test]
fn going_back_to_an_earlier_step_drops_what_came_after() {
    let bench = Bench::new();
    let sets = ["checkpoint.every=1", "checkpoint.keep_last=9"];
    bench.run("run", config(MEMORY, &sets));
    let before = bench.values("run", "train/loss");
    let again = bench
        .try_run("run", config(MEMORY, &sets), Some(Resume::Step(2)))
        .unwrap();
    assert_eq!(again.step, 4);
    assert!(
        bench
            .said()
            .contains("removed the checkpoints of later steps: 3, 4")
    );
    assert_eq!(bench.values("run", "train/loss"), before);
    let events = miras_log::events::summary(bench.path("run")).unwrap();
    let steps: Vec<u64> = events.scalars["train/loss"]
        .iter()
        .map(|(step, _)| *step)
        .collect();
    assert_eq!(steps, [1, 2, 3, 4]);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let bench = Bench::new();
    let sets = ["checkpoint.every=2"];
    bench.run("run", config(MEMORY, &sets));
    let whole = bench.file("run", 4, "model.safetensors");
    let newest = bench.path("run/checkpoints/step-00000004/model.safetensors");
    std::fs::write(newest, "torn").unwrap();
    bench.resume("run", config(MEMORY, &sets));
    assert!(
        bench.said().contains("warning: checkpoint"),
        "{}",
        bench.said()
    );
    assert_eq!(bench.file("run", 4, "model.safetensors"), whole);
}

#[test]
fn a_finished_run_stays_as_it_is() {
    let bench = Bench::new();
    let sets = ["eval.controls=['read_zero']"];
    let first = bench.run("run", config(MEMORY, &sets));
    let weights = bench.file("run", 4, "model.safetensors");
    let lines = bench.lines("run");
    let summary = bench.json("run", "summary.json");
    let outcome = bench.resume("run", config(MEMORY, &sets));
    assert_eq!(
        (outcome.status.to_string().as_str(), outcome.step),
        ("finished", 4)
    );
    assert_eq!(bench.file("run", 4, "model.safetensors"), weights);
    assert_eq!(outcome.eval_loss, first.eval_loss);
    assert_eq!(bench.lines("run"), lines);
    let again = bench.json("run", "summary.json");
    assert_eq!(again["metrics"], summary["metrics"]);
    let events = miras_log::events::summary(bench.path("run")).unwrap();
    for tag in ["eval/loss", "control/read_zero/loss"] {
        assert_eq!(events.scalars[tag].len(), 1, "{tag}");
    }
}

#[test]
fn a_run_is_not_asked_for_fewer_steps_than_it_has_done() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &["checkpoint.every=2"]));
    let stored = std::fs::read(bench.path("run/config.toml")).unwrap();
    let fewer = config(MEMORY, &["checkpoint.every=2", "train.steps=2"]);
    let error = (bench.try_run("run", fewer.clone(), Some(Resume::Latest))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "train.steps = 2, but run `run` has done 4; ask for more than that, or go back with `--resume=STEP`"
    );
    assert_eq!(
        std::fs::read(bench.path("run/config.toml")).unwrap(),
        stored
    );
    assert_eq!(bench.json("run", "summary.json")["status"], "finished");
    // Going back is what one may do.
    let back = bench.try_run("run", fewer, Some(Resume::Step(2))).unwrap();
    assert_eq!(back.step, 2);
}

#[test]
fn what_a_kill_after_the_last_save_left_out_is_made_up_for() {
    let bench = Bench::new();
    let sets = ["eval.controls=['read_zero']"];
    bench.run("run", config(MEMORY, &sets));
    let whole = bench.lines("run");
    let path = bench.path("run/metrics.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    // The controls come last, in a line of their own.
    let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&path, format!("{kept}\n")).unwrap();
    bench.resume("run", config(MEMORY, &sets));
    assert_eq!(bench.lines("run"), whole);
}

#[test]
fn only_steps_minutes_and_device_may_change() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &[]));
    let free = config(
        MEMORY,
        &[
            "train.steps=5",
            "train.max_minutes=9",
            "train.device='auto'",
        ],
    );
    assert_eq!(bench.resume("run", free.clone()).step, 5);
    let stored = std::fs::read_to_string(bench.path("run/config.toml")).unwrap();
    assert!(
        stored.contains("steps = 5") && stored.contains("device = \"auto\""),
        "{stored}"
    );

    let refused = config(
        MEMORY,
        &[
            "train.seed=2",
            "optim.lr=0.5",
            "retention.kind='none'",
            "model.ffn_dim=24",
        ],
    );
    let error = bench
        .try_run("run", refused, Some(Resume::Latest))
        .unwrap_err();
    let text = error.to_string();
    for line in [
        "run `run` cannot be continued with another configuration:",
        "  model.ffn_dim: stored 16, now 24",
        "  optim.lr: stored 0.003, now 0.5",
        "  retention.kind: stored \"l2\", now \"none\"",
        "  train.seed: stored 1, now 2",
        "only train.steps, train.max_minutes, train.device, train.on_nonfinite, train.max_skips, train.verify_device, train.fusion may change",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Nothing was touched.
    assert_eq!(bench.json("run", "summary.json")["status"], "finished");
}

#[test]
fn what_is_not_there_cannot_be_continued() {
    let bench = Bench::new();
    bench.run("moneta", config(MEMORY, &["train.steps=1"]));
    let error = |name: &str, at| {
        bench
            .try_run(name, config(MEMORY, &["train.steps=1"]), at)
            .unwrap_err()
            .to_string()
    };
    let text = error("monta", Some(Resume::Latest));
    assert!(text.contains("did you mean `moneta`?"), "{text}");
    let text = error("moneta", Some(Resume::Step(7)));
    assert!(
        text.contains("no checkpoint of step 7: choose one of 1"),
        "{text}"
    );
    let text = error("moneta", None);
    assert!(text.contains("exists already"), "{text}");
}

#[test]
fn names_come_from_the_stem() {
    let bench = Bench::new();
    let nameless = |resume| {
        let mut request = bench.request("", resume);
        request.name = None;
        miras_trainer::run(config(MEMORY, &["train.steps=1"]), request)
            .unwrap()
            .name
    };
    assert_eq!(nameless(None), "stem");
    assert_eq!(nameless(None), "stem-2");
    assert_eq!(nameless(Some(Resume::Latest)), "stem");
}

#[test]
fn other_data_are_refused() {
    let bench = Bench::new();
    let text = bench.path("corpus.txt");
    std::fs::write(&text, "It was a dark and stormy night. ".repeat(99)).unwrap();
    let data = format!(
        "data={{ kind = 'text', path = '{}', seq_len = 16 }}",
        text.display()
    );
    bench.run("run", config(MEMORY, &[&data]));
    std::fs::write(&text, "It was a bright and stormy night. ".repeat(99)).unwrap();
    let error = bench.try_run("run", config(MEMORY, &[&data]), Some(Resume::Latest));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the data of run `run` changed"), "{error}");
}
