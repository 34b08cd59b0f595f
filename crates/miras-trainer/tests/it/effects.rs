//! No key of training without an effect: each is changed, and something that matters has to
//! differ. `effects_of_parts` and `effects_of_data` do the same for the rest.

use std::collections::BTreeSet;

use miras_log::events;
use miras_registry::Registry;
use miras_run::sha256_hex;
use miras_spec::RunConfig;

use crate::support::{ATTENTION, Bench, MEMORY, config, layers};

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

/// What has to come of a change.
#[derive(Clone, Copy)]
enum Expect {
    /// Both runs end without an error and leave something else behind.
    Differs,
    /// The changed run is refused in these words, because this build, on the CPU, does not have what
    /// the key is about. What the key does is held by the test named.
    Refused(&'static str, &'static str),
}
use Expect::{Differs, Refused};

/// Key, what else is set in both runs, the other value, and what comes of it.
const CHANGES: &[(&str, &[&str], &str, Expect)] = &[
    ("train.steps", &[], "5", Differs),
    ("train.max_minutes", &[], "1e-9", Differs),
    ("train.seed", &[], "2", Differs),
    ("train.init_from", &[], "WEIGHTS", Differs),
    ("train.batch", &[], "3", Differs),
    ("train.accumulate", &[], "2", Differs),
    ("train.memory", &[], "frozen", Differs),
    ("train.state", &[], "carry", Differs),
    ("train.truncate", &["data.seq_len=24"], "8", Differs),
    (
        "train.device",
        &[],
        "cuda",
        Refused(
            "this program was built without the device `cuda`: use `cargo run -p miras-train --features cuda`, or --device cpu",
            "devices::every_preset_trains_as_on_the_cpu",
        ),
    ),
    ("train.precision", &[], "bf16", Differs),
    (
        "train.verify_device",
        &[],
        "2",
        Refused(
            "train.verify_device compares a device with the CPU, and `cpu` is the CPU: use --set train.verify_device=0, or another device",
            "devices::every_preset_trains_as_on_the_cpu",
        ),
    ),
    (
        "train.fusion",
        &[],
        "false",
        Refused(
            "train.fusion = false: this program is built without the feature `fusion`, so nothing is fused: leave it out, or use --set train.fusion=true for a run that was begun with it",
            "devices::every_preset_trains_as_on_the_cpu",
        ),
    ),
    ("train.on_nonfinite", &[], "skip", Differs),
    (
        "train.max_skips",
        &["train.on_nonfinite=skip", "optim.lr=1e30"],
        "2",
        Differs,
    ),
    ("optim.lr", &[], "0.2", Differs),
    ("optim.weight_decay", &[], "0.5", Differs),
    ("optim.beta1", &[], "0.5", Differs),
    ("optim.beta2", &[], "0.5", Differs),
    ("optim.epsilon", &[], "0.01", Differs),
    ("optim.warmup", &[], "3", Differs),
    ("optim.decay_steps", &[], "10", Differs),
    ("optim.min_lr", &[], "0.5", Differs),
    ("optim.clip", &["optim.epsilon=0.01"], "0", Differs),
    ("eval.every", &[], "3", Differs),
    ("eval.tokens", &[], "128", Differs),
    ("eval.controls", &[], "['step_zero']", Differs),
    (
        "checkpoint.every",
        &["checkpoint.keep_last=9"],
        "2",
        Differs,
    ),
    ("checkpoint.keep_last", &[], "2", Differs),
    ("checkpoint.keep_every", &[], "3", Differs),
    (
        "checkpoint.keep_best",
        &[
            "algorithm.kind=gd",
            "optim.lr=3",
            "optim.warmup=6",
            "eval.every=1",
        ],
        "false",
        Differs,
    ),
    ("log.every", &[], "2", Differs),
    ("log.histograms", &[], "2", Differs),
    ("log.surprise_threshold", &[], "0", Differs),
    ("log.hparams", &[], "['optim.lr']", Differs),
    ("log.samples", &[], "['Once upon a time']", Differs),
];

/// Stands for a file of weights that fit.
const WEIGHTS: &str = "WEIGHTS";

