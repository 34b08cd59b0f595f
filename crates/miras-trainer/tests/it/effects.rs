//! No key of training without an effect: each is changed, and something that matters has to
//! differ. `effects_of_parts` and `effects_of_data` do the same for the rest.

use std::collections::BTreeSet;

use miras_log::events;
use miras_registry::Registry;
use miras_trainer::RunConfig;
use sha2::{Digest, Sha256};

use crate::support::{ATTENTION, Bench, MEMORY, layers};

/// Small enough to be fast, long enough for every key to matter.
const BASE: &[&str] = &[
    "model.dim=8",
    "model.layers=1",
    "data.seq_len=12",
    "train.steps=6",
    "optim.lr=0.3",
    "optim.warmup=1",
    "optim.clip=0.1",
    "eval.every=2",
    "checkpoint.every=1",
    "checkpoint.keep_last=1",
    "log.histograms=3",
];

/// Key, what else is set in both runs, and the other value.
const CHANGES: &[(&str, &[&str], &str)] = &[
    ("train.steps", &[], "5"),
    ("train.max_minutes", &[], "1e-9"),
    ("train.seed", &[], "2"),
    ("train.init_from", &[], "no/such/file"),
    ("train.batch", &[], "3"),
    ("train.accumulate", &[], "2"),
    ("train.state", &[], "carry"),
    ("train.truncate", &["data.seq_len=24"], "8"),
    ("train.device", &[], "cuda"),
    ("train.precision", &[], "bf16"),
    ("train.verify_device", &[], "2"),
    ("train.fusion", &[], "false"),
    ("train.on_nonfinite", &[], "skip"),
    (
        "train.max_skips",
        &["train.on_nonfinite=skip", "optim.lr=1e30"],
        "2",
    ),
    ("optim.lr", &[], "0.2"),
    ("optim.weight_decay", &[], "0.5"),
    ("optim.beta1", &[], "0.5"),
    ("optim.beta2", &[], "0.5"),
    ("optim.epsilon", &[], "0.01"),
    ("optim.warmup", &[], "3"),
    ("optim.decay_steps", &[], "10"),
    ("optim.min_lr", &[], "0.5"),
    ("optim.clip", &["optim.epsilon=0.01"], "0"),
    ("eval.every", &[], "3"),
    ("eval.tokens", &[], "64"),
    ("eval.controls", &[], "['step_zero']"),
    ("checkpoint.every", &["checkpoint.keep_last=9"], "2"),
    ("checkpoint.keep_last", &[], "2"),
    ("checkpoint.keep_every", &[], "3"),
    (
        "checkpoint.keep_best",
        &[
            "algorithm.kind=gd",
            "optim.lr=3",
            "optim.warmup=6",
            "eval.every=1",
        ],
        "false",
    ),
    ("log.every", &[], "2"),
    ("log.histograms", &[], "2"),
    ("log.surprise_threshold", &[], "0"),
    ("log.hparams", &[], "['optim.lr']"),
    ("log.samples", &[], "['Once upon a time']"),
];

/// Everything that a run leaves behind, apart from times and the configuration itself; an
/// error counts as well.
fn result(text: &str, sets: &[&str]) -> String {
    let config = match RunConfig::load(layers(text, sets), &Registry::builtin()) {
        Ok((config, _)) => config,
        Err(error) => return error.to_string(),
    };
    let bench = Bench::new();
    let outcome = match bench.try_run("run", config, None) {
        Ok(outcome) => outcome,
        Err(error) => return error.to_string(),
    };
    let mut lines = bench.lines("run");
    for line in &mut lines {
        line.remove("perf/tokens_per_s");
        line.remove("perf/seconds");
    }
    let weights = outcome.checkpoint.map(|step| {
        let digest = Sha256::digest(bench.file("run", step, "model.safetensors"));
        digest.to_vec()
    });
    let events = events::summary(bench.path("run")).unwrap();
    // Their values are the configuration itself.
    let has_all_columns = events.hparams.len() > 1;
    let histograms: Vec<(String, usize)> = (events.histograms.into_iter())
        .map(|(tag, points)| (tag, points.len()))
        .collect();
    let samples: Vec<_> = (events.texts.iter())
        .filter(|(tag, _)| tag.starts_with("samples/"))
        .collect();
    let (status, message, step) = (outcome.status, outcome.message, outcome.step);
    let kept = bench.checkpoints("run");
    format!(
        "{status} {message:?} {step} {kept:?}\n{weights:?}\n{lines:?}\n{histograms:?} {has_all_columns} {samples:?}"
    )
}

/// The tables that other tests go through.
const ELSEWHERE: [&str; 6] = ["model", "memory", "bias", "retention", "algorithm", "data"];

fn keys(sets: &[&str]) -> BTreeSet<String> {
    let (config, _) = RunConfig::load(layers(MEMORY, sets), &Registry::builtin()).unwrap();
    let sections = config.to_table();
    let here = (sections.iter()).filter(|(name, _)| !ELSEWHERE.contains(&name.as_str()));
    let keys = here.flat_map(|(name, section)| {
        let section = section.as_table().unwrap();
        section.keys().map(move |key| format!("{name}.{key}"))
    });
    keys.collect()
}

#[test]
fn every_key_has_an_effect_on_a_memory() {
    every_key_has_an_effect(MEMORY);
}

#[test]
fn every_key_has_an_effect_on_attention_or_is_refused() {
    every_key_has_an_effect(ATTENTION);
}

fn every_key_has_an_effect(text: &str) {
    let base = result(text, BASE);
    assert_eq!(
        base,
        result(text, BASE),
        "equal configurations give equal results"
    );
    let has_memory = text == MEMORY;
    for (key, also, value) in CHANGES {
        let mut sets = [BASE, also].concat();
        sets.retain(|set| has_memory || !set.starts_with("algorithm."));
        let before = if also.is_empty() {
            base.clone()
        } else {
            result(text, &sets)
        };
        let change = format!("{key}={value}");
        sets.push(&change);
        assert_ne!(before, result(text, &sets), "{change} changes nothing");
    }
}

#[test]
fn every_key_is_in_the_list() {
    let listed: BTreeSet<String> = CHANGES.iter().map(|change| change.0.to_owned()).collect();
    // Keys that are there only where they make sense.
    let mut expected = keys(&["train.on_nonfinite=skip", "train.max_minutes=1"]);
    expected.extend(keys(&["train.init_from=a"]));
    expected.extend(keys(&[]));
    assert_eq!(listed, expected);
}
