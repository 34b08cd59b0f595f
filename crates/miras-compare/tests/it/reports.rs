//! Which reports of evaluations are compared.

use std::fs;
use std::path::{Path, PathBuf};

use miras_compare::{CompareAt as At, Comparison};
use miras_run::{CheckpointInfo, Checkpoints, Policy, RunFolder, sha256_hex};
use serde_json::{Value, json};

use crate::fixture::{Draft, Place, compare};

/// A run of 100 steps with a checkpoint at its end.
pub(crate) fn run(place: &Place, name: &str, seed: u64) -> PathBuf {
    trained(place, &Draft::new(name, seed, 2.0))
}

/// The same of a draft.
pub(crate) fn trained(place: &Place, draft: &Draft) -> PathBuf {
    let (path, name) = (place.run(draft), &*draft.name);
    let folder = RunFolder::open(place.path(), name).unwrap();
    let write = |files: &Path| fs::write(files.join("model.safetensors"), name);
    let mut checkpoints = Checkpoints::new(&folder, Policy::default());
    checkpoints
        .save(100, write, &CheckpointInfo::new(1))
        .unwrap();
    path
}

/// A report on it as it is, with changes.
pub(crate) fn report(path: &Path, file: &str, changes: &[(&str, Value)]) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut report = json!({
        "schema": "miras_eval", "version": 2, "run": name, "step": 100,
        "weights": sha256_hex(name.as_bytes()),
        "data": {"name": "words", "bytes": 9, "fingerprint": "sha256:aa"},
        "length": 128, "memory": "live", "state": null, "size": "512", "rows": 4,
        "stretches": 2, "carried": false, "tokens": 512, "loss": 2.0, "bits_per_byte": 2.9,
        "accuracy": 0.4,
    });
    for (key, value) in changes {
        report[*key] = value.clone();
    }
    fs::write(path.join(file), report.to_string()).unwrap();
}

#[test]
fn reports_of_other_weights_steps_texts_and_amounts_are_left_out_and_named() {
    let place = Place::new();
    let paths: Vec<PathBuf> = (1..=4)
        .map(|seed| run(&place, &format!("s{seed}"), seed))
        .collect();
    for path in &paths {
        report(path, "eval-128-live.json", &[]);
    }
    let long = ("length", json!(256));
    for (path, changes) in [
        (&paths[0], vec![("step", json!(20))]),
        (&paths[1], vec![("weights", json!("other"))]),
        (&paths[2], vec![]),
        (&paths[3], vec![]),
    ] {
        report(
            path,
            "eval-256-live.json",
            &[&changes[..], std::slice::from_ref(&long)].concat(),
        );
    }
    report(
        &paths[2],
        "eval-128-live-00000001.json",
        &[("size", json!("256"))],
    );
    report(
        &paths[2],
        "eval-128-live-00000002.json",
        &[("stretches", json!(4))],
    );
    let other = json!({"name": "other", "bytes": 9, "fingerprint": "sha256:bb"});
    report(&paths[2], "eval-128-live-00000003.json", &[("data", other)]);
    report(
        &paths[3],
        "eval-128-live-00000004.json",
        &[("state", json!({"path": "s"}))],
    );
    let comparison = compare(&paths);
    let left_out: Vec<&str> = (comparison.warnings.iter())
        .filter(|line| line.starts_with("left out: "))
        .map(String::as_str)
        .collect();
    assert_eq!(
        left_out,
        [
            "left out: s3/eval-128-live-00000001.json: it is of 256 tokens in 2 stretches, and the reports of 4 of 4 runs are of 512 tokens in 2 stretches",
            "left out: s3/eval-128-live-00000002.json: it is of 512 tokens in 4 stretches, and the reports of 4 of 4 runs are of 512 tokens in 2 stretches",
            "left out: s3/eval-128-live-00000003.json: it is of another text than the reports of 4 of 4 runs",
            "left out: s2/eval-256-live.json: it is of other weights than those of step 100",
            "left out: s1/eval-256-live.json: it is of step 20, and the run is at step 100",
            "left out: s4/eval-128-live-00000004.json: it starts from a stored state",
        ]
    );
    let kept: Vec<Vec<u64>> = (comparison.runs())
        .map(|run| run.evaluations.iter().map(|one| one.length).collect())
        .collect();
    let names: Vec<&str> = comparison.runs().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["s1", "s2", "s3", "s4"]);
    assert_eq!(kept, [vec![128], vec![128], vec![128, 256], vec![128, 256]]);
    let text = comparison.text();
    assert!(text.contains("left out: s1/eval-256-live.json"), "{text}");
}

