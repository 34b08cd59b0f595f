//! NaN and infinity.

use miras_run::Status;
use miras_trainer::Resume;

use safetensors::SafeTensors;

use crate::support::{ATTENTION, Bench, MEMORY, Mischief, config};

#[test]
fn a_run_that_turns_non_finite_stops_and_says_where() {
    for (text, lr, what, place) in [
        (
            MEMORY,
            "optim.lr=1e38",
            "the gradient norm is NaN",
            "layer 0, chunk 0, ",
        ),
        (
            ATTENTION,
            "optim.lr=1e38",
            "the gradient norm is NaN",
            "gradient of parameter `",
        ),
    ] {
        let bench = Bench::new();
        let mut sets = vec![lr, "optim.warmup=0", "checkpoint.every=1", "train.steps=9"];
        if text == MEMORY {
            // The memory itself overflows: nothing brings it back to its initial weights.
            sets.push("retention.anchored=false");
        }
        let outcome = bench.run("run", config(text, &sets));
        assert_eq!(outcome.status, Status::Nonfinite, "{outcome:?}");
        let message = outcome.message.unwrap();
        assert!(
            message.starts_with(&format!("step {}: {what}", outcome.step + 1)),
            "{message}"
        );
        assert!(message.contains(place), "{message}");
        let saved = outcome.checkpoint.unwrap();
        assert!(
            message.ends_with(&format!("the checkpoint of step {saved} is finite")),
            "{message}"
        );

        let summary = bench.json("run", "summary.json");
        assert_eq!(summary["status"], "nonfinite");
        assert_eq!(summary["message"], message);
        let last = bench.lines("run").pop().unwrap();
        let bad = if what.contains("loss") {
            "train/loss"
        } else {
            "optim/grad_norm"
        };
        assert_eq!(last[bad], "NaN");
        assert!(summary["metrics"][bad].is_null());
        let kept = bench.checkpoints("run").pop().unwrap();
        assert_eq!(kept, format!("step-{saved:08}"));
        let again = bench
            .try_run("run", config(text, &sets), Some(Resume::Latest))
            .unwrap();
        assert_eq!(
            (again.status, again.step),
            (Status::Nonfinite, outcome.step)
        );
    }
}

#[test]
fn weights_that_are_not_finite_are_not_saved() {
    // The overflow of an update is met by the next one, by an evaluation or by a save.
    let overflow = ["optim.lr=1e38", "optim.warmup=0", "optim.weight_decay=1000"];
    for (sets, step, place) in [
        (
            ["train.steps=2", "checkpoint.every=0"],
            1,
            "the loss is NaN",
        ),
        (
            ["train.steps=1", "checkpoint.every=0"],
            1,
            "eval/loss is NaN",
        ),
        (
            ["train.steps=2", "checkpoint.every=1"],
            1,
            "the weights are not finite after it",
        ),
    ] {
        let bench = Bench::new();
        let outcome = bench.run("run", config(MEMORY, &[&overflow[..], &sets].concat()));
        assert_eq!((outcome.status, outcome.step), (Status::Nonfinite, step));
        let message = outcome.message.unwrap();
        for piece in [
            place,
            "first non-finite: parameter `embedding`",
            "no checkpoint was saved",
        ] {
            assert!(message.contains(piece), "{piece}\n{message}");
        }
        assert_eq!(bench.checkpoints("run"), [""; 0]);
    }
}

