//! What ends a run early, and what stays of it.

use miras_run::Status;

use crate::support::{Bench, MEMORY, Mischief, config};

#[test]
fn a_run_out_of_time_is_evaluated_saved_and_can_go_on() {
    let bench = Bench::new();
    let sets = ["train.steps=1000000", "train.max_minutes=0.01"];
    let outcome = bench.run("run", config(MEMORY, &sets));
    assert_eq!(outcome.status, Status::Time);
    assert!(
        outcome.step > 0 && outcome.step < 100_000,
        "{}",
        outcome.step
    );
    assert_eq!(outcome.checkpoint, Some(outcome.step));
    assert_eq!(
        bench.values("run", "eval/loss").pop().unwrap().0,
        outcome.step
    );
    assert_eq!(bench.json("run", "summary.json")["status"], "time");
    assert!(outcome.message.unwrap().contains("--name run --resume"));

    let steps = format!("train.steps={}", outcome.step + 2);
    let more = bench.resume("run", config(MEMORY, &[&steps]));
    assert_eq!(
        (more.status, more.step),
        (Status::Finished, outcome.step + 2)
    );
}

#[test]
fn checkpoints_stay_as_configured() {
    for (sets, expected) in [
        (vec!["checkpoint.keep_last=2"], vec![5, 6]),
        (
            vec!["checkpoint.keep_last=1", "checkpoint.keep_every=2"],
            vec![2, 4, 6],
        ),
        (vec!["checkpoint.every=0"], vec![6]),
    ] {
        let bench = Bench::new();
        let base = [
            "train.steps=6",
            "checkpoint.every=1",
            "checkpoint.keep_best=false",
        ];
        bench.run("run", config(MEMORY, &[&base[..], &sets].concat()));
        let expected: Vec<String> = expected
            .iter()
            .map(|step| format!("step-{step:08}"))
            .collect();
        assert_eq!(bench.checkpoints("run"), expected, "{sets:?}");
    }
}

#[test]
fn a_failure_is_written_down() {
    let bench = Bench::new();
    let missing = Mischief {
        missing: Some(2),
        ..Mischief::default()
    };
    let sets = ["checkpoint.every=1"];
    let error = bench
        .try_run_with("run", config(MEMORY, &sets), None, missing)
        .unwrap_err();
    let summary = bench.json("run", "summary.json");
    assert_eq!(
        (&summary["status"], &summary["steps"]),
        (&"failed".into(), &2.into())
    );
    assert_eq!(summary["message"], error.to_string());
    let events = miras_log::events::summary(bench.path("run")).unwrap();
    assert_eq!(events.status, Some(miras_log::Status::Failure));
    assert_eq!(
        bench.resume("run", config(MEMORY, &sets)).status,
        Status::Finished
    );
}
