//! What an evaluation reads, and what memories start from.

use miras_spec::{RunConfig, SpecError};
use miras_trainer::{Resume, TrainError};

use crate::support::{ATTENTION, Bench, MEMORY, Mischief, RECALL, config};

/// Weights that stay as they are, so that evaluations alone can differ.
const STILL: &[&str] = &["optim.lr=1e-30", "train.steps=2"];

/// A text whose validation part changes on its way.
fn text(bench: &Bench) -> String {
    let path = bench.path("corpus.txt");
    let stories = (0..600).map(|n| format!("On day {n} the lamp was red.\n"));
    let digits = (0..600_u64).map(|n| (n * n * n).to_string());
    let valid: Vec<String> = stories.chain(digits).collect();
    std::fs::write(bench.path("valid.txt"), valid.concat()).unwrap();
    std::fs::write(&path, "the hill and the lake, ".repeat(400)).unwrap();
    format!(
        "data={{ kind = 'text', path = '{}', valid_path = '{}', seq_len = 32 }}",
        path.display(),
        bench.path("valid.txt").display()
    )
}

fn near(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1e-5, "{what}: {a} and {b}");
}

#[test]
fn the_batch_and_accumulation_do_not_change_what_is_read() {
    let bench = Bench::new();
    let text = text(&bench);
    let carried = ["train.state=carry", &text];
    let cases: [(&str, &str, &[&str]); 4] = [
        ("text", MEMORY, &[&text]),
        ("attention", ATTENTION, &[&text]),
        ("recall", MEMORY, RECALL),
        ("carried", MEMORY, &carried),
    ];
    for (name, base, sets) in cases {
        let mut found: Option<f64> = None;
        for (batch, accumulate) in [(8, 1), (4, 2), (1, 1), (3, 1)] {
            let size = [
                format!("train.batch={batch}"),
                format!("train.accumulate={accumulate}"),
            ];
            let size = size.each_ref().map(String::as_str);
            let sets = [STILL, sets, &size, &["eval.tokens=2048"]].concat();
            let run = format!("{name}-{batch}-{accumulate}");
            let outcome = bench.run(&run, config(base, &sets));
            let loss = outcome.eval_loss.unwrap();
            near(*found.get_or_insert(loss), loss, &run);
        }
    }
}

#[test]
fn the_tokens_are_spread_over_the_validation_part() {
    let bench = Bench::new();
    let text = text(&bench);
    let loss = |name: &str, tokens: u64| {
        let tokens = format!("eval.tokens={tokens}");
        let sets = [STILL, &[&text, "train.steps=40", "optim.lr=0.01", &tokens]].concat();
        bench.run(name, config(MEMORY, &sets)).eval_loss.unwrap()
    };
    let (all, some) = (loss("all", 1_000_000), loss("some", 4096));
    // The first half of the text is another one than the second.
    assert!((all - some).abs() < 0.15, "{all} of all, {some} of some");
}

#[test]
fn carried_memories_go_on_from_row_to_row_of_a_stretch() {
    let bench = Bench::new();
    let text = text(&bench);
    let loss = |name: &str, sets: &[&str]| {
        let sets = [STILL, &[&text, "eval.tokens=4096", "train.batch=3"], sets].concat();
        let outcome = bench.run(name, config(MEMORY, &sets));
        outcome.eval_loss.unwrap()
    };
    let carried = loss("carried", &["train.state=carry"]);
    let reset = loss("reset", &[]);
    assert!((carried - reset).abs() > 1e-4, "{carried} and {reset}");
    // 4 stretches of 1,024 tokens, each as one row.
    let whole = loss("whole", &["data.seq_len=1024"]);
    near(
        carried,
        whole,
        "rows of a stretch against the stretch as a row",
    );
    let said = bench.said();
    for line in [
        "eval     128 held-out rows of 32 tokens, memories carried along 4 stretches of them",
        "eval     128 held-out rows of 32 tokens, each from the initial memory",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn an_evaluation_without_a_scored_token_is_an_error() {
    let bench = Bench::new();
    let mischief = Mischief {
        nothing_asked: true,
        ..Mischief::default()
    };
    let error = bench.try_run_with("run", config(MEMORY, &[]), None, mischief);
    let error = error.unwrap_err();
    assert!(
        matches!(error, TrainError::Spec(SpecError::Unscored { .. })),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.starts_with("the evaluation scored no token: 2 rows of "),
        "{message}"
    );
}

#[test]
fn going_back_removes_the_reports_of_later_steps() {
    let bench = Bench::new();
    let config: RunConfig = config(MEMORY, &["checkpoint.every=1", "checkpoint.keep_last=9"]);
    bench.run("run", config.clone());
    let write = |name: &str, step: u64| {
        let report = format!("{{\"schema\": \"miras_eval\", \"step\": {step}}}");
        std::fs::write(bench.path("run").join(name), report).unwrap();
    };
    write("eval-32-live.json", 4);
    write("eval-32-live-0a1b2c3d.json", 2);
    // Going on changes nothing of what was measured.
    bench.resume("run", config.clone());
    assert!(bench.path("run/eval-32-live.json").exists());
    (bench.try_run("run", config, Some(Resume::Step(2)))).unwrap();
    assert!(!bench.path("run/eval-32-live.json").exists());
    assert!(bench.path("run/eval-32-live-0a1b2c3d.json").exists());
    let said = bench.said();
    let note = "removed the reports of evaluations at later steps: eval-32-live.json";
    assert!(said.contains(note), "{said}");
}
