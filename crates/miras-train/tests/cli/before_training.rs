//! What is refused, or noted, before anything is trained.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::support::{Dir, TINY};

/// Text that no two places have in common, so many bytes of it.
fn text(bytes: usize) -> String {
    let lines = (0..).map(|line| format!("line {line} of the text\n"));
    let mut text: String = lines.take(bytes / 16 + 1).collect();
    text.truncate(bytes);
    text
}

fn sweep(rest: &str) -> Dir {
    let dir = Dir::new();
    dir.file("text.txt", text(4000));
    dir.file("many.toml", format!("{TINY}{rest}"));
    dir
}

/// Refused with exit code 2 by the dry run and the sweep alike, and nothing is left behind.
#[track_caller]
fn refused(dir: &Dir, words: &str, said: &[&str]) {
    for flag in ["--dry-run", ""] {
        let ran = dir.run(&format!("sweep many.toml {words} {flag}")).ended(2);
        for said in said {
            assert!(ran.err.contains(said), "{}", ran.err);
        }
        assert!(!dir.at("runs/many").exists(), "nothing is begun");
    }
}

const TEXT: &str = "--set data=text --set data.path=text.txt";

#[test]
fn every_trial_is_checked_in_whatever_order_it_comes() {
    for order in ["1, 400", "400, 1"] {
        let dir = sweep(&format!("[sweep.axes]\n'train.batch' = [{order}]"));
        let words = format!("{TEXT} --set train.state=carry");
        let said = "train.state = \"carry\": ";
        refused(&dir, &words, &[said, "(train.state)"]);
        // The rows of a step are those of all its micro-batches.
        let dir = sweep(&format!("[sweep.axes]\n'train.accumulate' = [{order}]"));
        refused(&dir, &words, &[said]);
    }
    for order in ["1, 2", "2, 1"] {
        let dir = sweep(&format!("[sweep.axes]\n'model.layers' = [{order}]"));
        dir.file("tiny.toml", TINY);
        dir.run("run tiny.toml --set train.steps=1 --runs made")
            .done();
        dir.run("export tiny --runs made --out weights").done();
        let said = ["cannot use the weights in weights", "(train.init_from)"];
        refused(&dir, "--set train.init_from=weights", &said);
    }
}

#[test]
fn what_is_to_be_measured_is_held_against_the_data_of_every_trial() {
    let evaluate = |axes: &str, keys: &str| sweep(&format!("{axes}\n[sweep.evaluate]\n{keys}"));
    // A tenth of the text is for validation.
    let dir = evaluate(
        "[sweep.axes]\n'optim.lr' = [1e-3, 2e-3]",
        "lengths = [32, 512]\ntokens = 512",
    );
    refused(
        &dir,
        TEXT,
        &[
            "at optim.lr=0.001: rows of 512 tokens cannot be measured: ",
            "many.toml:26:16  (sweep.evaluate.lengths[1])",
        ],
    );
    // Rows that fit one by one, of more text than there is.
    let dir = evaluate("[sweep]", "lengths = [32, 64]\ntokens = 512");
    refused(
        &dir,
        TEXT,
        &[
            "tokens = 512 cannot be measured: the validation part has 399 tokens after its first; \
             use 384, or less in whole rows",
            "(sweep.evaluate.tokens)",
        ],
    );
    dir.run(&format!(
        "sweep many.toml {TEXT} --dry-run --set data.valid_fraction=0.2"
    ))
    .done();
    for order in ["'a.txt', 'text.txt'", "'text.txt', 'a.txt'"] {
        let dir = evaluate(
            &format!("[sweep.axes]\n'data.path' = [{order}]"),
            "lengths = [128]\ntokens = 256",
        );
        dir.file("a.txt", text(800));
        refused(
            &dir,
            "--set data=text --set data.seq_len=32",
            &["at data.path=\"a.txt\": rows of 128 tokens"],
        );
    }
    for (tasks, expected) in [
        ("'piqa=none.jsonl'", "cannot read "),
        (
            "'pica=many.toml'",
            "there is no task `pica` (did you mean `piqa`?)",
        ),
        (
            "'piqa'",
            "a task and its file, as hellaswag=FILE, not `piqa`",
        ),
        (
            "'piqa=many.toml', 'piqa=many.toml'",
            "`piqa` is named twice",
        ),
        ("'needle=many.toml'", "needle makes its prompts"),
        (
            "'recall=many.toml'",
            "--distances 16384 needs 16512 of it, so that the passage comes twice alone: give a longer text",
        ),
    ] {
        let dir = evaluate("[sweep]", &format!("tasks = [{tasks}]"));
        refused(&dir, TEXT, &[expected, "(sweep.evaluate.tasks["]);
    }
    let dir = evaluate("[sweep]", "lengths = [32]\ntokens = 64\nlimit = 3");
    refused(&dir, TEXT, &["limit has no effect without tasks"]);
    let dir = evaluate("[sweep]", "tasks = ['recall=long.txt']\nlimit = 3");
    dir.file("long.txt", text(17_000));
    let said = [
        "limit is about questions and texts of a file",
        "(sweep.evaluate.limit)",
    ];
    refused(&dir, TEXT, &said);
    let recall = "--set data=mqar --set data.seq_len=64 --set data.pairs=4 --set data.gap=8";
    let dir = evaluate("[sweep]", "lengths = [64, 16]\ntokens = 640");
    refused(
        &dir,
        recall,
        &["rows of 16 tokens cannot be measured: data.", "lengths[1]"],
    );
}

