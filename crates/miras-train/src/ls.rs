//! `ls`: the runs and sweeps of a folder.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use miras_config::Layers;
use miras_core::Axis;
use miras_registry::Registry;
use miras_run::metrics::EVAL_LOSS;
use miras_run::{RunFolder, rfc3339};
use miras_spec::RunConfig;
use miras_sweep::{SweepError, SweepFolder, schedule, states};
use serde_json::{Value, json};

use crate::{
    args::LsArgs,
    bytes::short,
    out::{Out, columns, heading},
};

/// The fewest columns of the name and the model, the widest cells.
const LEAST: usize = 12;

pub(crate) fn ls(args: &LsArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for name in RunFolder::names(&args.runs)? {
        entries.push(Entry::of_run(&args.runs, &name, registry)?);
    }
    for folder in fs::read_dir(&args.runs).into_iter().flatten().flatten() {
        if SweepFolder::exists(&folder.path()) {
            entries.push(Entry::of_sweep(&folder.path()));
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if args.json {
        let all: Vec<Value> = entries.iter().map(Entry::json).collect();
        return out.text(&serde_json::to_string_pretty(&all)?);
    }
    if entries.is_empty() {
        return out.prose(&format!(
            "there are no runs in {}; `run` trains one",
            args.runs.display()
        ));
    }
    out.text(&table(&entries, columns()))
}

/// A run or a sweep.
struct Entry {
    name: String,
    is_sweep: bool,
    model: String,
    status: String,
    /// Steps of a run, trials of a sweep: done, and in all.
    done: u64,
    all: Option<u64>,
    loss: Option<f64>,
    tokens: Option<u64>,
    /// When something was last written.
    changed: SystemTime,
}

impl Entry {
    fn of_run(runs: &Path, name: &str, registry: &Registry) -> anyhow::Result<Self> {
        let folder = RunFolder::open_to_read(runs, name)?;
        let mut layers = Layers::new();
        let config = (layers.file(&folder.config_path()))
            .and_then(|()| RunConfig::load(layers, registry))
            .map(|(config, _)| config)
            .ok();
        let (summary, is_damaged) = match folder.read_summary() {
            Ok(summary) => (summary, false),
            Err(_) => (None, true),
        };
        let logged = Logged::read(&folder.metrics_path());
        let (status, done, tokens) = match &summary {
            Some(summary) => (
                summary.status.to_string(),
                summary.steps,
                Some(summary.tokens),
            ),
            None if is_damaged => ("summary unreadable".to_owned(), logged.step, logged.tokens),
            None if folder.is_busy() => ("running".to_owned(), logged.step, logged.tokens),
            None if logged.is_torn => ("metrics torn".to_owned(), logged.step, logged.tokens),
            None => ("stopped".to_owned(), logged.step, logged.tokens),
        };
        let loss = (summary.as_ref()).and_then(|summary| summary.metrics.get(EVAL_LOSS).copied());
        Ok(Self {
            name: name.to_owned(),
            is_sweep: false,
            model: config
                .as_ref()
                .map_or_else(|| "unreadable".to_owned(), model),
            status,
            done,
            all: config.map(|config| config.train.steps),
            loss: loss.or(logged.loss),
            tokens,
            changed: changed(&folder.metrics_path(), folder.path()),
        })
    }

    fn of_sweep(path: &Path) -> Self {
        let folder = SweepFolder::open(path);
        let plan = folder.as_ref().map(SweepFolder::plan);
        let (status, done) = match folder.as_ref().map(standing) {
            Ok(Ok(standing)) => standing,
            Ok(Err(_)) | Err(_) => ("unreadable".to_owned(), 0),
        };
        Self {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            is_sweep: true,
            model: plan.map_or_else(
                |_| "unreadable".to_owned(),
                |plan| format!("sweep of {}", plan.keys.join(", ")),
            ),
            status,
            done,
            all: plan.ok().map(|plan| plan.trials.len() as u64),
            loss: None,
            tokens: None,
            changed: changed(&path.join("ledger.jsonl"), path),
        }
    }

    fn json(&self) -> Value {
        let (kind, done, all) = if self.is_sweep {
            ("sweep", "trials_done", "trials")
        } else {
            ("run", "step", "steps")
        };
        json!({
            "name": self.name,
            "kind": kind,
            "model": self.model,
            "status": self.status,
            (done): self.done,
            (all): self.all,
            "eval_loss": self.loss,
            "tokens": self.tokens,
            "changed": rfc3339(self.changed),
        })
    }

    fn cells(&self) -> [String; 7] {
        let none = || "-".to_owned();
        let all = self
            .all
            .map_or_else(|| "?".to_owned(), |all| all.to_string());
        [
            self.name.clone(),
            self.model.clone(),
            self.status.clone(),
            format!("{}/{all}", self.done),
            self.loss.map_or_else(none, |loss| format!("{loss:.4}")),
            (self.tokens).map_or_else(none, |tokens| short(tokens as f64)),
            age(self.changed.elapsed().unwrap_or_default()),
        ]
    }
}

/// How a sweep stands, and how many of its trials are done and wanted on no further rung.
fn standing(folder: &SweepFolder) -> Result<(String, u64), SweepError> {
    let plan = folder.plan();
    let states = states(&folder.ledger().events()?);
    let open = schedule(plan, &states).into_iter().map(|task| task.trial);
    let open: Vec<usize> = open.collect();
    let (mut done, mut failed) = (0, 0);
    for (at, trial) in plan.trials.iter().enumerate() {
        let Some(state) = states.get(&trial.id) else {
            continue;
        };
        if state.failed.is_some() {
            failed += 1;
        } else if !state.done.is_empty() && !open.contains(&at) {
            done += 1;
        }
    }
    let status = match (failed, open.is_empty()) {
        (0, true) => "finished".to_owned(),
        (0, false) => "unfinished".to_owned(),
        (failed, _) => format!("{failed} failed"),
    };
    Ok((status, done))
}

/// The parts of a model, or what it has in their place.
fn model(config: &RunConfig) -> String {
    let size = format!("{}x{}", config.model.config.layers, config.model.config.dim);
    let parts = (config.model).parts(|choice| Axis::ALL.map(|axis| choice.kind(axis)).join("/"));
    format!("{parts} {size}")
}

/// What `metrics.jsonl` says last.
#[derive(Default)]
struct Logged {
    /// Whether the last line is being written, or never was to its end.
    is_torn: bool,
    step: u64,
    tokens: Option<u64>,
    loss: Option<f64>,
}

impl Logged {
    fn read(path: &Path) -> Self {
        let mut logged = Self::default();
        let text = fs::read(path).unwrap_or_default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Value>(line) else {
                logged.is_torn = !line.ends_with(b"\n");
                continue;
            };
            logged.step = line["step"].as_u64().unwrap_or(logged.step);
            logged.tokens = line["tokens"].as_u64().or(logged.tokens);
            logged.loss = line[EVAL_LOSS].as_f64().or(logged.loss);
        }
        logged
    }
}

fn changed(file: &Path, folder: &Path) -> SystemTime {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    time(file)
        .or_else(|_| time(folder))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn age(passed: Duration) -> String {
    let seconds = passed.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    match units.iter().find(|(size, _)| seconds >= *size) {
        Some((size, unit)) => format!("{} {unit}", seconds / size),
        None => format!("{seconds} s"),
    }
}

/// The table in so many columns; names and models are cut short where it is wider.
fn table(entries: &[Entry], columns: usize) -> String {
    let head = [
        "name", "model", "status", "step", EVAL_LOSS, "tokens", "age",
    ]
    .map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(entries.iter().map(Entry::cells));
    let mut widths: Vec<usize> = (0..rows[0].len())
        .map(|at| {
            let cells = rows.iter().map(|row| row[at].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    for at in [1, 0] {
        let all: usize = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
        let least = widths[at].min(LEAST);
        widths[at] = widths[at]
            .saturating_sub(all.saturating_sub(columns))
            .max(least);
    }
    let lines = rows.iter().enumerate().map(|(number, row)| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, &width))| {
                let cell = cut(cell, width);
                if at > 2 {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:width$}")
                }
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        if number == 0 {
            heading(line.trim_end())
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use miras_run::{Cost, Goal, RunRecord, Start, provenance};
    use miras_sweep::{Event, EventKind, Plan, Rung, Trial};

    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            is_sweep: false,
            model: "mlp/l2/elastic_net/momentum 4x128".to_owned(),
            status: "interrupted".to_owned(),
            done: 1000,
            all: Some(10_000),
            loss: Some(1.4777),
            tokens: Some(1_024_000),
            changed: SystemTime::now(),
        }
    }

    #[test]
    fn a_table_fits_its_columns() {
        let entries = [entry("a-rather-long-name-of-a-run"), entry("b")];
        for columns in [80, 100, 200] {
            let table = table(&entries, columns);
            let widest = table.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}: {table}");
            assert!(
                table.contains("1000/10000") && table.contains("1.4777"),
                "{table}"
            );
        }
        assert!(!table(&entries, 200).contains('…'));
    }

    #[test]
    fn damage_to_what_says_how_a_run_ended_is_said() {
        let runs = tempfile::tempdir().unwrap();
        let start = Start {
            step: 0,
            device: "cpu".to_owned(),
            provenance: provenance(&[], None),
        };
        let record = RunRecord::new(1, "a text", None, start);
        let folder = RunFolder::create(runs.path(), "one", "", &record, &[]).unwrap();
        let summary = folder.path().join("summary.json");
        let metrics = folder.metrics_path();
        drop(folder);
        let status = || {
            let entry = Entry::of_run(runs.path(), "one", &Registry::builtin());
            entry.unwrap().status
        };
        assert_eq!(status(), "stopped");
        let line = b"{\"step\":1,\"tokens\":9}\n";
        fs::write(&metrics, line.repeat(2)).unwrap();
        assert_eq!(status(), "stopped");
        fs::write(&metrics, &line.repeat(2)[..30]).unwrap();
        assert_eq!(status(), "metrics torn");
        // A process may be writing it.
        let training = RunFolder::open(runs.path(), "one").unwrap();
        assert_eq!(status(), "running");
        drop(training);
        fs::write(summary, "{").unwrap();
        assert_eq!(status(), "summary unreadable");
    }

    fn trial(at: usize) -> Trial {
        Trial {
            id: format!("t{at}"),
            config: None,
            name: format!("trial-{at}"),
            label: format!("trial {at}"),
            point: at,
            seed: 1,
            values: BTreeMap::new(),
            matched: BTreeMap::new(),
            steps: vec![2, 4],
            step_tokens: 64,
            cost: Cost {
                parameters: 1,
                memory_parameters: 1,
                fast_weights: 1,
                state_bytes: 1,
                state_bytes_per_token: 0,
                flops_per_token: 1.0,
            },
        }
    }

    #[test]
    fn a_sweep_is_finished_when_nothing_is_left_to_do() {
        let runs = tempfile::tempdir().unwrap();
        let path = runs.path().join("rungs");
        let mut plan = Plan::new("rungs", Vec::new(), String::new());
        plan.goal = Goal::Lower;
        plan.rungs = vec![Rung { best: None }, Rung { best: Some(1) }];
        plan.trials = (0..3).map(trial).collect();
        let folder = SweepFolder::create(&path, plan, &[]).unwrap();
        let happened = |at: usize, event: EventKind, rung: usize, metric: Option<f64>| {
            let event = Event {
                time: rfc3339(SystemTime::now()),
                trial: format!("t{at}"),
                event,
                rung,
                steps: 2 * (rung as u64 + 1),
                metric,
                reason: None,
                worker: "process 1".to_owned(),
            };
            folder.ledger().append(&event).unwrap();
        };
        let stands = || {
            let entry = Entry::of_sweep(&path);
            (entry.status, entry.done, entry.all)
        };
        let said = |status: &str, done: u64, all: Option<u64>| (status.to_owned(), done, all);
        assert_eq!(stands(), said("unfinished", 0, Some(3)));
        for (at, loss) in [(0, 1.0), (1, 2.0), (2, 3.0)] {
            happened(at, EventKind::Done, 0, Some(loss));
        }
        // The best one is to go on.
        assert_eq!(stands(), said("unfinished", 2, Some(3)));
        happened(0, EventKind::Done, 1, Some(0.5));
        assert_eq!(stands(), said("finished", 3, Some(3)));
        happened(1, EventKind::Failed, 0, None);
        assert_eq!(stands(), said("1 failed", 2, Some(3)));
        fs::write(path.join("ledger.jsonl"), "nothing\n{}\n").unwrap();
        assert_eq!(stands(), said("unreadable", 0, Some(3)));
        fs::write(path.join("sweep.json"), "{").unwrap();
        assert_eq!(stands(), said("unreadable", 0, None));
    }

    #[test]
    fn ages_are_in_the_largest_unit() {
        for (seconds, expected) in [(5, "5 s"), (119, "1 min"), (7200, "2 h"), (200_000, "2 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }
}
