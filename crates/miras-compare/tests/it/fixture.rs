//! Run folders and sweep folders, as training writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use miras_compare::Comparison;
use miras_run::{RunFolder, RunRecord, Start, Status, Summary, provenance};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A place for runs and sweeps, gone at the end.
pub(crate) struct Place {
    top: TempDir,
}

/// A run before it is written.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) config: Vec<(String, String)>,
    pub(crate) status: Option<Status>,
    pub(crate) message: Option<String>,
    /// `eval/loss` at the end.
    pub(crate) loss: f64,
    pub(crate) tokens: u64,
    pub(crate) parameters: Option<u64>,
    pub(crate) data: String,
    pub(crate) layers: usize,
    pub(crate) speed: f64,
    pub(crate) evaluations: Vec<Value>,
    /// Put behind the last line of metrics.jsonl.
    pub(crate) tail: String,
    /// The checksum of the weights that it began with.
    pub(crate) weights: Option<String>,
    /// The last values in summary.json.
    pub(crate) metrics: Vec<(String, f64)>,
}

impl Draft {
    pub(crate) fn new(name: &str, seed: u64, loss: f64) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            config: vec![
                ("memory.kind".into(), "'mlp'".into()),
                ("memory.depth".into(), "2".into()),
                ("optim.lr".into(), "0.003".into()),
                ("train.steps".into(), "100".into()),
                ("train.seed".into(), seed.to_string()),
                ("log.every".into(), seed.to_string()),
            ],
            status: Some(Status::Finished),
            message: None,
            loss,
            tokens: 100_000,
            parameters: Some(50_000),
            data: "words.txt; 9 bytes; sha256:aa".into(),
            layers: 0,
            speed: 1000.0,
            evaluations: Vec::new(),
            tail: String::new(),
            weights: None,
            metrics: Vec::new(),
        }
    }

    /// Sets a key of the configuration; the value is TOML.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.config.retain(|(one, _)| one != key);
        self.config.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Text at a path, with the checksums of all that is read.
    pub(crate) fn text(mut self, path: &str, checksums: &str) -> Self {
        self.data = format!("{path}; 9 bytes for training; {checksums}");
        self.set("data.kind", "'text'")
            .set("data.path", &format!("'{path}'"))
    }

    /// A recall run: its evaluation asks so many questions, of which so many were answered at the
    /// end.
    pub(crate) fn recall(mut self, right: u64, questions: u64) -> Self {
        self.data = "recall of 4 pairs; generated without end; sha256-generated:".to_owned()
            + &format!("{:02x}", self.seed);
        let accuracy = right as f64 / questions as f64;
        self.tail = json!({
            "step": 100, "tokens": self.tokens, "eval/accuracy": accuracy,
            "eval/questions": questions,
        })
        .to_string()
            + "\n";
        self.set("data.kind", "'mqar'").set("data.pairs", "4")
    }

    /// Evaluations at two lengths, live and frozen.
    pub(crate) fn evaluated(mut self) -> Self {
        for length in [128_u64, 512] {
            for memory in ["live", "frozen"] {
                let loss = self.loss + 10.0 / length as f64;
                self.evaluations.push(json!({
                    "schema": "miras_eval", "version": 1, "run": self.name,
                    "data": {"name": "words", "bytes": 9, "fingerprint": "sha256:aa"},
                    "length": length, "memory": memory, "state": null, "tokens": 512,
                    "loss": if memory == "live" { loss } else { loss * 1.1 },
                    "bits_per_byte": if memory == "live" { loss * 1.44 } else { loss * 1.5 }, "accuracy": 0.4,
                    "by_position": [
                        {"from": 0, "to": 15, "tokens": 16, "loss": loss + 1.0},
                        {"from": 16, "to": 31, "tokens": 16, "loss": loss + 0.5},
                        {"from": 32, "to": 127, "tokens": 96, "loss": loss},
                    ],
                    "by_pairs": [
                        {"pairs": 2, "tokens": 9, "accuracy": 1.0},
                        {"pairs": 8, "tokens": 9, "accuracy": 0.5},
                    ],
                }));
            }
        }
        self
    }

    fn toml(&self) -> String {
        self.config
            .iter()
            .fold(String::new(), |mut text, (key, value)| {
                writeln!(text, "{key} = {value}").unwrap();
                text
            })
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        for at in 1..=5_u64 {
            let tokens = self.tokens * at / 5;
            let step = at * 20;
            let mut line = json!({
                "step": step, "tokens": tokens,
                "train/loss": self.loss + 1.0 / at as f64, "perf/tokens_per_s": self.speed,
            });
            for layer in 0..self.layers {
                line[format!("memory/{layer}/surprise")] = json!(1.0 / at as f64 + layer as f64);
                line[format!("memory/{layer}/state_norm")] = json!("inf");
            }
            writeln!(text, "{line}").unwrap();
            let loss = self.loss + 0.5 * (5 - at) as f64;
            let loss = if loss.is_finite() {
                json!(loss)
            } else {
                json!("NaN")
            };
            let line = json!({"step": step, "tokens": tokens, "eval/loss": loss});
            writeln!(text, "{line}").unwrap();
        }
        text + &self.tail
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            top: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.top.path()
    }

    /// Writes a run.
    pub(crate) fn run(&self, draft: &Draft) -> PathBuf {
        write(self.path(), draft)
    }

    /// Writes a sweep over `memory.depth` and `optim.lr`. Each trial ends as the ledger's event
    /// beside it says; `absent` failed before it had a folder, `gone` is done and lost its
    /// folder, `planned` has not begun.
    pub(crate) fn sweep(&self, name: &str, trials: &[(Draft, &str)]) -> PathBuf {
        let folder = self.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut planned = Vec::new();
        let mut ledger = String::new();
        for (at, (draft, event)) in trials.iter().enumerate() {
            let setting = |key: &str| {
                let found = draft.config.iter().find(|(one, _)| one == key).unwrap();
                serde_json::from_str::<Value>(&found.1).unwrap()
            };
            let ffn = draft.config.iter().find(|(one, _)| one == "model.ffn_dim");
            let matched = match ffn {
                Some((key, value)) => json!({key: value.parse::<u64>().unwrap()}),
                None => json!({}),
            };
            planned.push(json!({
                "id": format!("{at:04x}"), "name": draft.name, "seed": draft.seed,
                "values": {"memory.depth": setting("memory.depth"), "optim.lr": setting("optim.lr")},
                "matched": matched, "label": format!("trial {at}"),
                "point": at, "steps": [100], "step_tokens": 1, "cost": {
                    "parameters": 1, "memory_parameters": 1, "fast_weights": 1, "state_bytes": 1,
                    "state_bytes_per_token": 0, "flops_per_token": 1.0,
                },
            }));
            if !["absent", "gone", "planned"].contains(event) {
                write(&folder, draft);
            }
            if *event != "planned" {
                let event = match *event {
                    "absent" => "failed",
                    "gone" => "done",
                    other => other,
                };
                let mut line = json!({
                    "time": "2026-01-01T00:00:00Z", "trial": format!("{at:04x}"),
                    "event": "running", "steps": 0, "rung": 0, "worker": "process 1",
                });
                writeln!(ledger, "{line}").unwrap();
                line["event"] = json!(event);
                if event == "failed" {
                    line["reason"] = json!("out of <memory>");
                }
                writeln!(ledger, "{line}").unwrap();
            }
        }
        ledger += "{\"time\":\"2026-01-01T0";
        fs::write(folder.join("ledger.jsonl"), ledger).unwrap();
        let sweep = json!({
            "schema": "miras_sweep", "version": 1, "name": name, "metric": "eval/loss",
            "goal": "lower", "alike": 3, "rungs": [{"best": null}], "evaluate": null, "keys": ["memory.depth", "optim.lr"],
            "command": ["miras-train", "sweep", "a file.toml"],
            "source": "[sweep]\nname = '<depth>'\n", "trials": planned,
        });
        fs::write(folder.join("sweep.json"), sweep.to_string()).unwrap();
        folder
    }
}