#[test]
fn skipping_leaves_out_the_step_and_counts_it() {
    let bench = Bench::new();
    let sets = [
        "train.on_nonfinite=skip",
        "train.max_skips=2",
        "train.steps=6",
    ];
    let poison = |batches: &[u64]| Mischief {
        poisoned: batches.to_vec(),
        ..Mischief::default()
    };
    let outcome = bench.run_with("some", config(MEMORY, &sets), None, poison(&[1, 3]));
    assert_eq!((outcome.status, outcome.step), (Status::Finished, 6));
    let skipped: Vec<f64> = bench
        .values("some", "train/skipped")
        .iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(skipped, [0.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    let state = bench.json("some", "checkpoints/step-00000006/state.json");
    assert_eq!(
        (&state["skipped"], &state["skipped_in_a_row"]),
        (&2.into(), &0.into())
    );

    let outcome = bench.run_with("many", config(MEMORY, &sets), None, poison(&[2, 3]));
    assert_eq!((outcome.status, outcome.step), (Status::Nonfinite, 3));
    let message = outcome.message.unwrap();
    assert!(
        message.contains("the loss is NaN, 2 steps in a row"),
        "{message}"
    );
}

#[test]
fn a_skipped_step_changes_no_weight() {
    let bench = Bench::new();
    let sets = ["train.on_nonfinite=skip", "train.steps=2"];
    let poisoned = Mischief {
        poisoned: vec![1],
        ..Mischief::default()
    };
    bench.run_with("skips", config(MEMORY, &sets), None, poisoned);
    bench.run("one", config(MEMORY, &["train.steps=1"]));
    assert_eq!(
        bench.file("skips", 2, "model.safetensors"),
        bench.file("one", 1, "model.safetensors")
    );
}

#[test]
fn by_default_a_poisoned_batch_stops_the_run() {
    let bench = Bench::new();
    let poisoned = Mischief {
        poisoned: vec![1],
        ..Mischief::default()
    };
    let sets = ["checkpoint.every=1"];
    let outcome = bench.run_with("run", config(MEMORY, &sets), None, poisoned);
    assert_eq!(
        (outcome.status, outcome.step, outcome.checkpoint),
        (Status::Nonfinite, 1, Some(1))
    );
    // The model is innocent, so going on with clean data works.
    assert_eq!(
        bench.resume("run", config(MEMORY, &sets)).status,
        Status::Finished
    );
}

#[test]
fn the_advice_after_a_stop_is_one_that_can_be_followed() {
    let bench = Bench::new();
    let poisoned = || Mischief {
        poisoned: vec![1],
        ..Mischief::default()
    };
    let sets = ["checkpoint.every=1"];
    let stopped = bench.run_with("run", config(MEMORY, &sets), None, poisoned());
    let help = stopped.help.unwrap();
    for piece in [
        "a lower optim.lr (now 0.003) or algorithm.step_max (now 1.0) or algorithm.load_cap",
        "miras-train run x.toml --name run --resume --set train.on_nonfinite=skip",
    ] {
        assert!(help.contains(piece), "{piece}\n{help}");
        assert!(bench.said().contains(piece));
    }
    let skipping = [sets[0], "train.on_nonfinite=skip"];
    let more = bench.run_with(
        "run",
        config(MEMORY, &skipping),
        Some(Resume::Latest),
        poisoned(),
    );
    assert_eq!((more.status, more.step), (Status::Finished, 4));
    assert_eq!(bench.values("run", "train/skipped").pop(), Some((4, 1.0)));
    assert_eq!(more.help, None);
}

/// The file of a model's weights whose head is `by` times as large.
fn large_head(bench: &Bench, by: f32) -> String {
    bench.run(
        "before",
        config(MEMORY, &["model.tie_head=false", "train.steps=1"]),
    );
    let mut bytes = bench.file("before", 1, "model.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let head = tensors.tensor("head.weight").unwrap().data().as_ptr_range();
    let first = bytes.as_ptr() as usize;
    let place = head.start as usize - first..head.end as usize - first;
    for value in bytes[place].chunks_exact_mut(4) {
        let large = f32::from_le_bytes([value[0], value[1], value[2], value[3]]) * by;
        value.copy_from_slice(&large.to_le_bytes());
    }
    let path = bench.path("large.safetensors");
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn gradients_whose_squares_overflow_are_clipped_or_named() {
    let bench = Bench::new();
    let from = format!("train.init_from={}", large_head(&bench, 1e22));
    let with = |clip: &'static str| {
        let sets = ["model.tie_head=false", &from, clip, "train.steps=2"];
        config(MEMORY, &sets)
    };
    let outcome = bench.run("clipped", with("optim.clip=1.0"));
    assert_eq!(outcome.status, Status::Finished, "{:?}", outcome.message);
    for (step, norm) in bench.values("clipped", "optim/grad_norm") {
        assert!(norm > 1.8e19 && norm.is_finite(), "step {step}: {norm}");
    }
    let before = bench.file("before", 1, "model.safetensors");
    assert!(bench.file("clipped", 2, "model.safetensors") != before);

    let outcome = bench.run("free", with("optim.clip=0.0"));
    assert_eq!(outcome.status, Status::Nonfinite);
    let message = outcome.message.unwrap();
    for piece in [
        "step 1: the gradient is finite, but it has an entry of ",
        "whose square float32 cannot hold",
        "first non-finite: AdamW's second moment of parameter `",
    ] {
        assert!(message.contains(piece), "{message}");
    }
    let help = outcome.help.unwrap();
    assert!(help.contains("optim.clip = 1.0 (now off)"), "{help}");
}
