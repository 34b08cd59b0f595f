//! The model of the best evaluation is kept.

use miras_trainer::Resume;

use crate::support::{Bench, MEMORY, config};

/// Training makes the held-out part of these data more and more surprising.
fn diverging(bench: &Bench) -> String {
    let paths = ["train.txt", "valid.txt"].map(|name| bench.path(name).display().to_string());
    std::fs::write(&paths[0], "ab".repeat(2000)).unwrap();
    std::fs::write(&paths[1], "xy".repeat(400)).unwrap();
    let [train, valid] = paths;
    format!("data={{ kind = 'text', path = '{train}', valid_path = '{valid}', seq_len = 16 }}")
}

fn named(steps: &[u64]) -> Vec<String> {
    steps.iter().map(|step| format!("step-{step:08}")).collect()
}

#[test]
fn a_new_best_evaluation_saves_a_checkpoint_and_nothing_more_is_kept() {
    let bench = Bench::new();
    let data = diverging(&bench);
    let with = |sets: &[&'static str]| {
        let common = [&*data, "train.steps=6", "eval.every=2", "optim.lr=0.06"];
        config(
            MEMORY,
            &[&common[..], &["checkpoint.keep_last=1"], sets].concat(),
        )
    };
    bench.run("run", with(&["checkpoint.every=3"]));
    let losses = bench.values("run", "eval/loss");
    assert!(
        losses[1].1 > losses[0].1 && losses[2].1 > losses[0].1,
        "{losses:?}"
    );
    // Steps 3 and 6 are those of the schedule; 3 is not evaluated.
    assert_eq!(bench.checkpoints("run"), named(&[2, 6]));
    let best = &bench.json("run", "summary.json")["best"];
    assert_eq!(
        (&best["step"], &best["value"]),
        (&2.into(), &losses[0].1.into())
    );

    // What is saved for its evaluation is as good to go on from as any other.
    bench.run("again", with(&["checkpoint.every=3"]));
    let again = bench.try_run(
        "again",
        with(&["checkpoint.every=3"]),
        Some(Resume::Step(2)),
    );
    assert_eq!(again.unwrap().step, 6);
    for file in ["model.safetensors", "optimizer.bpk"] {
        assert!(
            bench.file("run", 6, file) == bench.file("again", 6, file),
            "{file}"
        );
    }
    assert_eq!(
        bench.values("again", "train/loss"),
        bench.values("run", "train/loss")
    );
    assert_eq!(bench.values("again", "eval/loss"), losses);

    bench.run(
        "latest",
        with(&["checkpoint.every=3", "checkpoint.keep_best=false"]),
    );
    assert_eq!(bench.checkpoints("latest"), named(&[6]));
    // The disk holds the best and the newest however often there is a new best.
    bench.run(
        "better",
        config(
            MEMORY,
            &["train.steps=6", "eval.every=1", "checkpoint.keep_last=1"],
        ),
    );
    let losses = bench.values("better", "eval/loss");
    assert!(
        losses.windows(2).all(|pair| pair[1].1 < pair[0].1),
        "{losses:?}"
    );
    assert_eq!(bench.checkpoints("better"), named(&[6]));
}
