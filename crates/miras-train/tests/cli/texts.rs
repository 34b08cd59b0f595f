//! Text of files: what is refused and said, and where a text ends.

use crate::support::{Dir, Ran};

/// Enough to write letters that are in the text.
const LEARNED: &str = "--set train.steps=150 --set optim.lr=1e-2 --set optim.warmup=5 --set eval.every=0 --set checkpoint.every=0";

/// A run on these data.
fn trained(dir: &Dir, data: &str) {
    dir.run(&format!("run tiny.toml {LEARNED} --set data={data}"))
        .done();
}

fn book(word: &str) -> String {
    let lines: Vec<String> = (0..200).map(|at| format!("{word} {at}. ")).collect();
    lines.concat()
}

#[test]
fn texts_of_records_are_read_and_refused_by_every_command_that_reads_text() {
    let dir = Dir::tiny();
    let line = |at| format!("{{\"id\": {at}, \"body\": \"Tom has {at} stones.\"}}\n");
    let records: String = (0..100).map(line).collect();
    dir.file("texts/a.txt", book("Anna"));
    dir.file("texts/b.jsonl", &records);
    dir.file("c.txt", &records);
    for command in ["check", "run"] {
        dir.run(&format!(
            "{command} tiny.toml --set data=text --set data.path=texts --set data.field=bdy"
        ))
        .refused("error: field: line 1 of `texts/b.jsonl` has no field \"bdy\", it has \"body\" and \"id\"; did you mean field = \"body\"?\n --> --set:1:12  (data.field)[..]");
        dir.run(&format!("{command} tiny.toml --set data=text --set data.path=c.txt"))
            .refused("error: path: `c.txt` is JSON lines under a name that does not end in .jsonl: [..] as by `mv c.txt c.jsonl`; set allow_binary = true to train on its bytes all the same\n --> --set:1:11  (data.path)[..]");
    }
    dir.run("check tiny.toml --set data=text --set data.path=texts --set data.field=body --set data.seq_len=32")
        .done();
    dir.run("check tiny.toml --set data.kind=jsonl --set data.path=c.txt")
        .refused("error: unknown data `jsonl`, expected one of [..]\n --> --set:1:11  (data.kind)[..]\n  = help: name .jsonl or .parquet files with data.kind = \"text\" and data.path[..]data.field");
    for name in ["parquet", "HuggingFaceFW/fineweb"] {
        let ran = dir.run(&format!("check --set data.kind={name}")).ended(2);
        assert!(
            ran.err.contains("data.kind = \"text\" and data.path"),
            "{}",
            ran.err
        );
    }
    dir.run("check tiny.toml --set data=text --set data.path=HuggingFaceFW/fineweb")
        .refused("error: path: `HuggingFaceFW/fineweb` does not exist; names on the Hugging Face Hub are not downloaded here: [..]");

    trained(&dir, "{kind='text',path='texts/a.txt',seq_len=32}");
    dir.run("eval tiny --data c.txt").refused(
        "error: --data: `c.txt` is JSON lines under [..]; add `--set data.allow_binary=true` to train on its bytes all the same",
    );
    dir.run("eval tiny --data c.txt --set data.allow_binary=true")
        .done();
    dir.run("eval tiny --data texts/b.jsonl").refused(
        "error: --data: line 1 of `texts/b.jsonl` has no field \"text\", it has \"body\" and \"id\"; did you mean --set data.field=\"body\"?",
    );
    dir.run("eval tiny --data texts/b.jsonl --set data.field=body")
        .done();
    dir.run("eval tiny --data c.txt --set data.seq_len=8")
        .refused(
            "error: `--set data.seq_len=8` changes the run's own data: leave it or --data out",
        );
    let raw = "--set data=text --set data.path=c.txt --set data.allow_binary=true";
    dir.run(&format!("check tiny.toml {raw}")).done();
}

#[test]
fn a_mixture_is_a_list_of_tables_that_trains_and_goes_on() {
    let dir = Dir::tiny();
    dir.file("a.txt", book("Anna"));
    dir.file("b.txt", book("Tom"));
    let mix = |weight: &str| {
        format!(
            "extends = 'tiny.toml'\n[data]\nkind = 'text'\nseq_len = 32\n[[data.mix]]\npath = 'a.txt'\nweight = 3\n[[data.mix]]\npath = 'b.txt'\n{weight}\n"
        )
    };
    for (weight, expected) in [
        (
            "wieght = 1.0",
            "error: unknown field `wieght`, expected one of `path`, `weight`, `field`\n[..]--> mix.toml:10:1  (data.mix[1].wieght)[..]did you mean `weight`?",
        ),
        (
            "weight = 0",
            "error: data.mix: source 2, b.txt, must have a weight above 0 and up to 1e12, got 0; leave a source out to train without it\n[..]--> mix.toml:[..]",
        ),
    ] {
        dir.file("mix.toml", mix(weight));
        dir.run("check mix.toml").refused(expected);
    }
    dir.file("mix.toml", mix("weight = 1.0"));
    dir.run("check mix.toml --set train.state=carry")
        .refused("error: train.state = \"carry\": the rows of a mixture are drawn from its sources one by one[..]");
    let ran = dir.run("check mix.toml").done();
    let said = "training rows are drawn by weight: 75.0% of `a.txt` (";
    assert!(
        ran.err.contains(said) || ran.out.contains(said),
        "{}",
        ran.err
    );
    dir.run("run mix.toml --name whole --set train.steps=8")
        .done();
    dir.run("run mix.toml --name parts --set train.steps=4")
        .done();
    // The sources may have moved, as long as they hold the same text.
    std::fs::rename(dir.at("a.txt"), dir.at("c.txt")).unwrap();
    dir.file("mix.toml", mix("weight = 1.0").replace("a.txt", "c.txt"));
    dir.run("run mix.toml --name parts --resume --set train.steps=8")
        .done();
    let weights = |name: &str| {
        let file = format!("runs/{name}/checkpoints/step-00000008/model.safetensors");
        std::fs::read(dir.at(&file)).unwrap()
    };
    assert!(weights("whole") == weights("parts"));
    dir.file("mix.toml", mix("weight = 2.0").replace("a.txt", "c.txt"));
    dir.run("run mix.toml --name parts --resume --set train.steps=9")
        .refused("error: run `parts` cannot be continued with another configuration:\n  data.mix.1.weight: [..]");
}

