//! Weights outside of a run, and runs that start with them.

use miras_registry::Registry;
use std::fs;

use miras_use::{At, EvalRequest, Trained, evaluate, export};

use crate::support::{Bench, assert_near, config};

#[test]
fn an_export_is_a_run_to_all_that_use_one() {
    let bench = Bench::new();
    let (trained, outcome) = bench.trained("run", &[]);
    let out = bench.path().join("deep/weights");
    let facts = export(&trained, &out).unwrap();
    assert_eq!((facts.step, facts.tokens), (outcome.step, outcome.tokens));
    assert!(facts.data.unwrap().contains("built-in stories"));

    let path = out.to_string_lossy().into_owned();
    let copy = Trained::open(&Registry::builtin(), bench.path(), &path, At::Latest, None).unwrap();
    assert_eq!(copy.origin, trained.origin);
    let loss = |trained: &Trained| {
        let report = evaluate(trained, &EvalRequest::default()).unwrap();
        report.measured.loss.to_bits()
    };
    assert_eq!(loss(&copy), loss(&trained));

    let error = export(&trained, &out).err().unwrap().to_string();
    assert!(
        error.ends_with("is not empty: choose another folder with --out"),
        "{error}"
    );
    let error = Trained::open(&Registry::builtin(), bench.path(), &path, At::Best, None)
        .err()
        .unwrap();
    assert!(error.to_string().ends_with("leave --step out"), "{error}");
}

#[test]
fn a_run_that_starts_with_exported_weights_starts_where_they_are() {
    let bench = Bench::new();
    let (trained, outcome) = bench.trained("first", &[]);
    let out = bench.path().join("weights");
    export(&trained, &out).unwrap();
    for from in [out.clone(), out.join("model.safetensors")] {
        let from = format!("train.init_from={}", from.display());
        let name = format!("from-{}", from.len());
        // A learning rate at which a step changes next to nothing.
        let still = ["train.steps=1", "optim.lr=1e-30", "train.seed=7", &from];
        let started = bench.train(&name, config(&still));
        assert_near(started.eval_loss.unwrap(), outcome.eval_loss.unwrap(), 1e-6);
        assert_eq!(started.step, 1);
    }
    let other = bench.train(
        "random",
        config(&["train.steps=1", "optim.lr=1e-30", "train.seed=7"]),
    );
    assert!((other.eval_loss.unwrap() - outcome.eval_loss.unwrap()).abs() > 1e-3);
}

#[test]
fn checkpoints_are_found_by_step_and_by_loss() {
    let bench = Bench::new();
    let sets = [
        "checkpoint.every=1",
        "checkpoint.keep_last=9",
        "eval.every=1",
    ];
    let (latest, _) = bench.trained("run", &sets);
    assert_eq!(latest.origin.step, 3);
    let open = |at| Trained::open(&Registry::builtin(), bench.path(), "run", at, None);
    assert_eq!(open(At::Step(2)).unwrap().origin.step, 2);
    let summary = fs::read_to_string(bench.path().join("run/summary.json")).unwrap();
    let best = open(At::Best).unwrap().origin.step;
    assert!(summary.contains(&format!("\"step\": {best}")), "{summary}");
    let open_best = |name: &str| {
        Trained::open(&Registry::builtin(), bench.path(), name, At::Best, None)
            .err()
            .unwrap()
            .to_string()
    };
    // Training makes the held-out part more surprising, so that the best are the weights of step
    // 1, and they are gone.
    let [train, valid] = [("train.txt", "ab"), ("valid.txt", "xy")]
        .map(|(name, text)| bench.file(name, text.repeat(2000)).display().to_string());
    let data =
        format!("data={{ kind = 'text', path = '{train}', valid_path = '{valid}', seq_len = 16 }}");
    let gone = [
        "checkpoint.every=1",
        "checkpoint.keep_last=1",
        "checkpoint.keep_best=false",
        "eval.every=1",
        "train.steps=4",
        &*data,
    ];
    let (latest, _) = bench.trained("gone", &gone);
    let summary = fs::read_to_string(bench.path().join("gone/summary.json")).unwrap();
    let error = open_best("gone");
    assert!(
        latest.origin.step == 4 && !summary.contains("\"step\": 4"),
        "{summary}"
    );
    assert!(
        error.contains("the best evaluation of ") && error.contains(", has no checkpoint"),
        "{error}"
    );
    assert!(error.ends_with("): use --step 4"), "{error}");
    let error = open(At::Step(7)).err().unwrap().to_string();
    assert!(error.contains("choose one of 1, 2, 3"), "{error}");

    let error = Trained::open(&Registry::builtin(), bench.path(), "rum", At::Latest, None)
        .err()
        .unwrap();
    assert!(
        error.to_string().ends_with("did you mean `run`?"),
        "{error}"
    );
    let error = Trained::open(
        &Registry::builtin(),
        bench.path(),
        "something",
        At::Latest,
        None,
    )
    .err()
    .unwrap();
    assert!(
        error.to_string().ends_with("the runs there are gone, run"),
        "{error}"
    );
}

#[test]
fn an_export_whose_weights_changed_is_refused() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let out = bench.path().join("weights");
    export(&trained, &out).unwrap();
    let open = || {
        Trained::open(
            &Registry::builtin(),
            bench.path(),
            "weights",
            At::Latest,
            None,
        )
    };
    open().unwrap();
    let file = out.join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let error = open().err().unwrap().to_string();
    let start = format!(
        "{} is damaged or was replaced: its SHA-256 is ",
        file.display()
    );
    assert!(error.starts_with(&start), "{error}");
    assert!(error.contains(&trained.origin.weights), "{error}");
}

#[test]
fn a_run_without_a_record_is_exported_and_one_with_a_damaged_record_is_not() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let record = bench.path().join("run/run.json");
    fs::write(&record, "{").unwrap();
    let out = bench.path().join("weights");
    let error = export(&trained, &out).unwrap_err().to_string();
    assert!(error.contains("run.json"), "{error}");
    fs::remove_file(&record).unwrap();
    assert_eq!(export(&trained, &out).unwrap().data, None);
}
