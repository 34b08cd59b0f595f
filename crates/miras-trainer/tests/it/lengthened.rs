//! A run that is made longer has the metrics of a run in one go.

use std::collections::BTreeMap;

use miras_log::HParam;
use miras_log::events::{self, Summary};

use crate::support::{ATTENTION, Bench, MEMORY, RECALL, config};

/// Every point of `metrics.jsonl`, without the values of the clock.
fn points(bench: &Bench, name: &str) -> Vec<(u64, String, String)> {
    let mut found = Vec::new();
    for line in bench.lines(name) {
        let step = line["step"].as_u64().unwrap();
        for (tag, value) in &line {
            let value = if tag.starts_with("perf/") {
                String::new()
            } else {
                value.to_string()
            };
            found.push((step, tag.clone(), value));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The steps of every series of numbers and distributions, and of every text.
fn series(summary: &Summary) -> BTreeMap<String, Vec<u64>> {
    let mut all = BTreeMap::new();
    for (tag, points) in &summary.scalars {
        all.insert(tag.clone(), points.iter().map(|(step, _)| *step).collect());
    }
    for (tag, points) in &summary.histograms {
        all.insert(tag.clone(), points.iter().map(|(step, _)| *step).collect());
    }
    for (tag, points) in &summary.texts {
        all.insert(tag.clone(), points.iter().map(|(step, _)| *step).collect());
    }
    all
}

#[test]
fn lengthening_leaves_the_points_of_a_run_in_one_go() {
    let controls = "eval.controls=['read_zero']";
    let cases: [(&str, &[&str]); 5] = [
        (MEMORY, &["log.every=2", "eval.every=3", controls]),
        (
            MEMORY,
            &[
                "log.every=4",
                "eval.every=5",
                "log.histograms=5",
                "log.samples=['a']",
            ],
        ),
        (
            MEMORY,
            &["log.every=3", "eval.every=0", "train.state=carry"],
        ),
        (MEMORY, &[RECALL[0], "log.every=3", "eval.every=2"]),
        (
            ATTENTION,
            &["log.every=5", "eval.every=2", "log.samples=['a']"],
        ),
    ];
    for (text, sets) in cases {
        let bench = Bench::new();
        let with = |steps: &'static str, more: &[&'static str]| {
            config(text, &[sets, &[steps], more].concat())
        };
        bench.run("whole", with("train.steps=9", &[]));
        // Lengthened twice, and once after the time was over before the first step.
        bench.run("parts", with("train.steps=5", &["train.max_minutes=1e-9"]));
        assert_eq!(bench.json("parts", "summary.json")["status"], "time");
        bench.resume("parts", with("train.steps=5", &[]));
        bench.resume("parts", with("train.steps=7", &[]));
        bench.resume("parts", with("train.steps=9", &[]));
        assert_eq!(points(&bench, "parts"), points(&bench, "whole"), "{sets:?}");

        let [whole, parts] =
            ["whole", "parts"].map(|run| events::summary(bench.path(run)).unwrap());
        assert_eq!(series(&parts), series(&whole), "{sets:?}");
        assert_eq!(parts.hparams["train.steps"], HParam::Number(9.0));
        assert_eq!(parts.hparams, whole.hparams);
        assert_eq!(parts.group, whole.group);
        assert_eq!(parts.texts, whole.texts);
        let [whole, parts] = ["whole", "parts"].map(|run| bench.json(run, "summary.json"));
        assert_eq!(parts["metrics"]["eval/loss"], whole["metrics"]["eval/loss"]);
    }
}
