//! No key of the data without an effect, of whatever kind they are.

use miras_registry::Registry;
use std::collections::BTreeSet;

use miras_data::{FORECAST, KINDS};
use miras_spec::RunConfig;
use toml::{Table, Value};

use crate::support::layers;
use crate::tokens::TOKENIZER;
use crate::values::{alternatives, names};

/// Keys that change nothing somewhere, and why they are accepted all the same.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "allow_binary",
        "it lets files pass that are refused without it, and leaves others as they are",
    ),
    (
        "separator",
        "where there is one text, nothing is between texts",
    ),
    ("field", "files of text have no fields"),
];

/// Files to train on, in a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let words = |word: &str| format!("{word} and more of it. ").repeat(100);
        for (name, bytes) in [
            ("a.txt", words("something").into_bytes()),
            ("b.txt", words("another thing").into_bytes()),
            ("c.bin", [0, 1, 2, 3, 4].repeat(2000)),
            (
                "d.jsonl",
                b"{\"text\": \"Anna has keys\", \"body\": \"Tom has many stones\"}\n".repeat(999),
            ),
            (
                "e.fa",
                format!(">a\n{}\n", "ACGTTgcaNNACG".repeat(300)).into_bytes(),
            ),
            ("s.csv", series(3).into_bytes()),
            ("t.csv", series(5).into_bytes()),
            (
                "f.fa",
                format!(">b\n{}\n", "GGATtacaCCA".repeat(300)).into_bytes(),
            ),
            ("g.csv", table("alpha", "beta").into_bytes()),
            ("h.csv", table("gamma", "delta").into_bytes()),
        ] {
            std::fs::write(files.0.path().join(name), bytes).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> Value {
        self.0.path().join(name).to_str().unwrap().into()
    }

    /// Two sources, the first of which has this weight.
    fn mixture(&self, weight: f64) -> Value {
        let source = |(name, weight): (&str, f64)| {
            let mut source = Table::new();
            source.insert("path".into(), self.path(name));
            source.insert("weight".into(), weight.into());
            Value::Table(source)
        };
        Value::Array([("a.txt", weight), ("b.txt", 1.0)].map(source).into())
    }

    /// Labelled sequences as they are, and with files for validation.
    fn labelled(&self, mut base: Table) -> [Table; 2] {
        base.insert("path".into(), self.path("g.csv"));
        base.insert("label".into(), "class".into());
        let mut own = base.clone();
        own.insert("valid_path".into(), self.path("h.csv"));
        [base, own]
    }

    /// Every kind as it is, and more where files are named.
    fn bases(&self) -> Vec<Table> {
        let mut bases = Vec::new();
        for kind in KINDS {
            let mut base = Table::new();
            base.insert("kind".into(), kind.name.into());
            base.insert(TASK.into(), kind.task.into());
            let default = Table::try_from((kind.default)()).unwrap();
            if kind.name == "mqar" {
                // Of a single showing none is wrong.
                let mut base = base.clone();
                base.insert("showings".into(), 3.into());
                bases.push(base);
            }
            if kind.name == "needle" {
                let mut base = base.clone();
                base.insert("needle".into(), "text".into());
                base.insert("haystack".into(), self.path("a.txt"));
                bases.push(base);
            }
            if !default.contains_key("path") {
                bases.push(base);
                continue;
            }
            let with = |key: &str, value: Value, file: &str| {
                let mut base = base.clone();
                base.insert("path".into(), self.path(file));
                base.insert(key.into(), value);
                base
            };
            if kind.task == FORECAST {
                base.insert("seq_len".into(), 32.into());
                base.insert("path".into(), self.path("s.csv"));
                bases.push(base);
                continue;
            }
            if kind.name == "csv" {
                bases.extend(self.labelled(base));
                continue;
            }
            if kind.name == "fasta" {
                bases.push(with("path", self.path("e.fa"), "e.fa"));
                bases.push(with("valid_path", self.path("f.fa"), "e.fa"));
                continue;
            }
            bases.push(with("path", self.path("a.txt"), "a.txt"));
            let both = Value::Array(vec![self.path("a.txt"), self.path("b.txt")]);
            bases.push(with("path", both, "a.txt"));
            bases.push(with("valid_path", self.path("b.txt"), "a.txt"));
            bases.push(with("allow_binary", true.into(), "c.bin"));
            bases.push(with("path", self.path("d.jsonl"), "d.jsonl"));
            base.insert("mix".into(), self.mixture(1.0));
            bases.push(base);
        }
        bases
    }
}