#[test]
fn what_this_machine_cannot_do_is_refused_and_left_to_others_who_can() {
    let dir = sweep("[sweep.axes]\n'train.verify_device' = [0, 2]");
    let ran = dir.run("sweep many.toml").ended(2);
    let said = "error: verify_device=2: train.verify_device compares a device with the CPU";
    assert!(ran.err.starts_with(said), "{}", ran.err);
    assert!(!dir.at("runs/many").exists(), "nothing is begun");
    let said = "note: not to be trained here: verify_device=2: ";
    let ran = dir.run("sweep many.toml --dry-run").done();
    assert!(ran.out.contains(said), "{}", ran.out);
    let ran = dir.run("sweep many.toml --prepare").done();
    assert!(ran.err.contains(said), "{}", ran.err);
}

#[test]
fn a_model_beyond_all_memory_is_refused_before_it_is_built() {
    let dir = sweep("[sweep.axes]\n'model.layers' = [1, 1000000]");
    dir.file("tiny.toml", TINY);
    let wide = "--set model.dim=64";
    let large = format!("{wide} --set model.layers=1000000");
    let said = " parameters, and training it takes ";
    for words in ["run tiny.toml", "bench tiny.toml --repeats 1"] {
        let ran = dir.run(&format!("{words} {large}")).ended(2);
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(!dir.at("runs").exists());
    }
    let ran = dir.run(&format!("sweep many.toml {wide}")).ended(2);
    assert!(
        ran.err.contains("error: layers=1000000: this model has "),
        "{}",
        ran.err
    );
    // A file may be meant for another machine.
    let ran = dir.run(&format!("check tiny.toml {large}")).done();
    assert!(ran.out.contains("note: this model has "), "{}", ran.out);
    let ran = dir.run(&format!("sweep many.toml {wide} --dry-run")).done();
    assert!(
        ran.out
            .contains("note: not to be trained here: layers=1000000: "),
        "{}",
        ran.out
    );

    dir.run("run tiny.toml --set train.steps=1 --runs made")
        .done();
    dir.run("export tiny --runs made --out weights").done();
    let ran = dir.run(&format!(
        "check tiny.toml {large} --set train.init_from=weights"
    ));
    let ran = ran.ended(2);
    assert!(
        ran.err.contains(said) && ran.err.contains("(train.init_from)"),
        "{}",
        ran.err
    );
    // Weights that fit, and activations that do not.
    let many = "--set train.batch=4000000";
    let ran = dir.run(&format!("check tiny.toml {many}")).done();
    assert!(ran.out.contains(said), "{}", ran.out);
    let ran = dir
        .run(&format!("run tiny.toml --name large {many}"))
        .ended(2);
    assert!(ran.err.contains(said), "{}", ran.err);
    let ran = dir.run(&format!(
        "sweep many.toml --dry-run {many} --set data.seq_len=64"
    ));
    assert!(ran.done().out.contains(said));
}

/// Two chunks, of which the larger one is as long as a row.
const STALE: &str = r#"
[retention]
kind = "kl"

[sweep]
seeds = [1, 2]

[sweep.axes]
"algorithm.chunk" = [8, 32]

[sweep.evaluate]
lengths = [8]
tokens = 64
memory = ["live", "reset"]
"#;

