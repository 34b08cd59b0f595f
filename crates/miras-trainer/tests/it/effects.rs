//! No key without an effect: each is changed, and something that matters has to differ.

use std::collections::BTreeSet;

use miras_log::events;
use miras_registry::Registry;
use miras_trainer::RunConfig;
use sha2::{Digest, Sha256};

use crate::support::{Bench, MEMORY, layers};

/// Small enough to be fast, long enough for every key to matter.
const BASE: &[&str] = &[
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
    ("model.mixer", &[], "attention"),
    ("model.dim", &[], "32"),
    ("model.layers", &[], "2"),
    ("model.heads", &[], "4"),
    ("model.ffn_dim", &[], "24"),
    ("model.conv", &[], "0"),
    ("model.init", &[], "standard"),
    ("model.tie_head", &[], "false"),
    ("memory.kind", &[], "matrix"),
    ("memory.start", &["memory.kind=matrix"], "zero"),
    ("memory.depth", &[], "3"),
    ("memory.expansion", &[], "2"),
    ("memory.activation", &[], "silu"),
    ("memory.residual", &[], "true"),
    ("memory.norm", &[], "true"),
    ("bias.kind", &[], "huber"),
    ("retention.kind", &[], "none"),
    ("retention.gate", &[], "rate"),
    ("retention.decay", &[], "0.9"),
    (
        "retention.order",
        &["memory.kind=matrix", "algorithm.form=exact"],
        "before",
    ),
    ("retention.anchored", &[], "true"),
    ("algorithm.kind", &[], "gd"),
    (
        "algorithm.form",
        &["memory.kind=matrix", "algorithm.form=chunk_start"],
        "exact",
    ),
    ("algorithm.chunk", &[], "16"),
    ("algorithm.read", &[], "stale"),
    ("algorithm.load_cap", &[], "0.01"),
    ("algorithm.grad_cap", &[], "0.01"),
    ("algorithm.state_cap", &[], "0.01"),
    ("algorithm.step_max", &[], "0.1"),
    ("algorithm.step", &[], "fixed"),
    ("algorithm.momentum", &[], "0.9"),
    ("data.kind", &["data.seq_len=80"], "mqar"),
    ("data.seq_len", &[], "40"),
    ("data.valid_fraction", &[], "0.2"),
    ("train.steps", &[], "5"),
    ("train.max_minutes", &[], "1e-9"),
    ("train.seed", &[], "2"),
    ("train.batch", &[], "3"),
    ("train.accumulate", &[], "2"),
    ("train.device", &[], "cuda"),
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
    ("eval.batches", &[], "2"),
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
];

/// Everything that a run leaves behind, apart from times and the configuration itself; an
/// error counts as well.
fn result(sets: &[&str]) -> String {
    let config = match RunConfig::load(layers(MEMORY, sets), &Registry::builtin()) {
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
    }
    let weights = outcome.checkpoint.map(|step| {
        let digest = Sha256::digest(bench.file("run", step, "model.safetensors"));
        digest.to_vec()
    });
    let histograms: Vec<(String, usize)> = (events::summary(bench.path("run")).unwrap().histograms)
        .into_iter()
        .map(|(tag, points)| (tag, points.len()))
        .collect();
    let (status, message, step) = (outcome.status, outcome.message, outcome.step);
    let kept = bench.checkpoints("run");
    format!("{status} {message:?} {step} {kept:?}\n{weights:?}\n{lines:?}\n{histograms:?}")
}

fn keys(sets: &[&str]) -> BTreeSet<String> {
    let (config, _) = RunConfig::load(layers(MEMORY, sets), &Registry::builtin()).unwrap();
    let sections = config.to_table();
    let keys = sections.iter().flat_map(|(name, section)| {
        let section = section.as_table().unwrap();
        section.keys().map(move |key| format!("{name}.{key}"))
    });
    keys.collect()
}

#[test]
fn every_key_has_an_effect() {
    let base = result(BASE);
    assert_eq!(
        base,
        result(BASE),
        "equal configurations give equal results"
    );
    for (key, also, value) in CHANGES {
        let mut sets = [BASE, also].concat();
        let before = if also.is_empty() {
            base.clone()
        } else {
            result(&sets)
        };
        let change = format!("{key}={value}");
        sets.push(&change);
        assert_ne!(before, result(&sets), "{change} changes nothing");
    }
}

#[test]
fn every_key_is_in_the_list() {
    let listed: BTreeSet<String> = CHANGES.iter().map(|change| change.0.to_owned()).collect();
    // Keys that are there only where they make sense.
    let mut expected = keys(&["train.on_nonfinite=skip", "train.max_minutes=1"]);
    expected.extend(keys(&[]));
    assert_eq!(listed, expected);
}
