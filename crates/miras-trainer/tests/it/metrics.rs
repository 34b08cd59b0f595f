//! What a run writes down.

use std::collections::BTreeSet;

use burn::store::{ModuleStore, SafetensorsStore};
use miras_log::{HParam, Status, events};
use miras_trainer::RunRequest;

use crate::support::{ATTENTION, Bench, MEMORY, RECALL, config};

const EVERY_RUN: &[&str] = &[
    "train/loss",
    "optim/lr",
    "optim/grad_norm",
    "perf/tokens_per_s",
    "perf/seconds",
    "eval/loss",
];
const OF_MEMORIES: &[&str] = &[
    "memory/0/inner_loss",
    "memory/0/surprise",
    "memory/0/surprise_share",
    "memory/0/write_norm",
    "memory/0/read_change",
    "memory/0/retention",
    "memory/0/state_norm",
    "memory/0/capped",
];

/// A threshold that is above the norms of some tokens and below those of others.
const GATE: &str = "algorithm.surprise_threshold=0.5";
const OF_GATES: &[&str] = &["memory/0/write_rate", "memory/0/written_per_1000"];

fn tags(bench: &Bench, name: &str) -> BTreeSet<String> {
    bench
        .lines(name)
        .into_iter()
        .flat_map(std::collections::BTreeMap::into_keys)
        .collect()
}

fn set(lists: &[&[&str]]) -> BTreeSet<String> {
    let all = [&["step", "tokens"][..], &lists.concat()].concat();
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn metrics_and_events_hold_the_documented_tags_and_agree() {
    let bench = Bench::new();
    let often = ["eval.every=2", "log.histograms=2"];
    let two_layers = [&often[..], &["model.layers=2"]].concat();
    for (name, config) in [
        ("memory", config(MEMORY, &two_layers)),
        ("gated", config(MEMORY, &[&often[..], &[GATE]].concat())),
        ("attention", config(ATTENTION, &often)),
        ("recall", config(MEMORY, &[RECALL, &often].concat())),
    ] {
        // What a configuration says of itself before it runs.
        let mut promised: BTreeSet<String> = config.metrics().into_iter().collect();
        promised.extend(["step".to_owned(), "tokens".to_owned()]);
        bench.run(name, config);
        assert_eq!(tags(&bench, name), promised);
    }

    let bits: &[&str] = &["train/bits_per_byte", "eval/bits_per_byte"];
    let accuracy: &[&str] = &["train/accuracy", "eval/accuracy", "eval/questions"];
    let second: Vec<String> = OF_MEMORIES
        .iter()
        .map(|tag| tag.replace("/0/", "/1/"))
        .collect();
    let second: Vec<&str> = second.iter().map(String::as_str).collect();
    assert_eq!(
        tags(&bench, "memory"),
        set(&[EVERY_RUN, bits, OF_MEMORIES, &second])
    );
    assert_eq!(
        tags(&bench, "gated"),
        set(&[EVERY_RUN, bits, OF_MEMORIES, OF_GATES])
    );
    assert_eq!(tags(&bench, "attention"), set(&[EVERY_RUN, bits]));
    assert_eq!(
        tags(&bench, "recall"),
        set(&[EVERY_RUN, accuracy, OF_MEMORIES])
    );

    for (name, beside) in [
        ("memory", "bits_per_byte"),
        ("gated", "bits_per_byte"),
        ("attention", "bits_per_byte"),
        ("recall", "accuracy"),
    ] {
        let found = events::summary(bench.path(name)).unwrap();
        for (tag, points) in &found.scalars {
            let lines = bench.values(name, tag);
            let points: Vec<(u64, f64)> = points
                .iter()
                .map(|(step, value)| (*step, f64::from(*value)))
                .collect();
            let rounded: Vec<(u64, f64)> = lines
                .iter()
                .map(|(step, value)| (*step, f64::from(*value as f32)))
                .collect();
            assert_eq!(points, rounded, "{name} {tag}");
        }
        assert_eq!(found.scalars.len() + 2, tags(&bench, name).len());
        assert_eq!(
            found.metric_tags,
            ["eval/loss".to_owned(), format!("eval/{beside}")]
        );
        assert_eq!(found.status, Some(Status::Success));
        assert_eq!(found.hparams["optim.lr"], HParam::Number(0.003));
        let (step, text) = &found.texts["config"][0];
        assert_eq!(*step, 0);
        assert!(text.contains("    [optim]\n    lr = 0.003\n"), "{text}");
    }

    let found = events::summary(bench.path("memory")).unwrap();
    let histograms: Vec<&str> = found.histograms.keys().map(String::as_str).collect();
    for tag in [
        "histograms/memory/1/surprise",
        "histograms/memory/1/write",
        "histograms/memory/1/retention",
        "histograms/weights/embedding",
        "histograms/weights/memory",
        "histograms/weights/gate",
        "histograms/weights/projection",
        "histograms/weights/norm",
        "histograms/weights/feed_forward",
        "histograms/weights/convolution",
    ] {
        assert!(histograms.contains(&tag), "{tag} is not in {histograms:?}");
    }
    let steps: Vec<u64> = found.histograms["histograms/weights/norm"]
        .iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(steps, [2, 4]);
    let counts = &found.histograms["histograms/memory/0/surprise"][0].1;
    assert!(
        (counts.num - 2.0 * 2.0 * 32.0).abs() < 0.5,
        "a value a token, row and head"
    );
}

#[test]
fn numbers_are_what_they_are_called() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &["train.accumulate=3"]));
    let lines = bench.lines("run");
    assert_eq!(lines[0]["tokens"], 3 * 2 * 32);
    let at = |tag: &str| bench.values("run", tag)[0].1;
    let bits = at("train/loss") / std::f64::consts::LN_2;
    assert!((at("train/bits_per_byte") - bits).abs() < 1e-12);
    // Untrained, a byte costs about 8 bits.
    assert!((7.0..11.0).contains(&bits), "{bits}");
    assert!((at("optim/lr") - 0.0015).abs() < 1e-12);
    for tag in [
        "perf/tokens_per_s",
        "optim/grad_norm",
        "memory/0/surprise",
        "memory/0/state_norm",
    ] {
        assert!(at(tag) > 0.0, "{tag}");
    }
    for tag in [
        "memory/0/retention",
        "memory/0/surprise_share",
        "memory/0/capped",
    ] {
        assert!((0.0..=1.0 + 1e-6).contains(&at(tag)), "{tag} {}", at(tag));
    }
}