#[test]
fn most_runs_decide_what_is_compared() {
    let place = Place::new();
    let paths: Vec<PathBuf> = (1..=3)
        .map(|seed| run(&place, &format!("s{seed}"), seed))
        .collect();
    for path in &paths {
        report(
            path,
            "eval-128-live-00000001.json",
            &[("size", json!("64"))],
        );
    }
    report(&paths[0], "eval-128-live.json", &[]);
    report(&paths[1], "eval-128-live.json", &[]);
    let comparison = compare(&paths);
    for run in comparison.runs() {
        let sizes: Vec<_> = (run.evaluations.iter())
            .map(|one| one.size.clone())
            .collect();
        assert_eq!(sizes, [Some("64".to_owned())], "{}", run.name);
    }
}

#[test]
fn where_as_many_read_one_amount_as_another_both_are_said() {
    let place = Place::new();
    let paths = [run(&place, "s1", 1), run(&place, "s2", 2)];
    report(&paths[0], "eval-128-live.json", &[("size", json!("256"))]);
    report(&paths[1], "eval-128-live.json", &[("size", json!("all"))]);
    let comparison = compare(&paths);
    assert_eq!(
        comparison.warnings,
        [
            "left out: s1/eval-128-live.json: it is of 256 tokens in 2 stretches, and the reports of \
             1 of 2 runs are of all tokens in 2 stretches"
        ]
    );
}

#[test]
fn reports_of_the_step_at_which_runs_are_compared_count_there() {
    let place = Place::new();
    let paths = [run(&place, "s1", 1), run(&place, "s2", 2)];
    for path in &paths {
        report(path, "eval-128-live.json", &[]);
        let early = [("step", json!(20)), ("loss", json!(3.0))];
        report(path, "eval-128-live-00000001.json", &early);
    }
    let at = |tokens: Option<u64>| {
        let at = tokens.map_or(At::Auto, At::Tokens);
        let comparison = Comparison::read_at(&paths, None, None, at, &[]).unwrap();
        let losses: Vec<_> = (comparison.runs())
            .map(|run| {
                run.evaluations
                    .iter()
                    .map(|one| one.loss)
                    .collect::<Vec<_>>()
            })
            .collect();
        (losses, comparison.warnings.join("\n"))
    };
    let (losses, warned) = at(None);
    assert_eq!(losses, [vec![Some(2.0)], vec![Some(2.0)]]);
    assert!(
        warned.contains("it is of step 20, and the run is at step 100"),
        "{warned}"
    );
    let (losses, warned) = at(Some(20_000));
    assert_eq!(losses, [vec![Some(3.0)], vec![Some(3.0)]]);
    assert!(
        warned.contains("it is of step 100, and the run is compared at step 20"),
        "{warned}"
    );
}

#[test]
fn a_damaged_checkpoint_vouches_for_no_report_and_none_leaves_the_step() {
    let place = Place::new();
    let paths = [run(&place, "damaged", 1), run(&place, "removed", 2)];
    for path in &paths {
        report(path, "eval-128-live.json", &[]);
    }
    let manifest = "checkpoints/step-00000100/manifest.json";
    fs::write(paths[0].join(manifest), "{").unwrap();
    fs::remove_dir_all(paths[1].join("checkpoints")).unwrap();
    let comparison = compare(&paths);
    let counts: Vec<(&str, usize)> = (comparison.runs())
        .map(|run| (run.name.as_str(), run.evaluations.len()))
        .collect();
    assert_eq!(counts, [("damaged", 0), ("removed", 1)]);
    let line = "left out: damaged/eval-128-live.json: it cannot be held against the checkpoint of step 100, which is damaged";
    assert!(
        comparison.warnings.contains(&line.to_owned()),
        "{:?}",
        comparison.warnings
    );
}

#[test]
fn generated_data_of_other_seeds_are_the_same_data() {
    let place = Place::new();
    let paths: Vec<PathBuf> = (1..=3)
        .map(|seed| run(&place, &format!("s{seed}"), seed))
        .collect();
    for (seed, path) in paths.iter().enumerate() {
        let data = json!({
            "name": "recall", "bytes": null, "generator": "mqar: vocab 32, pairs 4",
            "fingerprint": format!("sha256-generated:{seed}"),
        });
        report(path, "eval-128-live.json", &[("data", data)]);
    }
    let comparison = compare(&paths);
    assert!(comparison.runs().all(|run| run.evaluations.len() == 1));
    assert_eq!(comparison.warnings, [""; 0]);
}

