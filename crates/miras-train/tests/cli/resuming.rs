//! `--resume`.

use std::fs;

use crate::support::{Dir, Ran, repository};

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

/// A way to change a file, in words and as a function of its text.
type Edit = (&'static str, fn(&str) -> String);

#[test]
fn a_stored_configuration_that_was_edited_or_cut_is_refused_by_all_that_read_it() {
    const EDITS: [Edit; 5] = [
        ("another value", |text| {
            text.replace("lr = 0.003", "lr = 0.004")
        }),
        ("a key more", |text| format!("stesp = 1\n{text}")),
        ("a comment", |text| format!("{text}# mine\n")),
        ("cut at a line's end", |text| {
            let lines: Vec<&str> = text.lines().collect();
            lines[..lines.len() - 3].join("\n") + "\n"
        }),
        ("empty", |_| String::new()),
    ];
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    dir.run("export tiny --out sub/out").done();
    for (folder, verb) in [("runs/tiny", "written"), ("sub/out", "exported")] {
        let file = format!("{folder}/config.toml");
        let stored = dir.read(&file);
        for (how, edit) in EDITS {
            let edited = edit(&stored);
            assert_ne!(edited, stored, "{how}");
            dir.file(&file, &edited);
            let mut commands = vec![
                format!("eval {folder}"),
                format!("generate {folder} Anna"),
                format!("export {folder} --out again"),
            ];
            if verb == "written" {
                commands.push("run --name tiny --resume --set train.steps=6".to_owned());
                commands.push("run tiny.toml --resume".to_owned());
            }
            for command in commands {
                dir.run(&command).refused(&format!(
                    "error: {file} was changed or cut since it was {verb} (SHA-256 differs): restore it[..] by a new run, `run {file} --name OTHER`[..]"
                ));
            }
            assert_eq!(dir.read(&file), edited, "{how}: it stays as it was");
        }
        dir.file(&file, &stored);
    }
    // What the message says helps.
    dir.file(
        "runs/tiny/config.toml",
        EDITS[0].1(&dir.read("sub/out/config.toml")),
    );
    dir.run("run runs/tiny/config.toml --name other").done();
    assert!(dir.read("runs/other/config.toml").contains("lr = 0.004"));
    dir.file("runs/tiny/config.toml", dir.read("sub/out/config.toml"));
    dir.run("run --name tiny --resume --set train.steps=6")
        .done();
    dir.run("eval tiny").done();
}

#[test]
fn a_run_of_an_earlier_version_whose_record_has_no_checksum_is_used_with_a_note() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    let record = dir.read("runs/tiny/run.json");
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let fields = record.as_object_mut().unwrap();
    assert!(fields.remove("seal").is_some() && fields.remove("config").is_some());
    dir.file("runs/tiny/run.json", record.to_string());
    fs::remove_dir_all(dir.at("runs/tiny/tokenizer")).unwrap();
    let note = "runs/tiny/config.toml has no checksum, so it is not verified\n";
    let ran = dir.run("generate tiny Anna --tokens 2").done();
    assert_eq!(ran.err, format!("note: {note}"));
    let ran = dir
        .run("run --name tiny --resume --set train.steps=6")
        .done();
    assert!(ran.err.contains(&format!("note     {note}")), "{}", ran.err);
    // It has what it lacked now.
    assert!(dir.at("runs/tiny/tokenizer/miras_tokenizer.json").is_file());
    assert_eq!(dir.run("generate tiny Anna --tokens 2").done().err, "");
}

