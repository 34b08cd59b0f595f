//! What is done with a trained run.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{Dir, Ran, program, repository};

fn trained() -> Dir {
    let dir = Dir::tiny();
    dir.run("run tiny.toml --set checkpoint.keep_last=9").done();
    dir
}

/// With text on the input.
fn fed(dir: &Dir, words: &str, input: &str) -> Ran {
    let mut command: Command = program();
    command
        .current_dir(dir.path())
        .args(words.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Ran::new(words, &child.wait_with_output().unwrap(), dir.path())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn eval_prints_a_table_and_leaves_a_report_that_agrees_with_the_run() {
    let dir = trained();
    let ran = dir.run("eval tiny").done();
    for word in [
        "run      tiny at step 4, memory live, on cpu",
        "read     2 rows of 32 tokens in 1 stretch\n",
        "\nposition",
        "\n0 to 15 ",
        "\n16 to 31 ",
        "\nall ",
        "\nreport in runs/tiny/eval-32-live.json",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    assert_eq!(ran.err, "");
    let report = json(&dir.read("runs/tiny/eval-32-live.json"));
    assert_eq!(
        (&report["schema"], &report["version"]),
        (&"miras_eval".into(), &2.into())
    );
    let summary = json(&dir.read("runs/tiny/summary.json"));
    for (of_report, of_run) in [
        ("loss", "eval/loss"),
        ("bits_per_byte", "eval/bits_per_byte"),
    ] {
        let trained = summary["metrics"][of_run].as_f64().unwrap();
        let found = report[of_report].as_f64().unwrap();
        assert!((trained - found).abs() < 1e-6, "{trained} and {found}");
    }

    let words = "eval runs/tiny/ --step 2 --memory frozen --length 64 --batch 1 --tokens all \
                 --out other.json --json";
    let ran = dir.run(words).done();
    let report = json(&ran.out);
    assert_eq!(report, json(&dir.read("other.json")));
    assert_eq!(
        (&report["step"], &report["memory"], &report["length"]),
        (&2.into(), &"frozen".into(), &64.into())
    );
    // Every byte of the validation part but the first.
    assert_eq!(
        report["tokens"],
        report["data"]["bytes"].as_u64().unwrap() - 1
    );
}

#[test]
fn eval_reads_any_text_and_changes_data_alone() {
    let dir = trained();
    dir.file("a.txt", "one text and ".repeat(9));
    dir.file("b.txt", "another, somewhat longer. ".repeat(9));
    let report = json(
        &dir.run("eval tiny --data a.txt b.txt --json --tokens all")
            .done()
            .out,
    );
    assert_eq!(report["tokens"], 13 * 9 + 26 * 9 - 1);
    assert_eq!(report["data"]["name"], "a.txt, b.txt");

    dir.run("eval tiny --data nope.txt")
        .refused("error: --data: `nope.txt` does not exist[..]");
    dir.run("eval tiny --data a.txt --length 500").refused(
        "error: the text has 117 bytes, and a row of 500 tokens needs 501: use `--length 116` or less",
    );
    dir.run("eval tiny --set model.dim=3").refused(
        "error: `--set model.dim=3`: an evaluation changes keys of [data] alone; the model is what it was trained as",
    );
    dir.run("eval tiny --set data.seq=3").refused(
        "error: unknown field `seq`, expected [..]
 --> --set:1:6  (data.seq)
  |
1 | data.seq=3
  |      ^^^[..]",
    );
    for data in ["", " --data a.txt"] {
        let ran = dir.run(&format!("eval tiny{data} --length 0")).ended(2);
        assert!(ran.err.contains("give 1 or more"), "{}", ran.err);
    }
    dir.run("eval tiny --data a.txt --length 16777217")
        .refused("error: --length: must be from 1 to 16777216 tokens, got 16777217");
    dir.run("eval tiny --length 16777217").refused(
        "error: data.seq_len: must be from 1 to 16777216 tokens, got 16777217
 --> --length:1:1  (data.seq_len)
  |
1 | 16777217
  | ^^^^^^^^",
    );
}

#[test]
fn a_run_that_is_not_there_lists_those_that_are() {
    let dir = trained();
    for command in ["eval tina", "generate tina x", "export tina --out x"] {
        dir.run(command)
            .refused("error: there is no run folder runs/tina: did you mean `tiny`?");
    }
    dir.run("eval something --runs runs")
        .refused("error: there is no run folder runs/something: the runs there are tiny");
    dir.run("eval elsewhere/x")
        .refused("error: there is no run folder elsewhere/x: there is no run at all beside it");
    dir.run("eval tiny --step 3")
        .refused("error: runs/tiny has no checkpoint of step 3: choose one of 2, 4");
    let ran = dir.run("eval tiny --step soon").ended(2);
    assert!(
        ran.err.contains("give a step, `best` or `latest`"),
        "{}",
        ran.err
    );
    dir.run("eval tiny --device abacus")
        .refused("error: unknown device `abacus`, expected one of [..]");
}

#[test]
fn generate_is_decided_by_prompt_and_seed() {
    let dir = trained();
    dir.file("prompt.txt", "Once");
    let say = |words: &str| {
        dir.run(&format!("generate tiny {words} --tokens 30"))
            .done()
            .out
    };
    let first = say("Once --temperature 1");
    assert_eq!(first, say("Once --temperature 1 --seed 1"));
    // The prompt is written again in front of what follows; a file and the input are not.
    let follows = say("Once --temperature 1 --no-echo");
    assert_eq!(first, format!("Once{follows}"));
    assert_eq!(follows, say("--prompt-file prompt.txt --temperature 1"));
    assert_eq!(
        follows,
        fed(&dir, "generate tiny --temperature 1 --tokens 30", "Once")
            .done()
            .out
    );
    assert_ne!(first, say("Once --temperature 1 --seed 2"));
    let greedy = say("Once --temperature 0");
    assert_eq!(greedy, say("Once --top-k 1 --seed 5"));
    assert_eq!(greedy, say("Once --top-p 1e-9 --seed 6"));
    assert!(greedy.ends_with('\n'));

    dir.run("generate tiny").refused(
        "error: there is nothing to go on with
  = help: give a PROMPT, --prompt-file, --state, or text on the input",
    );
    dir.run("generate tiny x --top-p 0")
        .refused("error: --top-p must be above 0 and at most 1, got 0");
    dir.run("generate tiny x --temperature -1")
        .refused("error: --temperature must be 0 or more, got -1");
    dir.run("generate tiny x --memory reset")
        .refused("error: invalid value 'reset' for '--memory <MEMORY>'[..]");
    let help = dir.run("generate --help").done().out;
    assert!(help.contains("frozen") && !help.contains("reset"), "{help}");
    let ran = dir.run("generate tiny --prompt-file nope.txt").ended(1);
    assert!(
        ran.err.starts_with("error: cannot read nope.txt: "),
        "{}",
        ran.err
    );
}

#[test]
fn generate_talks_line_by_line() {
    let dir = trained();
    let words = "generate tiny --interactive --tokens 5 --temperature 0";
    let ran = fed(
        &dir,
        words,
        "Mara\n/state\n/help\n/reset\n/state\n/quit\nnever read\n",
    )
    .done();
    for word in [
        "a line is read and gone on with; /reset, /state, /help, /quit\n> ",
        "\n> 10 tokens read; the state holds ",
        "\nlayer 0  norm ",
        "> at the beginning of a text\n",
        "> 0 tokens read; the state holds 0 numbers\n",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    // The end of the input is an end as well.
    fed(&dir, words, "Mara\n").done();

    // What begins with a slash and is no command is a text.
    let ran = fed(&dir, words, "/usr/bin is a folder\n/state\n//x\n/state\n").done();
    for word in ["> 26 tokens read", "> 35 tokens read"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

#[test]
fn a_prompt_may_begin_with_a_dash() {
    let dir = trained();
    let say = |prompt: &[&str]| {
        let mut command = dir.command("generate tiny --tokens 5");
        let output = command.args(prompt).output().unwrap();
        Ran::new(prompt.join(" "), &output, dir.path())
    };
    for prompt in ["- Tom said", "-", "--", "-1", "--- a line", "-x", "--- "] {
        let words: &[&str] = if prompt == "--" {
            &["--", "--"]
        } else {
            &[prompt]
        };
        let ran = say(words).done();
        assert!(ran.out.starts_with(prompt), "{prompt}: {}", ran.out);
    }
    assert!(
        say(&["- Tom", "--tokens", "2"])
            .ended(2)
            .err
            .contains("--tokens")
    );
    assert!(say(&["--", "--tokns"]).done().out.starts_with("--tokns"));
    say(&["--tokns"]).refused(
        "error: unexpected argument `--tokns`
  = help: did you mean `--tokens`? to use it as the prompt, write it last, after `--`",
    );
}

#[test]
fn a_state_is_not_written_over_unasked() {
    let dir = trained();
    dir.file("text.txt", "Tom keeps nine stones. ");
    let save = "state save tiny --text text.txt --out s.safetensors";
    dir.run(save).done();
    let taken = "error: s.safetensors is there already
  = help: choose another name, or write over it with --force";
    dir.run(save).refused(taken);
    dir.run("generate tiny x --save-state s.safetensors")
        .refused(taken);
    dir.run(&format!("{save} --force")).done();
    dir.run("generate tiny x --tokens 2 --save-state s.safetensors --force")
        .done();
}

#[test]
fn a_state_is_saved_looked_at_and_gone_on_from() {
    let dir = trained();
    dir.file("text.txt", "Tom keeps nine stones. ");
    let ran = dir
        .run("state save tiny --text text.txt --out s.safetensors")
        .done();
    assert!(
        ran.out
            .starts_with("23 tokens read; state in s.safetensors, "),
        "{}",
        ran.out
    );
    let info = dir.run("state info s.safetensors").done().out;
    for word in [
        "file     s.safetensors, schema miras_state version 1\n",
        "made by  run tiny at step 4, weights sha256:",
        "read     23 tokens, 1 row\n",
        "layers.0.maps.0.weights  [1, 2, 8, 16]",
        "next.logits  [256]",
    ] {
        assert!(info.contains(word), "{word}: {info}");
    }
    let ran = dir.run("state load tiny s.safetensors").done();
    assert!(
        ran.out
            .starts_with("s.safetensors fits tiny at step 4: 23 tokens read; "),
        "{}",
        ran.out
    );

    // A text in one go, and stopped and gone on with.
    let before = fs::read(dir.at("s.safetensors")).unwrap();
    let say = |words: &str| dir.run(&format!("generate tiny {words}")).done();
    let whole = say("--prompt-file text.txt --tokens 20").out;
    assert_eq!(whole, say("--state s.safetensors --tokens 20").out);
    assert_ne!(whole, say("--state s.safetensors --tokens 20 --seed 2").out);
    let first = say("--state s.safetensors --tokens 8 --save-state t.safetensors");
    assert_eq!(first.err, "state at position 31 in t.safetensors\n");
    assert!(before == fs::read(dir.at("s.safetensors")).unwrap());
    say("--state t.safetensors --tokens 12 --memory frozen");

    dir.run("eval tiny --state s.safetensors --out of-state.json")
        .done();
    let report = json(&dir.read("of-state.json"));
    assert_eq!(report["state"]["position"], 23);

    dir.run("state load tiny s.safetensors --step 2").refused(
        "error: cannot go on from s.safetensors: the state was made by step 4 of run `tiny` (weights [..]), not by these weights ([..])",
    );
    let mut bytes = before;
    *bytes.last_mut().unwrap() ^= 1;
    dir.file("s.safetensors", bytes);
    for words in [
        "state info s.safetensors",
        "state load tiny s.safetensors",
        "generate tiny --state s.safetensors",
        "eval tiny --state s.safetensors",
    ] {
        dir.run(words).refused(
            "error: cannot go on from s.safetensors: the file of the state is damaged: its values are not those that were saved (SHA-256 differs)",
        );
    }
    dir.run("generate tiny x --memory frozen --save-state u.safetensors").refused(
        "error: a frozen memory holds nothing of the text, so there is no state to save: leave --save-state out, or use --memory live",
    );
}

#[test]
fn an_export_starts_another_run_that_goes_on_without_it() {
    let dir = trained();
    let ran = dir.run("export tiny --step 2 --out out/weights").done();
    assert_eq!(
        ran.out,
        "tiny at step 2 in out/weights; start a run with it by `--set train.init_from=out/weights`\n"
    );
    let facts = json(&dir.read("out/weights/export.json"));
    assert_eq!((&facts["step"], &facts["tokens"]), (&2.into(), &128.into()));
    assert_eq!(
        dir.read("out/weights/config.toml"),
        dir.read("runs/tiny/config.toml")
    );
    dir.run("export tiny --out out/weights")
        .refused("error: out/weights is not empty: choose another folder with --out");
    dir.run("eval out/weights").done();

    let from = "--set train.init_from=out/weights";
    let ran = dir
        .run(&format!("run tiny.toml --name second {from}"))
        .done();
    assert!(
        ran.err.contains("start    with the weights of out/weights"),
        "{}",
        ran.err
    );
    fs::remove_dir_all(dir.at("out")).unwrap();
    let ran = dir
        .run("run --name second --resume --set train.steps=6")
        .done();
    assert!(!ran.err.contains("start    with"), "{}", ran.err);

    dir.run(&format!("run tiny.toml {from}")).refused(
        "error: cannot use the weights in out/weights: No such file or directory (os error 2)
 --> --set:1:17  (train.init_from)
  |
1 | train.init_from=out/weights
  |                 ^^^^^^^^^^^
  = help: init_from is a model.safetensors, or a folder with one: a checkpoint, or what `miras-train export` writes",
    );
    dir.run("check tiny.toml --set train.init_from=runs/tiny").refused(
        "error: cannot use the weights in runs/tiny/model.safetensors: [..]
 --> --set:1:17  (train.init_from)
  |
1 | train.init_from=runs/tiny
  |                 ^^^^^^^^^
  = help: init_from is [..] writes; `runs/tiny` is a run, whose weights `miras-train export` takes out",
    );
    dir.file(
        "from.toml",
        "extends = \"tiny.toml\"\n\n[model]\nlayers = 2\n\n[train]\ninit_from = \"runs/tiny/checkpoints/step-00000004\"\n",
    );
    dir.run("check from.toml").refused(
        "error: cannot use the weights in runs/tiny/checkpoints/step-00000004/model.safetensors: `blocks.1.mixer_norm.gamma` is missing; [..]
 --> from.toml:7:13  (train.init_from)
  |
7 | init_from = \"runs/tiny/checkpoints/step-00000004\"
  |             ^[..]",
    );
}

#[test]
fn recall_is_evaluated_by_load() {
    let dir = Dir::tiny();
    dir.run(
        "run tiny.toml --set data=mqar --set data.seq_len=64 --set data.pairs=4 --set data.gap=8",
    )
    .done();
    let out = dir.run("eval tiny --pairs 2,8").done().out;
    assert!(
        out.contains("\npairs ") && out.contains("\n2  ") && out.contains("\n8  "),
        "{out}"
    );
    assert!(!out.contains("bits/byte"), "{out}");
    let ran = dir.run("eval tiny --pairs 40").ended(2);
    assert!(
        ran.err
            .contains(" --> --pairs:1:1  (data.pairs)\n  |\n1 | 40\n  | ^^\n"),
        "{}",
        ran.err
    );
    dir.run("generate tiny x")
        .refused("error: the run was trained on data.kind = \"mqar\", whose tokens are no text");
}

#[test]
fn a_changed_tokenizer_is_refused_by_all_that_read_text() {
    let dir = Dir::tiny();
    let fixture = repository().join("crates/miras-data/fixtures/stories-512.json");
    let json = fs::read_to_string(fixture).unwrap();
    dir.file("own.json", &json);
    dir.file(
        "corpus.txt",
        "Anna put the red key under the lamp.\n".repeat(400),
    );
    // Tokens of a text are kept from run to run: this one is new.
    let text = format!("Anna has the red key of {}. ", dir.path().display());
    dir.file("a.txt", text.repeat(40));
    dir.run(
        "run tiny.toml --set data={kind='text',path='corpus.txt',tokenizer='own.json',seq_len=32}",
    )
    .done();
    let ran = dir.run("eval tiny --data a.txt").done();
    assert!(ran.err.starts_with("note: encoded "), "{}", ran.err);
    dir.run("generate tiny Anna --tokens 3").done();
    dir.run("export tiny --out weights").done();
    let said = dir.run("generate tiny Anna --tokens 3").done().out;
    // The copy in the folder is what counts.
    dir.file("own.json", json.clone() + "\n");
    for folder in ["tiny", "weights"] {
        let ran = dir
            .run(&format!("generate {folder} Anna --tokens 3"))
            .done();
        assert_eq!(ran.out, said);
        assert!(
            ran.err.starts_with("note: data.tokenizer: `") && ran.err.contains("changed since"),
            "{}",
            ran.err
        );
        dir.run(&format!("eval {folder} --data a.txt")).done();
    }
    // A tokenizer that is somebody else's, whole.
    let other = json.clone() + "\n\n";
    for folder in ["runs/tiny", "weights"] {
        fs::remove_file(dir.at(&format!("{folder}/tokenizer/miras_tokenizer.json"))).unwrap();
        dir.file(&format!("{folder}/tokenizer/tokenizer.json"), &other);
    }
    for words in [
        "generate tiny Anna",
        "generate weights Anna",
        "state save tiny --text a.txt --out s.safetensors",
        "eval tiny",
        "eval tiny --data a.txt",
    ] {
        let ran = dir.run(words).ended(2);
        let said = "error: data.tokenizer: the model of run `tiny` knows the tokens of another tokenizer: it was trained with tokenizer-sha256:";
        assert!(ran.err.contains(said), "{words}: {}", ran.err);
    }
    // Without any, it is said where to put it.
    for folder in ["runs/tiny", "weights"] {
        fs::remove_dir_all(dir.at(&format!("{folder}/tokenizer"))).unwrap();
    }
    fs::remove_file(dir.at("own.json")).unwrap();
    let ran = dir.run("generate weights Anna").ended(1);
    assert_eq!(ran.err.matches("does not exist").count(), 1, "{}", ran.err);
    assert!(ran.err.ends_with("weights/tokenizer\n"), "{}", ran.err);
    dir.file("weights/tokenizer/tokenizer.json", &json);
    assert_eq!(dir.run("generate weights Anna --tokens 3").done().out, said);
}

#[test]
fn damaged_weights_do_not_begin_a_run_and_unknown_ones_are_said_to_be_unverified() {
    let dir = trained();
    dir.run("export tiny --out out").done();
    let from = "run tiny.toml --name next --set train.init_from=";
    fs::copy(dir.at("out/model.safetensors"), dir.at("plain.safetensors")).unwrap();
    let mut bytes = fs::read(dir.at("out/model.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    dir.file("out/model.safetensors", &bytes);
    for path in ["out", "out/model.safetensors"] {
        dir.run(&format!("{from}{path}")).refused(
            "error: out/model.safetensors is damaged or was replaced: its SHA-256 is [..], and export.json beside it says [..]; restore it, or export the run again
 --> --set:1:17  (train.init_from)[..]",
        );
    }
    let ran = dir.run("eval out").ended(1);
    assert!(
        ran.err
            .contains("out/model.safetensors is damaged or was replaced: "),
        "{}",
        ran.err
    );
    let ran = dir.run(&format!("{from}plain.safetensors")).done();
    assert!(
        ran.err.contains("note     there is no checksum beside plain.safetensors, so its weights are not verified\n"),
        "{}",
        ran.err
    );
    let ran = dir
        .run("run tiny.toml --name third --set train.init_from=runs/tiny/checkpoints/step-00000004")
        .done();
    assert!(!ran.err.contains("not verified"), "{}", ran.err);
}

#[test]
fn what_an_export_lost_is_named() {
    let dir = trained();
    dir.run("export tiny --out out").done();
    let begin = "run tiny.toml --name next --set train.init_from=out";
    for (file, said) in [
        ("export.json", "out/export.json is missing, which says what"),
        ("config.toml", "out/config.toml is missing: restore it; "),
    ] {
        let file = dir.at(&format!("out/{file}"));
        let whole = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        for words in ["eval out", "generate out Anna", "export out --out next"] {
            let ran = dir.run(words).ended(1);
            assert!(ran.err.contains(said), "{words}: {}", ran.err);
        }
        fs::write(&file, whole).unwrap();
    }
    // Who begins with its weights is told of a configuration that is not theirs.
    let config = dir.read("out/config.toml");
    dir.file("out/config.toml", config.replace("dim = 16", "dim = 32"));
    dir.run(begin).refused(
        "error: out/config.toml was changed or cut since it was exported (SHA-256 differs): [..]
 --> --set:1:17  (train.init_from)[..]",
    );
    dir.file("out/config.toml", config);
    dir.run(begin).done();
}

#[test]
fn an_export_leaves_nothing_half_done() {
    let dir = trained();
    dir.file("in/the", "way");
    dir.run("export tiny --out in/the/out").ended(1);
    dir.run("export tiny --out in/new").done();
    let mut names: Vec<_> = (fs::read_dir(dir.at("in")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["new", "the"]);
    fs::create_dir(dir.at("in/empty")).unwrap();
    dir.run("export tiny --out in/empty").done();
    dir.run("eval in/empty").done();
    fs::create_dir(dir.at("in/here")).unwrap();
    let mut command = dir.command("export tiny --runs ../../runs --out .");
    let output = command.current_dir(dir.at("in/here")).output().unwrap();
    Ran::new("export", &output, dir.path())
        .refused("error: --out is the working directory: name a folder in it");
}
