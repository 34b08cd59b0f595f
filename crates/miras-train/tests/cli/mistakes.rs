//! Mistakes in files, in `--set` and on the command line.

use std::fs;

use crate::support::{Dir, Ran, TINY, repository};

#[test]
fn a_misspelled_key_is_shown_in_the_file_that_holds_it() {
    let dir = Dir::tiny();
    dir.file("base.toml", "[memory]\nkind = \"mlp\"\nexpansoin = 4\n");
    dir.file("child.toml", "extends = \"base.toml\"\n");
    let in_base = "
error: unknown field `expansoin`, expected one of [..]
 --> base.toml:3:1  (memory.expansoin)
  |
3 | expansoin = 4
  | ^^^^^^^^^
  = help: did you mean `expansion`?"
        .trim_start();
    for command in ["check", "show", "run"] {
        dir.run(&format!("{command} base.toml")).refused(in_base);
        dir.run(&format!("{command} child.toml")).refused(in_base);
    }

    dir.file(
        "own.toml",
        "extends = \"tiny.toml\"\n\n[train]\nstpes = 3\n",
    );
    dir.run("check own.toml").refused(
        "error: unknown field `stpes`, expected one of [..]
 --> own.toml:4:1  (train.stpes)
  |
4 | stpes = 3
  | ^^^^^
  = help: did you mean `steps`?",
    );
    dir.run("check tiny.toml --set optim.lrr=3").refused(
        "error: unknown field `lrr`, expected one of [..]
 --> --set:1:7  (optim.lrr)
  |
1 | optim.lrr=3
  |       ^^^
  = help: did you mean `lr`?",
    );
}