#[test]
fn a_damaged_line_of_metrics_is_refused_with_its_number_before_anything_changes() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml").done();
    let whole = dir.read("runs/tiny/metrics.jsonl");
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() > 2);
    let config = dir.read("runs/tiny/config.toml");
    for (number, damage) in [(1, ""), (2, "{\"step\":"), (lines.len(), "\0\0")] {
        let mut lines = lines.clone();
        let half = &lines[number - 1][3..];
        lines[number - 1] = if damage.is_empty() { half } else { damage };
        dir.file("runs/tiny/metrics.jsonl", lines.join("\n") + "\n");
        let ran = dir
            .run("run --name tiny --resume --set train.steps=6")
            .ended(1);
        let said = format!("error: line {number} of `runs/tiny/metrics.jsonl` is damaged: ");
        assert!(ran.err.contains(&said), "{}", ran.err);
        assert!(
            ran.err.contains("restore the file, or delete this line"),
            "{}",
            ran.err
        );
        assert_eq!(dir.read("runs/tiny/config.toml"), config);
        assert!(dir.at("runs/tiny/summary.json").is_file());
    }
    // A torn last line is what a kill leaves.
    dir.file(
        "runs/tiny/metrics.jsonl",
        format!("{whole}{{\"step\": 5, \"tr"),
    );
    dir.run("run --name tiny --resume --set train.steps=6")
        .done();
    for line in dir.read("runs/tiny/metrics.jsonl").lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

/// A text, one for validation, a tokenizer and weights in `given/`.
fn with_data(dir: &Dir) -> String {
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    dir.file("given/own.json", fs::read(fixture).unwrap());
    let line = |n: u32| format!("On day {n} Anna put the {} key under the lamp.\n", n * n);
    dir.file("given/corpus.txt", (0..300).map(line).collect::<String>());
    dir.file("given/valid.txt", (300..400).map(line).collect::<String>());
    let data = "{kind='text',path='given/corpus.txt',valid_path='given/valid.txt',tokenizer='given/own.json',seq_len=32}";
    dir.run(&format!("run tiny.toml --name first --set data={data}"))
        .done();
    dir.run("export first --out given/weights").done();
    dir.file("other.txt", "Some other text. ".repeat(300));
    format!("run tiny.toml --name mine --set train.init_from=given/weights --set data={data}")
}

#[test]
fn data_that_moved_are_known_by_their_content() {
    let dir = Dir::tiny();
    let command = with_data(&dir);
    dir.run(&command).done();
    let whole = model(&dir, "mine");
    fs::rename(dir.at("given"), dir.at("moved")).unwrap();
    dir.run("run --name mine --resume=2").refused(
        "error: path: `[DIR]/given/corpus.txt` does not exist[..]
[..]--> runs/mine/config.toml:[..]  (data.path)[..]
[..]= help: if it was moved, say where it is with `--set data.path=PATH`",
    );
    let moved = "--set data.path=moved/corpus.txt --set data.valid_path=moved/valid.txt";
    for (more, said) in [
        (
            "--set data.path=other.txt",
            "error: the data of run `mine` changed: ",
        ),
        ("--set data.valid_path=moved/corpus.txt", ""),
        (
            "--set data.tokenizer=bytes",
            "error: data.tokenizer: the tokenizer of run `mine` changed",
        ),
        (
            "--set train.init_from=moved/nothing",
            "error: cannot use the weights in moved/nothing: ",
        ),
        (
            "--set train.init_from=runs/mine/checkpoints/step-00000004",
            "error: cannot use the weights in [..]",
        ),
        (
            "--set optim.lr=0.5",
            "error: run `mine` cannot be continued with another configuration:",
        ),
    ] {
        let ran = dir.run(&format!("run --name mine --resume=2 {moved} {more}"));
        assert_ne!(ran.code, Some(0), "{more}");
        let said = said.trim_end_matches("[..]");
        assert!(ran.err.contains(said), "{more}: {}", ran.err);
        assert!(
            dir.read("runs/mine/config.toml")
                .contains("/given/corpus.txt"),
            "{more}"
        );
    }
    let more = "--set data.tokenizer=moved/own.json --set train.init_from=moved/weights";
    dir.run(&format!("run --name mine --resume=2 {moved} {more}"))
        .done();
    assert!(
        whole == model(&dir, "mine"),
        "steps 3 and 4 are the same again"
    );
    let config = dir.read("runs/mine/config.toml");
    let here = fs::canonicalize(dir.path()).unwrap();
    for (key, file) in [
        ("path", "moved/corpus.txt"),
        ("valid_path", "moved/valid.txt"),
        ("tokenizer", "moved/own.json"),
        ("init_from", "moved/weights"),
    ] {
        let line = format!("{key} = {:?}", here.join(file).to_str().unwrap());
        assert!(
            config.lines().any(|found| found == line),
            "{line}\n{config}"
        );
    }
    dir.run("eval mine").done();
    dir.run("run --name mine --resume --set train.steps=5")
        .done();
}