fn write(runs: &Path, draft: &Draft) -> PathBuf {
    let start = Start {
        step: 0,
        device: "cpu".into(),
        provenance: provenance(&[("burn", "1.2.3")], None),
    };
    let mut record = RunRecord::new(draft.seed, draft.data.clone(), None, start);
    record.init.clone_from(&draft.weights);
    let folder = RunFolder::create(runs, &draft.name, &draft.toml(), &record, &[]).unwrap();
    let path = folder.path().to_owned();
    if let Some(parameters) = draft.parameters {
        let file = path.join("run.json");
        let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        value["cost"] = json!({
            "parameters": parameters, "memory_parameters": 100, "fast_weights": 10,
            "state_bytes": 4096, "state_bytes_per_token": 0, "flops_per_token": 3e5,
        });
        fs::write(&file, value.to_string()).unwrap();
    }
    fs::write(folder.metrics_path(), draft.metrics()).unwrap();
    if let Some(status) = draft.status {
        let summary = Summary {
            status,
            message: draft.message.clone(),
            steps: 100,
            tokens: draft.tokens,
            seconds: 7.5,
            best: None,
            metrics: draft.metrics.iter().cloned().collect(),
        };
        folder.write_summary(&summary).unwrap();
    }
    for (at, evaluation) in draft.evaluations.iter().enumerate() {
        let name = if at == 0 {
            "eval.json".to_owned()
        } else {
            format!("eval-{at}.json")
        };
        fs::write(path.join(name), evaluation.to_string()).unwrap();
    }
    path
}

pub(crate) fn compare(paths: &[PathBuf]) -> Comparison {
    Comparison::read(paths, None, None).unwrap()
}

/// A sweep with everything: two keys, three seeds, evaluations, memories, a failed trial.
pub(crate) fn full(place: &Place) -> PathBuf {
    let mut trials = Vec::new();
    for (depth, lr, loss) in [
        (1_u64, "0.001", 2.5),
        (1, "0.003", 2.42),
        (2, "0.001", 2.3),
        (2, "0.003", 2.29),
        (4, "0.001", 2.41),
        (4, "0.003", 2.28),
    ] {
        for seed in 1..=3_u64 {
            let name = format!("d{depth}-lr{lr}-s{seed}");
            // Differences between variants have a spread of their own.
            let chance = if depth < 4 {
                0.004 * ((seed + depth) % 2) as f64
            } else {
                0.0
            };
            let mut draft = Draft::new(&name, seed, loss + 0.01 * seed as f64 + chance)
                .set("memory.depth", &depth.to_string())
                .set("optim.lr", lr)
                .evaluated();
            draft.layers = 3;
            draft.speed = 1000.0 / depth as f64 + 10.0 * seed as f64;
            let is_last = depth == 4 && lr == "0.001" && seed == 3;
            trials.push((draft, if is_last { "absent" } else { "done" }));
        }
    }
    place.sweep("depths", &trials)
}
