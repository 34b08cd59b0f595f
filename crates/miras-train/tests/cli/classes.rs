//! Classification: labelled sequences are trained on, measured, compared and exported.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::support::Dir;

const SMALL: &str = "--set model.dim=16 --set model.layers=1 --set model.ffn_dim=32 --set data.seq_len=24 \
    --set train.batch=8 --set optim.warmup=1 --set optim.decay_steps=40 --set eval.every=2 \
    --set eval.tokens=100000 --set checkpoint.every=2";

/// Sequences of three classes: `one` and `two` are told apart by a motif somewhere in the sequence,
/// `none` has neither.
pub(crate) fn table() -> String {
    let mut state = 11_u32;
    let mut below = |count: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % count
    };
    let mut text = "label,name,sequence\n".to_owned();
    for number in 0..240 {
        let len = 16 + below(9) as usize;
        let mut letters: Vec<u8> = (0..len).map(|_| b"AT"[below(2) as usize]).collect();
        let class = ["one", "two", "none"][number % 3];
        let motif: &[u8] = match class {
            "one" => b"GG",
            "two" => b"CC",
            _ => b"",
        };
        let at = below((len - 2) as u32) as usize;
        letters[at..at + motif.len()].copy_from_slice(motif);
        let letters = String::from_utf8(letters).unwrap();
        writeln!(text, "{class},s{number},{letters}").unwrap();
    }
    text
}

fn dir() -> Dir {
    let dir = Dir::new();
    dir.file("sequences.csv", table());
    dir
}

#[test]
fn presets_train_exactly_and_resume() {
    for preset in ["classes-titans", "classes-conv"] {
        let dir = dir();
        let run = |name: &str, steps: usize| {
            let set = format!("{SMALL} --set train.steps={steps}");
            dir.run(&format!("run dna/{preset} --name {name} {set}"))
                .done()
        };
        let said = run("whole", 4);
        let said = said.out + &said.err;
        let note = "216 sequences for training and 24 for validation, of 3 classes: always to say \"none\", the largest, has an accuracy of 0.3333";
        assert!(said.contains(note), "{said}");
        run("parts", 2);
        dir.run("run --name parts --resume --set train.steps=4")
            .done();
        for file in ["model.safetensors", "optimizer.bpk"] {
            let read = |run: &str| {
                let path = format!("runs/{run}/checkpoints/step-00000004/{file}");
                fs::read(dir.at(&path)).unwrap()
            };
            assert!(read("whole") == read("parts"), "{preset}: {file}");
        }
        assert!(
            dir.read("runs/whole/config.toml")
                .contains("[task]\nkind = \"classify\"")
        );
    }
}