#[test]
fn a_run_that_has_no_checkpoint_yet_knows_its_data_and_first_weights_too() {
    let dir = Dir::tiny();
    let command = with_data(&dir);
    dir.run(&command).done();
    let whole = model(&dir, "mine");
    fs::remove_dir_all(dir.at("runs/mine/checkpoints")).unwrap();
    fs::rename(dir.at("given"), dir.at("moved")).unwrap();
    let moved = "--set data.path=moved/corpus.txt --set data.valid_path=moved/valid.txt";
    for (from, said) in [
        (
            "first/checkpoints/step-00000002",
            "the run began with others",
        ),
        ("nothing", "error: cannot use the weights in runs/nothing: "),
    ] {
        let ran = dir.run(&format!(
            "run --name mine --resume {moved} --set train.init_from=runs/{from}"
        ));
        assert!(ran.code != Some(0) && ran.err.contains(said), "{}", ran.err);
    }
    let other = moved.replace("moved/corpus.txt", "other.txt");
    let ran = dir.run(&format!(
        "run --name mine --resume {other} --set train.init_from=moved/weights"
    ));
    let said = "error: the data of run `mine` changed: ";
    assert!(ran.err.contains(said), "{}", ran.err);
    // The weights of the export are those of a checkpoint as well.
    dir.run(&format!(
        "run --name mine --resume {moved} --set train.init_from=runs/first/checkpoints/step-00000004"
    ))
    .done();
    assert!(whole == model(&dir, "mine"));
}

#[test]
fn a_project_that_moved_goes_on_with_its_relative_paths_and_its_own_tokenizer() {
    let dir = Dir::tiny();
    dir.file(
        "a/corpus.txt",
        "Anna put the red key under the lamp.\n".repeat(300),
    );
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    dir.file("a/own.json", fs::read(fixture).unwrap());
    let data = "[data]\nkind = 'text'\npath = 'corpus.txt'\ntokenizer = 'own.json'\n";
    dir.file("a/on.toml", format!("extends = '../tiny.toml'\n{data}"));
    let inside = |folder: &str, words: &str| {
        let output = dir.command(words).current_dir(dir.at(folder)).output();
        Ran::new(words, &output.unwrap(), dir.path())
    };
    inside("a", "run on.toml").done();
    fs::rename(dir.at("a"), dir.at("b")).unwrap();
    inside("b", "run on.toml --resume --set train.steps=5").done();
    let config = dir.read("b/runs/on/config.toml");
    assert!(
        config.contains("/b/corpus.txt") && config.contains("/b/own.json"),
        "{config}"
    );
    // The tokenizer is in the run's folder: whether the original is there does not matter, nor
    // what it is now.
    fs::rename(dir.at("b/own.json"), dir.at("b/other.json")).unwrap();
    inside("b", "run on.toml --resume --set train.steps=6").done();
    dir.file("b/own.json", dir.read("b/other.json") + "\n");
    let ran = inside("b", "run --name on --resume --set train.steps=7").done();
    let note = "/b/own.json` changed since, so the copy in runs/on/tokenizer is used";
    assert!(ran.err.contains(note), "{}", ran.err);
    // Whoever asks for another one is told.
    dir.file("b/new.json", dir.read("b/other.json") + "\n");
    let ran = inside("b", "run --name on --resume --set data.tokenizer=new.json").ended(2);
    let said = "error: data.tokenizer: the tokenizer of run `on` changed";
    assert!(ran.err.contains(said), "{}", ran.err);
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