#[test]
fn seeds_of_one_configuration_share_a_group() {
    let bench = Bench::new();
    let group = |name: &str, set: &str| {
        bench.run(name, config(MEMORY, &["train.steps=1", set]));
        events::summary(bench.path(name)).unwrap().group.unwrap()
    };
    let one = group("one", "train.seed=1");
    assert_eq!(group("two", "train.seed=2"), one);
    assert_ne!(group("other", "optim.lr=0.1"), one);
}

#[test]
fn the_folder_holds_what_it_should() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &["train.steps=2"]));
    let mut names: Vec<String> = (std::fs::read_dir(bench.path("run")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("events.out.tfevents."))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "checkpoints",
            "config.toml",
            "lock",
            "metrics.jsonl",
            "run.json",
            "summary.json",
            "tokenizer"
        ]
    );
    let stored = std::fs::read_to_string(bench.path("run/config.toml")).unwrap();
    assert_eq!(
        config(&stored, &[]).to_table(),
        config(MEMORY, &["train.steps=2"]).to_table()
    );
    let record = bench.json("run", "run.json");
    assert_eq!(
        (&record["seed"], &record["starts"][0]["device"]),
        (&1.into(), &"cpu".into())
    );
    assert_eq!(record["starts"][0]["versions"]["burn"], miras_device::BURN);
    assert!(
        record["data"].as_str().unwrap().contains("sha256:"),
        "{record}"
    );
    let summary = bench.json("run", "summary.json");
    assert_eq!(
        (&summary["status"], &summary["steps"], &summary["tokens"]),
        (&"finished".into(), &2.into(), &128.into())
    );
    assert_eq!(summary["best"]["metric"], "eval/loss");
    let state = bench.json("run", "checkpoints/step-00000002/state.json");
    assert_eq!((&state["step"], &state["tokens"]), (&2.into(), &128.into()));
    assert!(state["best"]["value"].is_number());
}

