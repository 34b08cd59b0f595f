//! `--resume`.

use std::fs;

use crate::support::Dir;

#[test]
fn a_run_goes_on_from_its_own_configuration() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --name mine").done();
    fs::remove_file(dir.at("tiny.toml")).unwrap();
    dir.run("run --name mine --resume --set train.steps=6 --set train.max_minutes=5")
        .done();
    let summary: serde_json::Value =
        serde_json::from_str(&dir.read("runs/mine/summary.json")).unwrap();
    assert_eq!(summary["steps"], 6);
    let config = dir.read("runs/mine/config.toml");
    assert!(config.contains("steps = 6"), "{config}");
}

#[test]
fn without_a_name_the_only_run_of_the_file_goes_on() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --name tiny-2").done();
    dir.run("run tiny.toml --resume --set train.steps=5").done();
    assert!(dir.at("runs/tiny-2/checkpoints/step-00000005").is_dir());

    dir.run("run tiny.toml").done();
    dir.run("run tiny.toml --resume").refused(
        "error: `--resume` could mean one of tiny, tiny-2\n  = help: choose one with `--name`",
    );
}

#[test]
fn an_earlier_step_can_be_gone_back_to() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    dir.run("run tiny.toml --resume=3")
        .refused("error: runs/tiny has no checkpoint of step 3: choose one of 2, 4");
    let whole = model(&dir, "tiny");
    dir.run("run tiny.toml --resume=2").done();
    assert!(
        whole == model(&dir, "tiny"),
        "steps 3 and 4 are the same again"
    );
}

#[test]
fn nothing_to_resume_is_said_clearly() {
    let dir = Dir::tiny();
    for command in [
        "run --resume",
        "run tiny.toml --resume",
        "run --name nothere --resume",
        "run tiny.toml --name nothere --resume",
    ] {
        dir.run(command)
            .refused("error: there is no run folder runs/[..]");
    }
    dir.run("run tiny.toml --name mine").done();
    dir.run("run --name other --resume")
        .refused("error: there is no run folder runs/other: the runs there are mine");
    dir.run("run --name mien --resume")
        .refused("error: there is no run folder runs/mien: did you mean `mine`?");
    assert_eq!(fs::read_dir(dir.at("runs")).unwrap().count(), 1);
}

#[test]
fn a_changed_key_is_refused_by_its_name() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    dir.run("run tiny.toml --resume --set model.dim=32 --set optim.lr=1e-4 --set train.steps=6")
        .refused(
            "error: run `tiny` cannot be continued with another configuration:[..]
  model.dim: stored 16, now 32
[..]  optim.lr: stored 0.003, now 0.0001
[..]",
        );
    dir.run("run --name tiny --resume --set memory.kind=matrix").refused(
        "error: run `tiny` cannot be continued with another configuration:[..]  memory.kind: stored \"mlp\", now \"matrix\"[..]",
    );
    dir.run("run tiny.toml --resume --set train.steps=6").done();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    let whole = model(&dir, "tiny");
    dir.file(
        "runs/tiny/checkpoints/step-00000004/model.safetensors",
        "damaged",
    );
    let ran = dir.run("run tiny.toml --resume").done();
    assert!(ran.err.contains("step-00000004"), "it is said: {}", ran.err);
    assert!(whole == model(&dir, "tiny"));
}

#[test]
fn a_stored_configuration_that_was_edited_is_shown_with_its_line() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    let stored = dir.read("runs/tiny/config.toml");
    dir.file("runs/tiny/config.toml", format!("stesp = 1\n{stored}"));
    dir.run("run --name tiny --resume").refused(
        "error: unknown field `stesp`, expected [..]\n --> runs/tiny/config.toml:1:1  (stesp)[..]",
    );
    dir.run("run tiny.toml --resume")
        .refused("error: [..]runs/tiny/config.toml:1:1[..]");
}

#[test]
fn a_step_without_an_equals_sign_is_corrected() {
    let dir = Dir::tiny();
    let help = "  = help: to go on from a step, write `--resume=57`";
    for command in ["run --resume 57", "run --name tiny --resume 57"] {
        dir.run(command)
            .refused(&format!("error: there is no file `57`\n{help}"));
    }
    dir.run("run tiny.toml --resume 57")
        .refused(&format!("error: unexpected argument `57`\n{help}"));
}

#[test]
fn a_run_on_files_goes_on_from_another_folder() {
    let dir = Dir::tiny();
    dir.file("sub/corpus.txt", "The text of a corpus. ".repeat(200));
    dir.file("sub/v1.txt", "Some other text. ".repeat(100));
    let sub = dir.at("sub");
    let mut first = dir.command(
        "run ../tiny.toml --runs=../runs --name mine --set data=text --set data.path=./corpus.txt --set data.valid_path=v*.txt",
    );
    let output = first.current_dir(&sub).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let config = dir.read("runs/mine/config.toml");
    let sub = fs::canonicalize(&sub).unwrap();
    for (key, file) in [("path", "corpus.txt"), ("valid_path", "v*.txt")] {
        let line = format!("{key} = {:?}", sub.join(file).to_str().unwrap());
        assert!(
            config.lines().any(|found| found == line),
            "{line}\n{config}"
        );
    }
    dir.run("run --name mine --resume --set train.steps=5")
        .done();
    assert!(dir.at("runs/mine/checkpoints/step-00000005").is_dir());

    // From where it began, the file and its relative path are the same configuration.
    let mut again = dir.command(
        "run ../tiny.toml --runs=../runs --name mine --resume --set data=text --set data.path=corpus.txt --set data.valid_path=v*.txt --set train.steps=6",
    );
    let output = again.current_dir(dir.at("sub")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn model(dir: &Dir, run: &str) -> Vec<u8> {
    let file = format!("runs/{run}/checkpoints/step-00000004/model.safetensors");
    fs::read(dir.at(&file)).unwrap()
}