/// A text without the ends of its lines, which wrap at words.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn notes_reach_whoever_reads_the_result() {
    let dir = sweep(STALE);
    let unread = "note: chunk=32: with algorithm.read = \"stale\" and a chunk of 32 no token of a \
                  sequence of 32 reads what was written";
    let short = "note: chunk=8: sweep.evaluate: with algorithm.read = \"stale\" and a chunk of 8 no \
                 token of a sequence of 8 reads";
    let same =
        "note: chunk=8: sweep.evaluate: a row of 8 tokens is one chunk of 8, in which memory";
    let of_all = "note: the warm-up takes optim.warmup = 50 steps; with train.steps = 4 the learning \
                  rate gets to 8 % of optim.lr";
    let dry = dir.run("sweep many.toml --dry-run").done();
    let checked = dir.run("check many.toml").done();
    let ran = dir.run("sweep many.toml").done();
    for said in [&dry.out, &checked.out, &ran.err] {
        for note in [unread, short, same, of_all] {
            assert_eq!(joined(said).matches(note).count(), 1, "{note}\n{said}");
        }
    }
    let compared = dir.run("compare many").done();
    let two = dir
        .run("compare runs/many/chunk-8-s1 runs/many/chunk-32-s1")
        .done();
    for said in [&ran.out, &compared.out, &two.out] {
        for note in [unread, of_all] {
            assert_eq!(joined(said).matches(note).count(), 1, "{note}\n{said}");
        }
    }
    let report = dir.read("runs/many/compare/report.html");
    let (_, notes) = report.split_once("<h2>Notes</h2>").unwrap();
    assert!(notes.contains("chunk=32: with algorithm.read"), "{notes}");
    let table = dir.read("runs/many/compare/results.md");
    assert!(table.contains("- chunk=32: with algorithm.read"), "{table}");
    let results: Value = serde_json::from_str(&dir.read("runs/many/compare/results.json")).unwrap();
    let notes = results["notes"].as_array().unwrap();
    let about = |names: &[&str]| {
        notes
            .iter()
            .any(|note| note["about"] == serde_json::json!(names))
    };
    assert!(about(&["chunk=32"]) && about(&[]), "{notes:?}");
}

#[test]
fn questions_that_no_memory_can_answer_are_counted() {
    let dir = Dir::tiny();
    let recall = "check tiny.toml --set data=mqar --set data.seq_len=128 --set data.gap=4 \
                  --set data.pairs=8 --set retention=kl --set algorithm.chunk";
    let ran = dir.run(&format!("{recall}=64")).done();
    let note = "note: with algorithm.read = \"stale\" 3.3 of the 8 questions of a row are asked, on \
                average, in the chunk of 64 tokens that holds their pair: the memory cannot answer \
                these; lower algorithm.chunk, or set data.gap to 48 or more";
    assert!(ran.out.contains(note), "{}", ran.out);
    for other in [
        "=16",
        "=64 --set data.gap=48",
        "=64 --set algorithm.read=exact",
    ] {
        let ran = dir.run(&format!("{recall}{other}")).done();
        assert!(!ran.out.contains("questions"), "{}", ran.out);
    }
}

#[test]
fn a_full_disk_is_named_with_the_command_that_goes_on() {
    let dir = sweep("[sweep.axes]\n'optim.lr' = [1e-3, 2e-3]");
    dir.run(&format!("sweep many.toml {TEXT} --prepare")).done();
    // What the trials say is lost, as on a disk without room.
    fs::rename(dir.at("text.txt"), dir.at("away.txt")).unwrap();
    let plan: Value = serde_json::from_str(&dir.read("runs/many/sweep.json")).unwrap();
    let logs = plan["trials"].as_array().unwrap().iter().map(|trial| {
        let id = trial["id"].as_str().unwrap();
        dir.at(&format!("runs/many/trials/{id}.log"))
    });
    let logs: Vec<_> = logs.collect();
    for log in &logs {
        symlink("/dev/full", log).unwrap();
    }
    let ran = dir.run("worker many").ended(1);
    let first = ran.err.lines().find(|line| line.starts_with("error: "));
    let first = first.unwrap();
    assert!(
        first.starts_with("error: cannot write runs/many/trials/"),
        "{}",
        ran.err
    );
    assert!(first.contains("(os error 28)"), "{}", ran.err);
    assert!(
        ran.err
            .contains("0 of 2 trials done, 0 failed, and no trial counts as failed")
    );
    assert!(ran.err.contains(" worker runs/many"), "{}", ran.err);

    for log in &logs {
        fs::remove_file(log).unwrap();
    }
    // Without a text it is a failure like any other, and only `--retry` tries it again.
    let ran = dir.run("worker many --fail-fast").ended(1);
    assert!(ran.err.contains("1 failed"), "{}", ran.err);
    assert!(ran.err.contains(" sweep FILE --retry"), "{}", ran.err);
    fs::rename(dir.at("away.txt"), dir.at("text.txt")).unwrap();
    let ran = dir
        .run(&format!("sweep many.toml {TEXT} --resume"))
        .ended(1);
    let retry = " sweep many.toml --retry --set='data=text' --set='data.path=text.txt'";
    assert!(ran.err.contains(retry), "{}", ran.err);
    let ran = dir.run(&format!("sweep many.toml {TEXT} --retry")).done();
    assert!(
        ran.err.contains("2 of 2 trials done, 0 failed"),
        "{}",
        ran.err
    );
}

