//! `train.state = "carry"`: memories that go on from step to step.

use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_trainer::Resume;

use crate::support::{Bench, MEMORY, Mischief, config, layers};

/// Weights that stay as they are: the memories alone change from step to step.
const STILL: &[&str] = &["train.state=carry", "optim.lr=1e-30"];

fn text_of(bench: &Bench, bytes: usize) -> String {
    let path = bench.path("corpus.txt");
    let text: String = (0..)
        .flat_map(|number| format!("{number}; ").into_bytes())
        .map(char::from)
        .take(bytes)
        .collect();
    std::fs::write(&path, text).unwrap();
    format!(
        "data={{ kind = 'text', path = '{}', seq_len = 20 }}",
        path.display()
    )
}

fn losses(bench: &Bench, name: &str) -> Vec<f64> {
    let values = bench.values(name, "train/loss");
    values.into_iter().map(|(_, loss)| loss).collect()
}

fn has_memory(bench: &Bench, name: &str, step: u64) -> bool {
    let file = format!("{name}/checkpoints/step-{step:08}/memory.safetensors");
    bench.path(&file).exists()
}

#[test]
fn every_row_begins_again_with_the_initial_memory_when_its_stretch_is_used_up() {
    let bench = Bench::new();
    // 150 bytes for training in each of two stretches: 7 steps.
    let data = text_of(&bench, 334);
    let sets = [STILL, &[&data, "train.steps=20"]].concat();
    bench.run("run", config(MEMORY, &sets));
    let losses = losses(&bench, "run");
    assert_eq!(losses[..7], losses[7..14]);
    assert_eq!(losses[..6], losses[14..]);
    for (at, loss) in losses[..7].iter().enumerate() {
        assert!(!losses[..at].contains(loss), "{losses:?}");
    }
}

#[test]
fn a_skipped_step_leaves_the_initial_memory_behind() {
    let bench = Bench::new();
    let sets = [
        STILL,
        &[
            "train.on_nonfinite=skip",
            "train.steps=5",
            "checkpoint.every=1",
            "checkpoint.keep_last=9",
        ],
    ]
    .concat();
    let poisoned = |steps: &[u64]| Mischief {
        poisoned: steps.to_vec(),
        ..Mischief::default()
    };
    bench.run_with("skips", config(MEMORY, &sets), None, poisoned(&[2]));
    bench.run("clean", config(MEMORY, &sets));
    let [skips, clean] = ["skips", "clean"].map(|run| losses(&bench, run));
    // The NaN itself is no number in the metrics.
    assert_eq!((skips.len(), clean.len()), (4, 5));
    assert_eq!(skips[..2], clean[..2]);
    // The text goes on, the memory does not.
    for at in [2, 3] {
        assert_ne!(skips[at..=at], clean[at + 1..=at + 1]);
    }
    let kept: Vec<bool> = (1..=5)
        .map(|step| has_memory(&bench, "skips", step))
        .collect();
    assert_eq!(kept, [true, true, false, true, true]);

    // Going on right behind the skipped step gives the same.
    let again = bench.try_run("skips", config(MEMORY, &sets), Some(Resume::Step(3)));
    assert_eq!(again.unwrap().step, 5);
    assert_eq!(losses(&bench, "skips"), skips);
}

#[test]
fn without_carrying_no_memory_is_saved() {
    let bench = Bench::new();
    bench.run("run", config(MEMORY, &[]));
    assert!(!has_memory(&bench, "run", 4));
}

#[test]
fn a_text_too_short_for_its_stretches_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let data = text_of(&bench, 300);
    let sets = ["train.state=carry", &data, "train.accumulate=4"];
    let message = "the training part has 270 bytes, which gives each of the 8 sequences of a step a \
                   stretch of 33, but two steps of seq_len = 20 in a row need at least 41: give more \
                   text, or make seq_len or the number of sequences smaller";
    let error = RunConfig::load_and_open(layers(MEMORY, &sets), &Registry::builtin())
        .err()
        .unwrap();
    let shown = error.to_string();
    assert!(
        shown.contains(&format!("train.state = \"carry\": {message}")),
        "{shown}"
    );
    assert!(shown.contains("(train.state)"), "{shown}");

    let error = bench
        .try_run("run", config(MEMORY, &sets), None)
        .unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert!(!bench.path("run").exists());

    let fits = RunConfig::load_and_open(
        layers(MEMORY, &["train.state=carry", &data]),
        &Registry::builtin(),
    );
    assert!(fits.is_ok());
}