#[test]
fn what_is_learned_is_measured_compared_and_exported() {
    let dir = dir();
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        let set =
            format!("{SMALL} --set train.steps=40 --set train.seed={seed} --set eval.every=20");
        dir.run(&format!(
            "run dna/classes-titans --name {name} {set} --set optim.lr=1e-2"
        ))
        .done();
    }
    let json = |words: &str| -> Value { serde_json::from_str(&dir.run(words).done().out).unwrap() };
    let report = json("eval a --json --tokens all");
    let number = |name: &str| report[name].as_f64().unwrap();
    // A guess has 1/3 and 0; motifs are easy.
    assert!(number("accuracy") > 0.6, "{report:#}");
    assert!(number("mcc") > 0.4, "{report:#}");
    assert_eq!(report["tokens"], 24);
    assert_eq!(
        report["classes"]["labels"],
        serde_json::json!(["none", "one", "two"])
    );
    let confusion: Vec<Vec<u64>> =
        serde_json::from_value(report["classes"]["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 24);
    let right: u64 = (0..3).map(|class| confusion[class][class]).sum();
    assert!((right as f64 / 24.0 - number("accuracy")).abs() < 1e-6);
    for absent in ["perplexity", "bits_per_base"] {
        assert_eq!(report[absent], Value::Null, "{absent}");
    }
    // The last evaluation of training read the same rows.
    let last = dir.read("runs/a/metrics.jsonl");
    let last: Value = (last.lines().rev())
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["eval/mcc"].is_number())
        .unwrap();
    for (tag, name) in [
        ("eval/loss", "loss"),
        ("eval/accuracy", "accuracy"),
        ("eval/mcc", "mcc"),
    ] {
        let logged = last[tag].as_f64().unwrap();
        assert!(
            (logged - number(name)).abs() < 1e-5,
            "{tag}: {logged} {}",
            number(name)
        );
    }
    assert_eq!(last["eval/questions"].as_f64(), Some(24.0));
    assert!(dir.read("runs/a/metrics.jsonl").contains("train/accuracy"));
    let said = dir.run("eval a").done().out;
    assert!(
        said.contains("class") && said.contains("Matthews correlation"),
        "{said}"
    );
    let compared = dir
        .run("compare runs/a runs/b runs/c --metric eval/mcc")
        .done()
        .out;
    assert!(compared.contains("eval/mcc"), "{compared}");
    dir.run("export a --out model").done();
    let of_export = json("eval model --json --tokens all");
    for name in ["loss", "accuracy", "mcc"] {
        assert_eq!(of_export[name], report[name], "{name}");
    }
    // Other sequences are measured beside those of training, which say what classes there are.
    dir.file(
        "other.csv",
        "label,sequence\none,ATGGATATATATATATAT\nnone,ATATATATATATATATAT\n",
    );
    let other = json("eval model --json --tokens all --data other.csv");
    assert_eq!(other["classes"]["labels"], report["classes"]["labels"]);
    assert_eq!(other["tokens"], 2);
    let name = other["data"]["name"].as_str().unwrap();
    assert!(name.ends_with("other.csv"), "{name}");
    // Also where columns have other names, which are of that file alone.
    dir.file(
        "named.csv",
        "kind,letters\none,ATGGATATATATATATAT\nnone,ATATATATATATATATAT\n",
    );
    let set = "--set data.label=kind --set data.sequence=letters";
    let named = json(&format!(
        "eval model --json --tokens all --data named.csv {set}"
    ));
    assert_eq!(named["loss"], other["loss"]);
    dir.run("eval model --data named.csv").refused(
        "error: --data: `named.csv` has no column \"sequence\"[..]--set data.sequence=[..]",
    );
    dir.run("eval model --set data.path=other.csv")
        .refused("error: path: each class has one sequence, which is for training[..]");
    dir.file("wrong.csv", "label,sequence\none,AT\nfour,AT\n");
    dir.run("eval model --data wrong.csv").refused(
        "error: --data: line 3 of `wrong.csv` has the label \"four\", which the training part lacks[..]",
    );
    dir.file("sequences.csv", table().replace("one,", "zero,"));
    dir.run("eval model").refused(
        "error: data.path: the 3 classes of run `a` are the labels of the sequences that it was trained on, and these are others, of 3 classes[..]",
    );
    dir.file("sequences.csv", table());
    let frozen = json("eval a --json --tokens all --memory frozen");
    assert_ne!(frozen["loss"], report["loss"]);
}

#[test]
fn commands_of_text_are_refused_in_one_way() {
    let dir = dir();
    dir.run(&format!(
        "run dna/classes-titans --name tiny {SMALL} --set train.steps=1"
    ))
    .done();
    dir.refuses_text("tiny", "classify");
    dir.run("eval tiny --gaps 4")
        .refused("error: --gaps is about recall[..]");
}

#[test]
fn costs_and_speed_are_of_the_whole_classifier() {
    let dir = dir();
    let json = |words: &str| -> Value { serde_json::from_str(&dir.run(words).done().out).unwrap() };
    let estimate = json(&format!("estimate dna/classes-conv {SMALL} --json"));
    let bench = json(&format!(
        "bench dna/classes-conv {SMALL} --repeats 1 --json"
    ));
    assert_eq!(estimate["parameters"], bench["parameters"]);
    // 16 letters and 3 classes of width 16.
    let language = json(&format!(
        "estimate dna/conv {} --json",
        "--set model.dim=16 --set model.layers=1 --set model.ffn_dim=32 --set data.seq_len=24"
    ));
    let more = estimate["parameters"].as_u64().unwrap() - language["parameters"].as_u64().unwrap();
    assert_eq!(more, 3 * 16);
}

#[test]
fn a_sweep_goes_over_the_pool() {
    let dir = dir();
    let sets: String = SMALL
        .split("--set ")
        .filter(|set| !set.trim().is_empty())
        .map(|set| {
            let (key, value) = set.trim().split_once('=').unwrap();
            match value.parse::<f64>() {
                Ok(_) => format!("{key} = {value}\n"),
                Err(_) => format!("{key} = \"{value}\"\n"),
            }
        })
        .collect();
    dir.file(
        "sweep.toml",
        format!(
            "extends = \"dna/classes-titans\"\n{sets}train.steps = 2\n\
             [sweep]\nmetric = \"eval/accuracy\"\nseeds = [1]\n[sweep.axes]\n\"task.pool\" = [\"mean\", \"last\"]\n"
        ),
    );
    dir.run("sweep sweep.toml").done();
    let said = dir.run("compare runs/sweep --metric eval/mcc").done().out;
    assert!(said.contains("mean") && said.contains("last"), "{said}");
}