#[test]
fn weights_have_plain_names() {
    let bench = Bench::new();
    bench.run(
        "run",
        config(MEMORY, &["train.steps=1", "model.tie_head=false"]),
    );
    let file = bench.path("run/checkpoints/step-00000001/model.safetensors");
    let mut names = SafetensorsStore::from_file(file).keys().unwrap();
    names.sort();
    let expected = [
        "blocks.0.ffn.down.weight",
        "blocks.0.ffn.gate.weight",
        "blocks.0.ffn.up.weight",
        "blocks.0.ffn_norm.gamma",
        "blocks.0.mixer.convs.0.taps",
        "blocks.0.mixer.convs.1.taps",
        "blocks.0.mixer.convs.2.taps",
        "blocks.0.mixer.gates.bias",
        "blocks.0.mixer.gates.weight",
        "blocks.0.mixer.initial.0",
        "blocks.0.mixer.initial.1",
        "blocks.0.mixer.k.weight",
        "blocks.0.mixer.norm.gamma",
        "blocks.0.mixer.output.weight",
        "blocks.0.mixer.output_gate.weight",
        "blocks.0.mixer.q.weight",
        "blocks.0.mixer.v.weight",
        "blocks.0.mixer_norm.gamma",
        "embedding",
        "head.weight",
        "norm.gamma",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_device_of_the_command_line_wins() {
    let bench = Bench::new();
    let request = RunRequest {
        device: Some("auto".to_owned()),
        ..bench.request("run", None)
    };
    miras_trainer::run(config(MEMORY, &["train.steps=1"]), request).unwrap();
    assert_eq!(bench.json("run", "run.json")["starts"][0]["device"], "auto");
    let request = RunRequest {
        device: Some("cdua".to_owned()),
        ..bench.request("other", None)
    };
    let error = miras_trainer::run(config(MEMORY, &[]), request)
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean `cuda`?"), "{error}");
    assert!(!bench.path("other").exists());
}

#[test]
fn the_banner_says_what_is_trained() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &[]));
    bench.run("other", config(ATTENTION, &[]));
    let one = [
        "mixer.heads=1",
        "train.steps=1",
        "train.batch=1",
        "eval.tokens=32",
    ];
    bench.run("one", config(MEMORY, &one));
    let said = bench.said();
    for piece in [
        "run      run in ",
        "device   cpu",
        "model    memory mlp, bias l2, retention l2, algorithm momentum; 1 layer of width 16, 2 heads",
        "model    attention; 2 layers of width 16, 2 heads",
        "of them the memories' own",
        "data     built-in stories, version 1;",
        "training 4 steps, 64 tokens a step (1 x 2 sequences of 32)",
        "note     the learning rate falls until optim.decay_steps = 30; with train.steps = 4 it is still falling at the end",
        "; 1 layer of width 16, 1 head\n",
        "training 1 step, 32 tokens a step (1 x 1 sequence of 32)",
        "eval     1 held-out row of 32 tokens, each",
        "step 4/4 (100%)  loss",
        "finished at step 4",
    ] {
        assert!(said.contains(piece), "{piece}\n{said}");
    }
}

#[test]
fn samples_are_texts_at_every_evaluation_and_change_nothing_else() {
    let bench = Bench::new();
    let sets = ["eval.every=2", "train.steps=4"];
    let prompts = "log.samples=['Once upon a time', 'Tom']";
    bench.run("with", config(MEMORY, &[&sets[..], &[prompts]].concat()));
    bench.run("without", config(MEMORY, &sets));
    let weights = |name: &str| bench.file(name, 4, "model.safetensors");
    assert!(weights("with") == weights("without"));

    let texts = |name: &str| events::summary(bench.path(name)).unwrap().texts;
    let found = texts("with");
    for (tag, prompt) in [("samples/1", "Once upon a time"), ("samples/2", "Tom")] {
        let points = &found[tag];
        let steps: Vec<u64> = points.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [2, 4]);
        for (_, text) in points {
            assert!(text.starts_with(&format!("    {prompt}")), "{text:?}");
            assert!(text.len() > 150, "{text:?}");
        }
        // What is written comes from the weights of the step.
        assert_ne!(points[0].1, points[1].1);
    }
    assert!(
        !texts("without")
            .keys()
            .any(|tag| tag.starts_with("samples/"))
    );
}