/// What a model with attention refuses of these, in the first line of the message.
const ATTENTION_REFUSES: &[(&str, &str)] = &[
    (
        "train.memory",
        "train.memory = \"frozen\" is about memories, and this model has attention",
    ),
    (
        "train.state",
        "train.state = \"carry\" needs a state of constant size, but that of mixer.kind = \"attention\" grows with every token",
    ),
    (
        "train.truncate",
        "truncate belongs to memories: attention has no state to cut gradients in",
    ),
    (
        "eval.controls",
        "eval.controls take something away from memories, and attention has none",
    ),
    (
        "log.surprise_threshold",
        "log.surprise_threshold is about memories, and attention has none",
    ),
];

/// Everything that a run leaves behind, apart from times and the configuration itself; or why it
/// was refused.
fn result(text: &str, sets: &[&str]) -> Result<String, String> {
    let (config, _) = RunConfig::load(layers(text, sets), &Registry::builtin())
        .map_err(|error| error.to_string())?;
    let bench = Bench::new();
    let outcome = (bench.try_run("run", config, None)).map_err(|error| error.to_string())?;
    let mut lines = bench.lines("run");
    for line in &mut lines {
        line.remove("perf/tokens_per_s");
        line.remove("perf/seconds");
    }
    let weights = outcome
        .checkpoint
        .map(|step| sha256_hex(&bench.file("run", step, "model.safetensors")));
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
    Ok(format!(
        "{status} {message:?} {step} {kept:?}\n{weights:?}\n{lines:?}\n{histograms:?} {has_all_columns} {samples:?}"
    ))
}

/// The tables that other tests go through.
const ELSEWHERE: [&str; 9] = [
    "model",
    "task",
    "mixer",
    "attention",
    "memory",
    "bias",
    "retention",
    "algorithm",
    "data",
];

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
    every_key_has_an_effect(MEMORY, &[]);
}

#[test]
fn every_key_has_an_effect_on_attention_or_is_refused() {
    every_key_has_an_effect(ATTENTION, ATTENTION_REFUSES);
}

fn every_key_has_an_effect(text: &str, refuses: &[(&str, &'static str)]) {
    let base = result(text, BASE).unwrap();
    assert_eq!(
        base,
        result(text, BASE).unwrap(),
        "equal configurations give equal results"
    );
    let bench = Bench::new();
    bench.run("other", config(text, &[BASE, &["train.seed=9"]].concat()));
    let weights = bench.path("other/checkpoints/step-00000006");
    let has_memory = text == MEMORY;
    let mut wrong = Vec::new();
    for (key, also, value, expect) in CHANGES {
        let mut sets = [BASE, also].concat();
        sets.retain(|set| has_memory || !set.starts_with("algorithm."));
        let value = match *value {
            WEIGHTS => weights.display().to_string(),
            value => value.to_owned(),
        };
        let change = format!("{key}={value}");
        let changed = [&sets[..], &[&change]].concat();
        let expect = (refuses.iter().find(|(refused, _)| refused == key))
            .map_or(*expect, |(_, words)| Refused(words, "this one"));
        match (expect, result(text, &changed)) {
            (Differs, Ok(found)) if found != result(text, &sets).unwrap() => {}
            (Differs, Ok(_)) => wrong.push(format!("{change} changes nothing")),
            (Differs, Err(error)) => wrong.push(format!("{change} is refused: {error}")),
            (Refused(words, _), Ok(_)) => wrong.push(format!("{change} runs, instead of: {words}")),
            (Refused(words, _), Err(error)) => {
                let first = error.lines().next().unwrap_or_default();
                if first.trim_start_matches("error: ") != words {
                    wrong.push(format!("{change} is refused by: {first}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tests that hold what this build refuses are there.
#[test]
fn what_is_refused_here_is_tested_elsewhere() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for (key, _, _, expect) in CHANGES {
        let Refused(_, test) = expect else { continue };
        let (file, name) = test.split_once("::").unwrap();
        let text = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
        assert!(text.contains(&format!("fn {name}(")), "{key}: {test}");
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