#[test]
fn mistakes_in_files_name_the_line() {
    let dir = dir();
    let check = |words: &str| dir.run(&format!("check {words}"));
    let task = "dna/classes-titans --set data.seq_len=24 --set data.label=class";
    for (file, rows, sets, said) in [
        (
            "a.csv",
            "class,sequence\nx,ACGT\ny,ACXT\n",
            "",
            "error: path: line 3 of `a.csv` has `X` at letter 3 of \"sequence\", which is no IUPAC code[..](data.path)[..]",
        ),
        (
            "b.csv",
            "class,sequence\nx,ACGT\ny,\n",
            "",
            "error: path: line 3 of `b.csv` has nothing in the column \"sequence\"[..](data.path)[..]",
        ),
        (
            "c.csv",
            "class,sequence\n,ACGT\ny,A\n",
            "",
            "error: path: line 2 of `c.csv` has nothing in the column \"class\"[..]",
        ),
        (
            "d.csv",
            "clas,sequence\nx,ACGT\n",
            "",
            "error: label: `d.csv` has no column \"class\" in its first line, which names clas, sequence; did you mean label = \"clas\"?[..](data.label)[..]",
        ),
        (
            "e.csv",
            "class,sequence\nx,A\nx,C\n",
            "",
            "error: label: every sequence of the training part has the label \"x\": there is nothing to tell apart[..]",
        ),
        (
            "f.csv",
            "class,sequence\nx,ACGT\ny,ACGTAC\nx,ACGTA\n",
            " --set data.seq_len=4",
            "error: seq_len: line 3 of `f.csv` has a sequence of 6 tokens, 2 more than seq_len = 4, the longest of 2 that are too long: set seq_len = 6 or more[..]",
        ),
        (
            "g.csv",
            "class,sequence\nx,ACGT,1\n",
            "",
            "error: path: line 2 of `g.csv` has 3 cells, and the first line has 2[..]",
        ),
        (
            "h.csv",
            "class,sequence\nx,A\ny,C\n",
            "",
            "error: path: each class has one sequence[..]",
        ),
        ("i.csv", "", "", "error: path: `i.csv` is empty[..]"),
        (
            "j.csv",
            "class,sequence\n",
            "",
            "error: path: `j.csv` is empty[..]",
        ),
        (
            "k.csv",
            "kind,sequence\nx,A\n",
            "",
            "error: label: `k.csv` has no column \"class\" in its first line, which names kind, sequence: name one of them with label = [..]",
        ),
    ] {
        dir.file(file, rows);
        check(&format!("{task}{sets} --set data.path={file}")).refused(said);
    }
    dir.file("valid.csv", "label,sequence\none,ACGT\nthree,ACGT\n");
    check("dna/classes-titans --set data.valid_path=valid.csv")
        .refused("error: valid_path: line 3 of `valid.csv` has the label \"three\", which the training part lacks; it has \"none\", \"one\", \"two\"[..](data.valid_path)[..]");
}

#[test]
fn mistakes_in_settings_name_the_key() {
    let dir = dir();
    let check = |words: &str| dir.run(&format!("check {words}"));
    for (sets, said) in [
        (
            "--set task.kind=clasify",
            "error: unknown task `clasify`, expected one of language, classify[..]did you mean `classify`?[..]",
        ),
        (
            "--set task.kind=classify",
            "error: data.kind = \"builtin\" is for task.kind = \"language\", and the task is \"classify\"[..]data.kind = csv[..]",
        ),
        (
            "--set data.kind=csv",
            "error: data.kind = \"csv\" is for task.kind = \"classify\" and \"forecast\", and the task is \"language\"[..]",
        ),
        (
            "--set task.pool=mean",
            "error: unknown field `pool`[..]task.kind = \"classify\"[..]",
        ),
        (
            "dna/classes-titans --set train.state=carry",
            "error: train.state = \"carry\" needs data in order[..]",
        ),
        (
            "dna/classes-titans --set log.samples=['A']",
            "error: log.samples are texts to go on with, and these data have none[..]",
        ),
        (
            "dna/classes-titans --set model.tie_head=false",
            "error: model.tie_head = false is about language models[..]",
        ),
    ] {
        check(sets).refused(said);
    }
}
