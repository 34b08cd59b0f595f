//! No key of a task without an effect, and no task of the list without a test.

use std::collections::BTreeSet;

use miras_run::sha256_hex;
use miras_spec::TASKS;

use crate::support::{Bench, MEMORY, config};

/// Key, what is set in both runs, and the other value.
const CHANGES: &[(&str, &[&str], &str)] = &[
    ("classify.kind", &["train.steps=2"], "language"),
    ("classify.pool", CLASSIFY, "last"),
    ("forecast.kind", &["train.steps=2"], "language"),
    ("forecast.horizon", FORECAST, "5"),
    ("forecast.patch", FORECAST, "4"),
    ("forecast.normalise", FORECAST, "none"),
];

const CLASSIFY: &[&str] = &["task.kind=classify", "data={ kind = 'csv', seq_len = 12 }"];

const FORECAST: &[&str] = &[
    "task={ kind = 'forecast', horizon = 4, patch = 2 }",
    "data={ kind = 'csv', seq_len = 16 }",
];

/// A series that is read forwards.
fn series() -> String {
    let rows: Vec<String> = (0..200).map(|at| format!("{}\n", at * at % 37)).collect();
    format!("x\n{}", rows.concat())
}

/// Sequences that are told apart by their letters.
fn table() -> String {
    let row = |at: usize| {
        let (label, letter) = [("x", "a"), ("y", "b")][at % 2];
        format!("{label},{}{at}\n", letter.repeat(3 + at % 6))
    };
    let rows: Vec<String> = (0..40).map(row).collect();
    format!("label,sequence\n{}", rows.concat())
}

/// What a run leaves behind: weights, and values but for times.
fn result(sets: &[&str]) -> String {
    let bench = Bench::new();
    let file = bench.path("table.csv");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let is_series = sets.first() == FORECAST.first();
    std::fs::write(&file, if is_series { series() } else { table() }).unwrap();
    let path = format!("data.path={}", file.display());
    let mut sets = sets.to_vec();
    if is_series || sets.contains(&"task.kind=classify") {
        sets.push(&path);
    }
    let outcome = bench.run("run", config(MEMORY, &sets));
    let mut lines = bench.lines("run");
    for line in &mut lines {
        line.remove("perf/tokens_per_s");
        line.remove("perf/seconds");
    }
    let weights = bench.file("run", outcome.checkpoint.unwrap(), "model.safetensors");
    format!("{} {lines:?}", sha256_hex(&weights))
}

#[test]
fn every_key_of_every_task_has_an_effect() {
    let mut listed = BTreeSet::new();
    for (key, sets, value) in CHANGES {
        let (_, name) = key.split_once('.').unwrap();
        listed.insert((*key).to_owned());
        let before = result(sets);
        assert_eq!(
            before,
            result(sets),
            "equal configurations give equal results"
        );
        let change = format!("task.{name}={value}");
        let changed = match name {
            "kind" if key.starts_with("forecast") => FORECAST.to_vec(),
            "kind" => CLASSIFY.to_vec(),
            _ => [sets, &[&*change][..]].concat(),
        };
        assert_ne!(before, result(&changed), "{change}");
    }
    let of = |name: &str, keys: &[(&str, &str)]| -> Vec<String> {
        keys.iter()
            .map(|(key, _)| format!("{name}.{key}"))
            .collect()
    };
    let mut expected: BTreeSet<String> = TASKS
        .iter()
        .flat_map(|task| of(task.name, task.keys))
        .collect();
    expected.extend(
        TASKS
            .iter()
            .skip(1)
            .map(|task| format!("{}.kind", task.name)),
    );
    assert_eq!(listed, expected);
}