/// Stands in a table of data for the task.
const TASK: &str = "for the task";

/// A series of two channels.
fn series(step: usize) -> String {
    let row = |at: usize| format!("{at},{},{}\n", at * step % 17, at * at % 23);
    let rows: Vec<String> = (0..1200).map(row).collect();
    format!("time,a,b\n{}", rows.concat())
}

/// Sequences in two columns, with labels in two columns, made of words.
fn table(one: &str, other: &str) -> String {
    let row = |at: usize| {
        let (class, kind) = (["x", "y"][at % 2], ["u", "v", "w"][at % 3]);
        format!("{class},{one} {at},{other} {at},{kind}\n")
    };
    let rows: Vec<String> = (0..60).map(row).collect();
    format!("class,sequence,other,kind\n{}", rows.concat())
}

fn load(base: &Table, sets: &[&str]) -> Result<RunConfig, String> {
    let mut data = base.clone();
    let task = Table::from_iter([("kind".to_owned(), data.remove(TASK).unwrap())]);
    let whole = Table::from_iter([
        ("task".to_owned(), task.into()),
        ("data".to_owned(), data.into()),
    ]);
    let loaded = RunConfig::load(layers(&whole.to_string(), sets), &Registry::builtin());
    loaded.map(|(config, _)| config).map_err(|e| e.to_string())
}

/// What is trained and evaluated on, or why nothing is.
fn batches(config: &RunConfig) -> String {
    let data = match miras_data::open(&config.data, 1) {
        Ok(data) => data,
        Err(error) => return error.to_string(),
    };
    let count = data.eval_tokens();
    let last = count.map_or(1, |count| count - 1);
    let train = data.train_batch(0, 0..2).unwrap();
    let eval = data.eval_rows(&[0, last]).unwrap();
    format!("{} {count:?} {train:?} {eval:?}", data.vocab())
}

#[test]
fn every_key_of_every_kind_of_data_has_an_effect() {
    let files = Files::new();
    let mut working = BTreeSet::new();
    let mut known = BTreeSet::new();
    let mut excused = BTreeSet::new();
    for base in files.bases() {
        let config = load(&base, &[]).unwrap();
        let all = config.to_table()["data"].clone();
        let before = batches(&config);
        let (task, kind) = (config.data.task(), config.data.kind());
        for key in names("field", &load(&base, &["data.no_such_key=0"]).unwrap_err()) {
            known.insert((task, kind, key.clone()));
            let refusal = load(&base, &[&format!("data.{key}='no such name'")]).err();
            let extra = match key.as_str() {
                "path" | "valid_path" if kind == "fasta" => vec![files.path("f.fa")],
                "path" if task == FORECAST => vec![files.path("t.csv")],
                "columns" => vec![vec!["b"].into()],
                "split" => vec![vec![500, 200, 200].into(), vec![0.5, 0.2, 0.3].into()],
                "path" if kind == "csv" => vec![files.path("h.csv")],
                "valid_path" if kind == "csv" => vec![files.path("h.csv"), files.path("g.csv")],
                "sequence" => vec!["other".into()],
                "label" => vec!["kind".into()],
                "path" | "valid_path" | "haystack" => vec![files.path("b.txt")],
                "tokenizer" => vec![TOKENIZER.into()],
                "field" => vec!["body".into()],
                "mix" => vec![files.mixture(1e-9), files.mixture(1e9)],
                "separator" => vec!["\n\n".into()],
                "needles" => vec![1.0.into()],
                _ => Vec::new(),
            };
            let accepted: Vec<String> = alternatives(all.get(&key), refusal.as_deref(), &extra)
                .values
                .iter()
                .map(|value| format!("data.{key}={value}"))
                .filter(|set| load(&base, &[set]).is_ok())
                .collect();
            let works = |set: &String| batches(&load(&base, &[set]).unwrap()) != before;
            if accepted.iter().any(works) {
                working.insert((task, kind, key));
            } else if !accepted.is_empty() {
                let is_excused = EXCEPTIONS.iter().any(|(name, _)| *name == key);
                assert!(is_excused, "{accepted:?} change nothing in\n{base}");
                excused.insert(key);
            }
        }
    }
    assert_eq!(working, known, "a key is refused everywhere");
    for (key, why) in EXCEPTIONS {
        assert!(excused.contains(*key), "no exception for {key}: {why}");
    }
}
