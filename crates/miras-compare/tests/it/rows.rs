//! Metrics out of reports: `rows/LENGTH/MEMORY/NAME`.

use std::path::{Path, PathBuf};

use miras_compare::{CompareError, Comparison};
use miras_run::Goal;
use serde_json::{Value, json};

use crate::fixture::{Draft, Place};
use crate::reports::{report, run, trained};

/// A report with losses by position and by occurrence.
fn whole(path: &Path, file: &str, changes: &[(&str, Value)]) {
    let bin = |from: u64, to: u64, tokens: u64, loss: f64| json!({"from": from, "to": to, "tokens": tokens, "loss": loss});
    let seen =
        |what: &str, loss: f64| json!({"ngram": 8, "occurrence": what, "tokens": 9, "loss": loss});
    let own = [
        ("loss", json!(2.25)),
        // 16 positions of 16 targets, 16 of 8, 32 of 4 and 64 of one.
        (
            "by_position",
            json!([
                bin(0, 15, 256, 4.0),
                bin(16, 31, 128, 3.0),
                bin(32, 63, 128, 2.0),
                bin(64, 127, 64, 1.5),
            ]),
        ),
        (
            "by_occurrence",
            json!([seen("new", 2.5), seen("repeated", 0.5)]),
        ),
    ];
    report(path, file, &[&own[..], changes].concat());
}

fn by(paths: &[PathBuf], metric: &str) -> Result<Comparison, CompareError> {
    Comparison::read(paths, Some(metric), None)
}

/// Reports that count are of one text, whose checksum holds the share of noise; losses of training are not.
#[test]
fn runs_of_other_noise_are_unequal_where_no_report_says_what_they_read() {
    let place = Place::new();
    let read = |name: &str, share: &str| {
        let path = trained(&place, &Draft::new(name, 1, 2.0).set("data.corrupt", share));
        whole(&path, "eval-128-live.json", &[]);
        path
    };
    let paths = [read("clean", "0.0"), read("noisy", "0.1")];
    for (metric, is_unequal) in [("rows/128/live/loss", false), ("eval/loss", true)] {
        let warnings = by(&paths, metric).unwrap().warnings.join("\n");
        let said = warnings.contains("not equal: data.corrupt");
        assert_eq!(said, is_unequal, "{metric}: {warnings}");
    }
}

/// Twins are compared each as it was trained.
#[test]
fn own_is_what_memories_did_in_training() {
    let place = Place::new();
    let losses = |way: &str, live: f64, frozen: f64| {
        let draft = Draft::new(way, 1, 2.0).set("train.memory", &format!("'{way}'"));
        let path = trained(&place, &draft);
        let frozen = [("memory", json!("frozen")), ("loss", json!(frozen))];
        whole(&path, "eval-128-live.json", &[("loss", json!(live))]);
        whole(&path, "eval-128-frozen.json", &frozen);
        path
    };
    let paths = [losses("live", 1.5, 1.9), losses("frozen", 2.5, 1.6)];
    let found = by(&paths, "rows/128/own/loss").unwrap();
    let means = found.variants.iter().map(|one| one.sample.unwrap().mean);
    assert_eq!(means.collect::<Vec<_>>(), [1.5, 1.6]);
}

#[test]
fn each_name_is_its_formula_at_every_length_and_way_of_the_memory() {
    let place = Place::new();
    let path = [run(&place, "s1", 1)];
    for (file, changes) in [
        ("eval-128-live.json", vec![]),
        ("eval-128-frozen.json", vec![("memory", json!("frozen"))]),
        ("eval-128-reset.json", vec![("memory", json!("reset"))]),
        (
            "eval-128-live-00000001.json",
            vec![("carried", json!(true))],
        ),
    ] {
        whole(&path[0], file, &changes);
    }
    let early = (256.0 * 4.0 + 128.0 * 3.0 + 128.0 * 2.0) / 512.0;
    for way in ["live", "frozen", "reset", "live-carried"] {
        for (name, expected, goal) in [
            ("loss", 2.25, Goal::Lower),
            ("bits_per_byte", 2.9, Goal::Lower),
            ("accuracy", 0.4, Goal::Higher),
            ("early", early, Goal::Lower),
            ("late", 1.5, Goal::Lower),
            ("late_minus_early", 1.5 - early, Goal::Lower),
            ("new", 2.5, Goal::Lower),
            ("repeated", 0.5, Goal::Lower),
            ("repeated_minus_new", -2.0, Goal::Lower),
        ] {
            let found = by(&path, &format!("rows/128/{way}/{name}")).unwrap();
            let mean = found.variants[0].sample.unwrap().mean;
            assert!((mean - expected).abs() < 1e-12, "{way} {name}: {mean}");
            assert_eq!(found.goal, goal, "{name}");
            let step = (name == "accuracy").then_some(1.0 / 512.0);
            assert_eq!(found.resolution, step, "{name}");
        }
    }
}