#[test]
fn rows_that_carry_memories_are_not_averaged_with_rows_that_start_anew() {
    let place = Place::new();
    let paths = [run(&place, "s1", 1), run(&place, "s2", 2)];
    let carried = [("carried", json!(true)), ("bits_per_byte", json!(1.0))];
    let anew = [("bits_per_byte", json!(3.0))];
    let long = [("length", json!(256)), ("bits_per_byte", json!(4.0))];
    // The default of a run that carries memories, and what --length makes of the other ones.
    report(&paths[0], "eval-128-live.json", &carried);
    report(&paths[0], "eval-256-live-00000001.json", &long);
    report(&paths[1], "eval-128-live-00000001.json", &anew);
    report(&paths[1], "eval-256-live-00000001.json", &long);
    let comparison = compare(&paths);
    assert_eq!(comparison.variants.len(), 1);
    assert_eq!(comparison.warnings, [""; 0]);
    let text = comparison.markdown();
    let (_, table) = text.split_once("bits a byte by tokens a row").unwrap();
    let rows: Vec<Vec<&str>> = (table.lines())
        .filter(|line| line.starts_with("| ") && !line.contains("---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(
        rows[0],
        ["variant", "128 live", "256 live", "128 live, carried"]
    );
    assert_eq!(rows[1][1..], ["3.0000", "4.0000 ± 0", "1.0000"]);
    let file: Value = serde_json::from_str(&comparison.json()).unwrap();
    let first = &file["variants"][0]["runs"][0]["evaluations"];
    let carried: Vec<&Value> = (first.as_array().unwrap().iter())
        .map(|one| &one["carried"])
        .collect();
    assert_eq!(carried, [&json!(true), &json!(false)]);
    let plots = comparison.plots();
    let plot = (plots.iter()).find(|plot| plot.name() == "loss-by-length");
    assert!(
        plot.unwrap()
            .svg()
            .unwrap()
            .contains("memory live, carried")
    );

    // A run that has both keeps both.
    report(&paths[0], "eval-128-live-00000001.json", &anew);
    let comparison = compare(&paths);
    assert_eq!(comparison.warnings, [""; 0]);
    let counts: Vec<usize> = (comparison.runs())
        .map(|run| run.evaluations.len())
        .collect();
    assert_eq!(counts, [3, 2]);
}

#[test]
fn reports_that_cannot_be_read_are_left_out_and_named() {
    let place = Place::new();
    let path = run(&place, "s1", 1);
    report(&path, "eval-128-live.json", &[]);
    report(&path, "eval-256-live.json", &[("length", json!("long"))]);
    fs::write(path.join("eval-512-live.json"), "{").unwrap();
    fs::create_dir(path.join("eval-1024-live.json")).unwrap();
    // What is no report is somebody else's file.
    fs::write(path.join("eval-notes.json"), "{}").unwrap();
    let comparison = compare(&[path]);
    let lengths: Vec<u64> = (comparison.runs())
        .flat_map(|run| run.evaluations.iter().map(|one| one.length))
        .collect();
    assert_eq!(lengths, [128]);
    assert_eq!(comparison.warnings.len(), 3, "{:?}", comparison.warnings);
    for file in [
        "eval-256-live.json",
        "eval-512-live.json",
        "eval-1024-live.json",
    ] {
        let start = format!("left out: s1/{file}: it cannot be read: ");
        let mut warnings = comparison.warnings.iter();
        assert!(
            warnings.any(|line| line.starts_with(&start)),
            "{file}: {:?}",
            comparison.warnings
        );
    }
}

#[test]
fn scores_on_data_sets_are_compared_where_the_questions_are_the_same() {
    let place = Place::new();
    let task = |path: &Path, changes: &[(&str, Value)]| {
        let own = [
            ("schema", json!("miras_task")),
            ("task", json!("piqa")),
            ("fingerprint", json!("aa")),
            ("questions", json!(40)),
            ("accuracy", json!(0.5)),
            ("stderr", json!(0.1)),
            ("metrics", json!(["accuracy"])),
        ];
        report(path, "task-piqa-live.json", &[&own[..], changes].concat());
    };
    let mut paths = Vec::new();
    for (seed, right) in [
        (1, 0.5),
        (2, 0.6),
        (3, 0.7),
        (4, 0.9),
        (5, 0.9),
        (6, 0.9),
        (7, 0.9),
    ] {
        let path = run(&place, &format!("s{seed}"), seed);
        let other = match seed {
            4 => vec![("questions", json!(20))],
            5 => vec![("fingerprint", json!("bb"))],
            6 => vec![("weights", json!("other"))],
            7 => vec![("step", json!(50))],
            _ => Vec::new(),
        };
        task(&path, &[&other[..], &[("accuracy", json!(right))]].concat());
        paths.push(path);
    }
    let of = |metric: &str| Comparison::read(&paths, Some(metric), None);
    let found = of("task/piqa/accuracy").unwrap();
    let sample = found.variants[0].sample.unwrap();
    assert_eq!((sample.n, found.goal), (3, miras_run::Goal::Higher));
    assert!((sample.mean - 0.6).abs() < 1e-12);
    assert!((found.resolution.unwrap() - 1.0 / 40.0).abs() < 1e-12);
    for expected in [
        "s4/task-piqa-live.json: it is of 20 questions, and the reports of most runs are of 40",
        "s5/task-piqa-live.json: it is of another file of questions than the reports of most runs",
        "s6/task-piqa-live.json: it is of other weights than those of step 100",
        "s7/task-piqa-live.json: it is of step 50, and the run is at step 100",
    ] {
        let has = found
            .warnings
            .iter()
            .any(|warning| warning.contains(expected));
        assert!(has, "{expected}: {:?}", found.warnings);
    }
    let error = of("task/piqa/stderr").unwrap_err().to_string();
    assert!(error.contains("no run has the metric"), "{error}");
    let error = of("task/piqa/acuracy").unwrap_err().to_string();
    assert!(
        error.contains("did you mean `task/piqa/accuracy`?"),
        "{error}"
    );
}

#[test]
fn prompts_that_are_made_are_compared_as_a_whole_and_by_cell() {
    let place = Place::new();
    let mut paths = Vec::new();
    for seed in 1..=3_u64 {
        let path = run(&place, &format!("s{seed}"), seed);
        let by = 0.1 * seed as f64;
        for (memory, less) in [("live", 0.0), ("frozen", 1.0)] {
            let recall = [
                ("schema", json!("miras_task")),
                ("task", json!("recall")),
                ("memory", json!(memory)),
                ("fingerprint", json!("aa")),
                ("questions", json!(40)),
                ("metrics", json!(["loss_first", "loss", "gain"])),
                ("gain", json!(1.5 + by - less)),
                (
                    "cells",
                    json!([
                        {"distance": 256, "samples": 20, "gain": 2.0 + by - less, "gain_stderr": 0.1},
                        {"distance": 1024, "samples": 20, "gain": 1.0 + by - less},
                    ]),
                ),
            ];
            report(&path, &format!("task-recall-{memory}.json"), &recall);
        }
        let needle = [
            ("schema", json!("miras_task")),
            ("task", json!("needle")),
            ("fingerprint", json!("")),
            ("questions", json!(60)),
            ("metrics", json!(["accuracy"])),
            ("accuracy", json!(0.5)),
            (
                "cells",
                json!([{"kind": "noise", "length": 4096, "depth": 50.0, "samples": 5, "accuracy": 0.2 * seed as f64}]),
            ),
        ];
        report(&path, "task-needle-live.json", &needle);
        paths.push(path);
    }
    for (metric, mean, step) in [
        ("task/recall/gain", 1.7, None),
        ("task/recall/256/gain", 2.2, None),
        ("task/recall/1024/gain", 1.2, None),
        ("task/recall/frozen/gain", 0.7, None),
        ("task/recall/frozen/1024/gain", 0.2, None),
        ("task/needle/accuracy", 0.5, Some(1.0 / 60.0)),
        ("task/needle/noise/4096/50/accuracy", 0.4, Some(0.2)),
    ] {
        let found = Comparison::read(&paths, Some(metric), None).unwrap();
        let sample = found.variants[0].sample.unwrap();
        assert!(
            (sample.mean - mean).abs() < 1e-12,
            "{metric}: {}",
            sample.mean
        );
        assert_eq!((sample.n, found.goal), (3, miras_run::Goal::Higher));
        assert_eq!(found.resolution, step, "{metric}");
    }
    for (metric, said) in [
        (
            "task/recall/250/gain",
            "did you mean `task/recall/256/gain`?",
        ),
        ("task/zzzzzzzzzzzzzzzzzzzzzzzz", "task/recall/256/gain, "),
        (
            "task/recall/256/gain_stderr",
            "did you mean `task/recall/256/gain`?",
        ),
    ] {
        let error = Comparison::read(&paths, Some(metric), None).unwrap_err();
        assert!(error.to_string().contains(said), "{metric}: {error}");
    }
}