#[test]
fn sections_that_nobody_knows_are_refused() {
    let dir = Dir::new();
    dir.file("run.toml", "[modle]\ndim = 16\n");
    dir.run("check run.toml").refused(
        "error: unknown section `modle`, expected one of [..]
 --> run.toml:1:2  (modle)
  |
1 | [modle]
  |  ^^^^^
  = help: did you mean `model`?",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_underlined() {
    let dir = Dir::new();
    dir.file("run.toml", "[train]\nsteps = \"many\"\n");
    dir.run("check run.toml").refused(
        r#"error: expected an integer, found the string "many"
 --> run.toml:2:9  (train.steps)
  |
2 | steps = "many"
  |         ^^^^^^"#,
    );
    dir.run("check run.toml --set train.steps=1.5").refused(
        "error: expected an integer, found the number 1.5
 --> --set:1:13  (train.steps)
  |
1 | train.steps=1.5
  |             ^^^",
    );
}

#[test]
fn values_out_of_range_are_refused() {
    let dir = Dir::tiny();
    for (set, message) in [
        (
            "train.steps=0",
            "train.steps must be from 1 to 1000000000000, got 0",
        ),
        (
            "optim.lr=-1",
            "optim.lr must be above 0 and at most 1e38, got -1",
        ),
        ("model.dim=0", "dim must be 1 or more"),
        ("algorithm.chunk=0", "a chunk has from 1 to 65536 tokens"),
    ] {
        let expected = format!("error: {message}\n --> --set:1:[..]");
        dir.run(&format!("check tiny.toml --set {set}"))
            .refused(&expected);
    }
}

#[test]
fn text_that_is_no_toml_is_refused() {
    let dir = Dir::new();
    dir.file("run.toml", "[train\nsteps = 3\n");
    dir.run("check run.toml")
        .refused("error: [..]\n --> run.toml:1:[..]");
    dir.run("check run.toml --set steps").refused("error: [..]");
    dir.file("binary.toml", [0xff, 0xfe]);
    dir.run("check binary.toml")
        .refused("error: `binary.toml` is not UTF-8 text: see line 1");
}

#[test]
fn a_file_that_is_not_there_gets_a_suggestion() {
    let dir = Dir::tiny();
    for command in ["check", "show", "run"] {
        dir.run(&format!("{command} tiny"))
            .refused("error: there is no file `tiny`\n  = help: did you mean `tiny.toml`?");
    }
}

#[test]
fn heads_have_to_divide_the_width() {
    let dir = Dir::tiny();
    dir.run("check tiny.toml --set mixer.heads=3").refused(
        "error: model.dim = 16 is not a multiple of mixer.heads = 3
 --> --set:1:13  (mixer.heads)
  |
1 | mixer.heads=3
  |             ^
  = help: the nearest number of heads that divides it is 2",
    );
}

#[test]
fn data_that_cannot_be_used_is_shown_at_its_key() {
    let dir = Dir::new();
    dir.file("run.toml", format!("{TINY}\n[optim]\nlr = 1e-3\n"));
    dir.file("empty.txt", "");
    dir.file("binary.txt", [0, 1, 2, 3].repeat(1000));
    dir.file("short.txt", "short");
    dir.file("corpus.txt", "The text of a corpus. ".repeat(200));
    for command in ["check", "run"] {
        for (path, message) in [
            (
                "nothere.txt",
                "error: path: `nothere.txt` does not exist in `[..]`\n --> --set:1:11  (data.path)[..]",
            ),
            (
                "corpsu.txt",
                "error: path: `corpsu.txt` does not exist[..]`corpus.txt`[..]\n --> --set:1:11  (data.path)[..]",
            ),
            (
                "empty.txt",
                "error: path: `empty.txt` is empty: there is nothing to train on\n --> --set:1:11  (data.path)[..]",
            ),
            (
                "binary.txt",
                "error: path: `binary.txt` holds NUL bytes, the first at byte 0 (line 1), so it is no text; set allow_binary = true to train on its bytes all the same\n --> --set:1:11  (data.path)[..]",
            ),
            (
                "short.txt",
                "error: the training part has 4 bytes, but seq_len = 32 needs at least 33: use seq_len = 3 or less, or give more text\n  --> run.toml:11:11  (data.seq_len)[..]",
            ),
        ] {
            dir.run(&format!(
                "{command} run.toml --set data.kind=text --set data.path={path}"
            ))
            .refused(message);
        }
    }
    assert!(!dir.at("runs").exists(), "a refused run leaves nothing");
}

#[test]
fn devices_are_known_by_name() {
    let dir = Dir::tiny();
    let unknown = "error: unknown device `gpu`, expected one of auto, cpu, wgpu, cuda, tch, tch:cuda: did you mean `wgpu`?";
    dir.run("run tiny.toml --device gpu").refused(unknown);
    let in_file = format!("{unknown}\n --> --set:1:14  (train.device)[..]");
    dir.run("check tiny.toml --set train.device=gpu")
        .refused(&in_file);
    assert!(!dir.at("runs").exists(), "a refused run leaves nothing");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_compiled_in_names_its_feature() {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --device cuda").refused(
        "error: this program was built without the device `cuda`: use `cargo run -p miras-train --features cuda`, or --device cpu",
    );
}

#[test]
fn words_that_are_no_command_are_refused() {
    let dir = Dir::new();
    dir.run("rum").refused(
        "error: unrecognized subcommand 'rum'\n\n  tip: a similar subcommand exists: 'run'[..]",
    );
    dir.run("run --resume=soon").refused(
        "error: invalid value 'soon' for '--resume[=<STEP>]': give a step, as in --resume=200, or --resume alone for the newest[..]",
    );
    dir.run("run --progress loud")
        .refused("error: invalid value 'loud'[..]");
}

#[test]
fn a_name_has_to_be_one_of_a_folder() {
    let dir = Dir::tiny();
    for name in ["a/b", "..", ""] {
        let mut command = dir.command("run tiny.toml --name");
        let output = command.arg(name).output().unwrap();
        Ran::new(name, &output, dir.path())
            .refused(&format!("error: `{name}` cannot name a run: [..]"));
    }
    assert!(!dir.at("runs").exists(), "a refused run leaves nothing");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_failure_and_no_wrong_usage() {
    let dir = Dir::tiny();
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    dir.file("own.json", fs::read(fixture).unwrap());
    let text = format!("Anna has the red key of {}. ", dir.path().display());
    dir.file("corpus.txt", text.repeat(90));
    dir.file("file", "where a folder would have to be");
    let words = "check tiny.toml --set data={kind='text',path='corpus.txt',tokenizer='own.json',seq_len=32}";
    let mut command = dir.command(words);
    for place in ["XDG_CACHE_HOME", "HOME", "TMPDIR"] {
        command.env(place, dir.at("file"));
    }
    let ran = Ran::new(words, &command.output().unwrap(), dir.path()).ended(1);
    let said = "cannot write encoded text to `[DIR]/file/miras-rs`; set XDG_CACHE_HOME to a folder with room";
    assert!(ran.err.contains(said), "{}", ran.err);
    dir.run(words).done();
}