#[test]
fn halves_of_rows_are_measured_where_ranges_of_positions_end_there() {
    let place = Place::new();
    let long = json!([
        {"from": 0, "to": 63, "tokens": 64, "loss": 3.0},
        {"from": 64, "to": 127, "tokens": 64, "loss": 2.0},
        {"from": 128, "to": 255, "tokens": 128, "loss": 1.0},
    ]);
    for (at, (why, changes)) in [
        ("a range in both halves", ("length", json!(200))),
        ("positions of several rows", ("by_position", long)),
        ("moments of a horizon", ("part", json!("test"))),
        ("no positions", ("by_position", json!([]))),
        (
            "no late targets",
            (
                "by_position",
                json!([{"from": 0, "to": 15, "tokens": 9, "loss": 1.0}]),
            ),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = [run(&place, &format!("r{at}"), 1)];
        let length = changes.1.as_u64().unwrap_or(128);
        whole(&path[0], "eval-128-live.json", &[changes]);
        for name in ["early", "late", "late_minus_early"] {
            let error = by(&path, &format!("rows/{length}/live/{name}")).unwrap_err();
            let said = format!("divide these rows of {length} tokens into halves");
            assert!(error.to_string().contains(&said), "{why}: {error}");
        }
        let loss = by(&path, &format!("rows/{length}/live/loss"));
        assert!(loss.is_ok(), "{why}");
    }
}

#[test]
fn keys_of_two_values_are_contrasted_and_seeds_told_by_a_metric_of_rows() {
    let place = Place::new();
    let mut paths = Vec::new();
    for (depth, lr, frozen) in [
        (1, "0.001", 3.0),
        (1, "0.003", 3.1),
        (2, "0.001", 2.5),
        (2, "0.003", 2.6),
    ] {
        for seed in 1..=3_u64 {
            // Losses at the end of training say the contrary.
            let draft = Draft::new(&format!("d{depth}-{lr}-{seed}"), seed, depth as f64)
                .set("memory.depth", &depth.to_string())
                .set("optim.lr", lr);
            let path = trained(&place, &draft);
            let loss = frozen + 0.1 * seed as f64 + 0.001 * ((seed + depth) % 3) as f64;
            let changes = [("memory", json!("frozen")), ("loss", json!(loss))];
            whole(&path, "eval-128-frozen.json", &changes);
            paths.push(path);
        }
    }
    let found = by(&paths, "rows/128/frozen/loss").unwrap();
    assert_eq!(found.variants[0].label, "depth=2 lr=0.001");
    let depth = (found.contrasts.iter()).find(|one| one.key == "memory.depth");
    let pairs = &depth.unwrap().pairs;
    assert_eq!(pairs.len(), 2);
    for pair in pairs {
        assert!((pair.mean + 0.5).abs() < 0.002, "{}", pair.mean);
        assert!(pair.is_significant);
    }
    let text = found.text();
    assert!(
        text.contains("depth: 2 against 1, all else equal"),
        "{text}"
    );
    let power = found.power(0.01).unwrap().text();
    assert!(power.contains("depth 2 against 1 at lr=0.001"), "{power}");
}

#[test]
fn reports_of_other_weights_texts_and_ngrams_have_no_say() {
    let place = Place::new();
    let mut paths = Vec::new();
    let other = json!({"name": "other", "bytes": 9, "fingerprint": "sha256:bb"});
    let by_four = json!([{"ngram": 4, "occurrence": "repeated", "tokens": 9, "loss": 0.9}]);
    for (seed, changes) in [
        (1, vec![]),
        (2, vec![]),
        (3, vec![]),
        (4, vec![("weights", json!("other"))]),
        (5, vec![("step", json!(20))]),
        (6, vec![("data", other)]),
        (7, vec![("by_occurrence", by_four)]),
    ] {
        let path = run(&place, &format!("s{seed}"), seed);
        whole(&path, "eval-128-live.json", &changes);
        paths.push(path);
    }
    let counted = |metric: &str| {
        let found = by(&paths, metric).unwrap();
        let runs = found.runs().filter(|run| run.value.is_some());
        let names: Vec<String> = runs.map(|run| run.name.clone()).collect();
        (names, found.warnings.join("\n"))
    };
    let (names, warned) = counted("rows/128/live/loss");
    assert_eq!(names, ["s1", "s2", "s3", "s7"]);
    for said in [
        "s4/eval-128-live.json: it is of other weights than those of step 100",
        "s5/eval-128-live.json: it is of step 20, and the run is at step 100",
        "s6/eval-128-live.json: it is of another text than the reports of 4 of 5 runs",
    ] {
        assert!(warned.contains(said), "{said}: {warned}");
    }
    let (names, warned) = counted("rows/128/live/repeated");
    assert_eq!(names, ["s1", "s2", "s3"]);
    let said = "s7/eval-128-live.json: it tells what comes again by 4 tokens, and the reports of 3 of 5 runs by 8";
    assert!(warned.contains(said), "{warned}");
}

#[test]
fn unknown_names_have_a_suggestion_and_the_list() {
    let place = Place::new();
    let path = [run(&place, "s1", 1)];
    whole(&path[0], "eval-128-live.json", &[]);
    let others = [
        ("length", json!(256)),
        ("bits_per_byte", json!(null)),
        ("by_occurrence", json!([])),
    ];
    whole(&path[0], "eval-256-live.json", &others);
    for (metric, said) in [
        ("rows/128/live/los", "did you mean `rows/128/live/loss`?"),
        (
            "rows/128/live/repeat",
            "did you mean `rows/128/live/repeated`?",
        ),
        (
            "rows/64/nowhere/and/nothing",
            "there are rows/128/live/accuracy, ",
        ),
        (
            "rows/256/live/new",
            "come again from new ones of text alone",
        ),
        (
            "rows/256/live/bits_per_byte",
            "eval-256-live.json has loss, accuracy alone",
        ),
        (
            "something",
            "there are eval/loss, perf/tokens_per_s, rows/128/live/loss, rows/256/live/loss, train/loss",
        ),
    ] {
        let error = by(&path, metric).unwrap_err().to_string();
        assert!(error.contains(said), "{metric}: {error}");
    }
}