#[test]
fn the_time_of_a_sweep_is_a_guess_that_says_so() {
    let dir = sweep("[sweep.axes]\n'optim.lr' = [1e-3, 2e-3]");
    let ran = dir.run("sweep many.toml --dry-run --time").done();
    let last = ran.out.lines().last().unwrap();
    assert!(last.starts_with("about "), "{last}");
    assert!(
        last.contains(" on cpu: a guess from one pass of lr-"),
        "{last}"
    );
    dir.run("sweep many.toml --time").ended(2);
}

#[test]
fn trials_are_not_measured_on_different_amounts_of_text() {
    let tied = "[[sweep.tied]]\n'train.batch' = [4, 2]\n'train.accumulate' = [1, 2]";
    let dir = sweep(tied);
    let error = dir
        .run("sweep many.toml --dry-run --set eval.batches=2")
        .ended(2)
        .err;
    assert!(
        error.contains("eval.batches gives the trials of this sweep different amounts")
            && error.contains("write eval.tokens"),
        "{error}"
    );
    dir.run("sweep many.toml --dry-run --set eval.tokens=64")
        .done();
}

/// Its last loss is that of weights which were hardly ever updated.
#[test]
fn a_trial_that_skipped_most_of_its_steps_has_failed() {
    let dir = sweep("[sweep]\nalike = 0\n[sweep.axes]\n'optim.lr' = [1e-3, 1e30]");
    let skips = "--set train.on_nonfinite=skip --set train.max_skips=100 --set train.steps=10";
    let ran = dir.run(&format!("sweep many.toml {skips}")).ended(1);
    assert!(ran.err.contains("of its 10 steps, because"), "{}", ran.err);
    assert!(ran.err.contains("1 of 2 trials done"), "{}", ran.err);
}

/// `eval.batches` is what `eval.tokens` was called, in other units.
#[test]
fn a_key_by_its_old_name_is_noted_once_with_its_line() {
    let dir = Dir::new();
    dir.file("new.toml", TINY);
    dir.file("old.toml", "extends = 'new.toml'\n[eval]\nbatches = 2\n");
    let said = "`eval.batches` is now `eval.tokens`; the old spelling still works";
    let line = format!("note: old.toml:3: {said}");
    for command in ["check", "show", "run"] {
        let ran = dir.run(&format!("{command} old.toml --set train.steps=1"));
        assert_eq!(ran.done().err.matches(&line).count(), 1, "{command}");
        let ran = dir.run(&format!("{command} new.toml --set train.steps=1"));
        assert!(!ran.done().err.contains(said), "{command}");
    }
    // A run has stored it by its present name.
    let ran = dir
        .run("run --name old --resume --set train.steps=2")
        .done();
    assert!(!ran.err.contains(said), "{}", ran.err);
    let set = "run --name old --resume --set train.steps=3 --set eval.batches=2";
    let ran = dir.run(set).done();
    assert!(
        ran.err.contains(&format!("note: --set: {said}")),
        "{}",
        ran.err
    );
    dir.file(
        "many.toml",
        format!("{TINY}[sweep.axes]\n'eval.batches' = [2]\n"),
    );
    let ran = dir.run("sweep many.toml --prepare").done();
    let place = TINY.lines().count() + 2;
    let line = format!("note: many.toml:{place}: {said}");
    assert_eq!(ran.err.matches(&line).count(), 1, "{}", ran.err);
}