#[test]
fn a_tokenizer_of_bytes_is_written_for_other_programs() {
    let dir = Dir::tiny();
    dir.file("a.txt", book("Anna"));
    for (name, separator) in [("one", "\\n"), ("more", "<|end|>")] {
        let data = format!("{{kind='text',path='a.txt',seq_len=32,separator=\"{separator}\"}}");
        dir.run(&format!(
            "run tiny.toml --name {name} --set train.steps=1 --set data={data}"
        ))
        .done();
        let said = dir
            .run(&format!("tokenizer {name} --out {name}"))
            .done()
            .out;
        let is_token = name == "one";
        assert!(said.contains("256 bytes"), "{said}");
        assert_eq!(
            !is_token,
            said.contains("is 7 tokens, so there is no token"),
            "{said}"
        );
        assert!(
            dir.read(&format!("{name}/tokenizer.json"))
                .contains("\"merges\": []")
        );
        let config = dir.read(&format!("{name}/tokenizer_config.json"));
        assert_eq!(
            config.contains("\"eos_token\": \"\u{10a}\""),
            is_token,
            "{config}"
        );
    }
    let ran = dir.run("tokenizer one --out one").ended(2);
    assert!(ran.err.contains("is not empty"), "{}", ran.err);
}

#[test]
fn what_is_read_is_said_by_check_and_run() {
    let dir = Dir::tiny();
    dir.file("books/a.txt", book("Anna"));
    dir.file("books/b.txt", book("Tom").replace(". ", ".\r\n"));
    for command in ["check", "run"] {
        let ran = dir.run(&format!(
            "{command} tiny.toml --set data=text --set data.path=books/*.txt --set data.seq_len=32"
        ));
        let ran = ran.done();
        let said = ran.out + &ran.err;
        for note in [
            " 2 files with ",
            "; the validation part is the last ",
            "of `books/b.txt`",
            "in `books/b.txt` 200 lines end with CR LF",
        ] {
            assert!(said.contains(note), "{command}: {note}\n{said}");
        }
    }
}

#[test]
fn a_text_ends_at_a_stop_and_at_the_separator_of_its_run() {
    let dir = Dir::tiny();
    dir.file("a.txt", book("Anna"));
    dir.file("b.txt", book("Tom"));
    let say = |run: &str, words: &[&str]| -> String {
        let mut command = dir.command(&format!("generate {run} Anna --temperature 0"));
        let output = command
            .args(["--tokens", "60", "--no-echo"])
            .args(words)
            .output();
        Ran::new(run, &output.unwrap(), dir.path()).done().out
    };
    trained(&dir, "{kind='text',path=['a.txt','b.txt'],seq_len=32}");
    let whole = say("tiny", &[]);
    let text: Vec<char> = whole.trim_end_matches('\n').chars().collect();
    assert!(text.len() > 30, "{whole:?}");
    for (from, to) in [(5, 6), (9, 13), (20, 22)] {
        let stop: String = text[from..to].iter().collect();
        let before = whole.split(&stop).next().unwrap();
        assert_eq!(
            say("tiny", &["--stop", &stop]),
            format!("{before}\n"),
            "{stop:?}"
        );
        let stops = ["--stop", "never said", "--stop", &stop];
        assert_eq!(say("tiny", &stops), format!("{before}\n"), "{stop:?}");
    }
    assert_eq!(say("tiny", &["--stop", "never said"]), whole);
    assert_eq!(say("tiny", &["--stop", ""]), whole);

    // What the model of a run with a separator has often read.
    let separator = ". ";
    dir.run(&format!(
        "run tiny.toml --name parted {LEARNED} --set data={{kind='text',path=['a.txt','b.txt'],seq_len=32,separator=\".\\u0020\"}}"
    ))
    .done();
    let never = say("parted", &["--stop", ""]);
    let ended = say("parted", &[]);
    let (before, _) = never.split_once(separator).unwrap();
    assert_eq!(ended, format!("{before}\n"), "{separator:?} {never:?}");
    assert_eq!(say("parted", &["--stop", "never said"]), never);
}

#[test]
fn an_embedding_that_is_most_of_the_model_is_said() {
    let dir = Dir::tiny();
    dir.file("a.txt", book("Anna"));
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../miras-data/fixtures/stories-512.json"
    );
    for (dim, is_said) in [(16, true), (128, false)] {
        let ran = dir
            .run(&format!(
                "check tiny.toml --set model.dim={dim} --set data={{kind='text',path='a.txt',tokenizer='{fixture}',seq_len=16}}"
            ))
            .done();
        let note = "are the embedding of 512 tokens: ";
        assert_eq!(ran.out.contains(note), is_said, "{}", ran.out);
    }
}
