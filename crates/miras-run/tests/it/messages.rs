//! The text of every error.

use std::io;
use std::path::PathBuf;

use miras_run::{Damaged, Fault, RunError};

fn run() -> PathBuf {
    PathBuf::from("runs/a")
}

fn damaged(step: u64, fault: Fault) -> Damaged {
    Damaged {
        step,
        path: run().join(format!("checkpoints/step-{step:08}")),
        fault,
    }
}

fn missing() -> Fault {
    Fault::Missing {
        file: "state.json".into(),
    }
}

fn os_error(kind: io::ErrorKind) -> RunError {
    let cause = io::Error::new(kind, "refused");
    RunError::Io {
        action: "write",
        path: run(),
        cause,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] io::Error);

#[test]
fn errors_about_the_folder_say_where_what_and_what_to_do() {
    let path = run();
    check([
        (
            RunError::BadName {
                name: "a/b".into(),
                why: "it has a path separator",
            },
            "`a/b` cannot name a run: it has a path separator; use letters, digits, `-`, `_` and `.`",
        ),
        (
            RunError::Exists { path: path.clone() },
            "run folder runs/a exists already: continue it with `--resume` or choose another `--name`",
        ),
        (
            RunError::NoRun {
                path: path.clone(),
                nearest: Some("b".into()),
                names: vec!["b".into(), "c".into()],
            },
            "there is no run folder runs/a: did you mean `b`?",
        ),
        (
            RunError::NoRun {
                path: path.clone(),
                nearest: None,
                names: Vec::new(),
            },
            "there is no run folder runs/a: there is no run at all beside it",
        ),
        (
            RunError::NoRun {
                path: path.clone(),
                nearest: None,
                names: ["long", "other"].map(Into::into).into(),
            },
            "there is no run folder runs/a: the runs there are long, other",
        ),
        (
            RunError::NoRun {
                path: path.clone(),
                nearest: None,
                names: (10..20).map(|at| format!("r-{at}")).collect(),
            },
            "there is no run folder runs/a: the runs there are r-10, r-11, r-12, r-13, r-14, r-15, r-16, r-17 and 2 more",
        ),
        (
            RunError::NotDescribed {
                path: path.join("export.json"),
            },
            "runs/a/export.json is missing, which says what the export in this folder is: restore \
             it, or export the run again; weights alone begin a run by `--set train.init_from`",
        ),
        (
            RunError::NoConfig { path: path.clone() },
            "runs/a has no config.toml, so it is not a run or was stopped while it was set up: \
             remove the folder, or choose another `--name`",
        ),
        (
            RunError::Locked {
                path: path.clone(),
                pid: Some(42),
            },
            "runs/a is in use by another training process (process 42): wait for it or stop it, \
             or choose another `--name`",
        ),
        (
            RunError::Locked {
                path: path.clone(),
                pid: None,
            },
            "runs/a is in use by another training process: wait for it or stop it, or choose \
             another `--name`",
        ),
        (
            RunError::NoLocks {
                path: path.join("lock"),
            },
            "runs/a/lock is on a file system without file locks: keep the runs on a local disk",
        ),
        (
            RunError::ReadOnly { path: path.clone() },
            "runs/a was opened to be read: open it with `RunFolder::open` to write in it",
        ),
        (
            RunError::Malformed {
                path: path.join("run.json"),
                cause: "EOF at line 1".into(),
            },
            "cannot understand runs/a/run.json: EOF at line 1; restore it, or remove it",
        ),
    ]);
}

#[test]
fn errors_about_checkpoints_say_where_what_and_what_to_do() {
    let path = run();
    check([
        (
            RunError::NoCheckpoint {
                path: path.clone(),
                skipped: vec![],
            },
            "runs/a has no checkpoint yet: wait for its first one, or go on with the run by \
             `--resume`",
        ),
        (
            RunError::NoCheckpoint {
                path: path.clone(),
                skipped: vec![damaged(20, missing())],
            },
            "runs/a has no valid checkpoint (step 20: `state.json` is missing): restore the files, \
             or start again under another `--name`",
        ),
        (
            RunError::NoStep {
                path: path.clone(),
                step: 15,
                available: vec![10, 20],
            },
            "runs/a has no checkpoint of step 15: choose one of 10, 20",
        ),
        (
            RunError::NoStep {
                path: path.clone(),
                step: 15,
                available: vec![],
            },
            "runs/a has no checkpoint of step 15: it has no finished checkpoint at all",
        ),
        (
            RunError::Damaged(Box::new(damaged(20, missing()))),
            "checkpoint runs/a/checkpoints/step-00000020 is damaged: `state.json` is missing; use \
             another step, or none for the newest valid one",
        ),
        (
            RunError::Replaced { path: path.clone() },
            "the checkpoints of runs/a are replaced faster than they are read: try again, or keep \
             more of them with `checkpoint.keep_last`",
        ),
        (
            RunError::ConfigChanged {
                path: path.join("config.toml"),
            },
            "runs/a/config.toml was changed or cut since it was written (SHA-256 differs): restore \
             it; a change that a run takes is made by `run --name NAME --resume --set KEY=VALUE`, \
             and any other one by a new run, `run runs/a/config.toml --name OTHER`",
        ),
        (
            RunError::ExportChanged {
                path: path.join("config.toml"),
            },
            "runs/a/config.toml was changed or cut since it was exported (SHA-256 differs): restore \
             it, or export the run again; a change is made by a new run, `run \
             runs/a/config.toml --name OTHER`, with `--set train.init_from` for the weights",
        ),
        (
            RunError::OtherWeights {
                path: path.join("model.safetensors"),
                by: "export.json",
                found: "1f".to_owned(),
                expected: "2e".to_owned(),
            },
            "runs/a/model.safetensors is damaged or was replaced: its SHA-256 is 1f, and \
             export.json beside it says 2e; restore it, or export the run again",
        ),
        (
            RunError::NonFinite {
                path: path.clone(),
                step: 20,
            },
            "runs/a: step 20 is not saved because its weights are not finite: resume from an \
             earlier checkpoint, for example with a lower learning rate",
        ),
        (
            RunError::Write {
                path: path.clone(),
                step: 20,
                cause: Box::new(Outer(io::Error::other("disk full"))),
            },
            "cannot write the checkpoint of step 20 in runs/a: outer: disk full; earlier \
             checkpoints are unchanged",
        ),
        (
            RunError::BadContent {
                path: path.clone(),
                why: "it is empty",
            },
            "runs/a cannot be part of a checkpoint: it is empty; write plain files, at least one",
        ),
    ]);
}

fn check<const N: usize>(cases: [(RunError, &str); N]) {
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn operating_system_errors_come_with_advice() {
    for (kind, advice) in [
        (
            io::ErrorKind::PermissionDenied,
            "check the permissions of the folder",
        ),
        (io::ErrorKind::StorageFull, "free some disk space"),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "choose a runs folder on a writable disk",
        ),
        (io::ErrorKind::NotFound, "check that the path exists"),
        (
            io::ErrorKind::NotADirectory,
            "something else has this name: move it away",
        ),
        (io::ErrorKind::Other, "check the path and the disk"),
    ] {
        let text = os_error(kind).to_string();
        assert_eq!(text, format!("cannot write runs/a: refused; {advice}"));
    }
}

#[test]
fn every_fault_names_the_file_or_the_version() {
    let file = || "model.safetensors".to_owned();
    for (fault, text) in [
        (missing(), "`state.json` is missing"),
        (
            Fault::Size {
                file: file(),
                expected: 8,
                found: 3,
            },
            "`model.safetensors` has 3 bytes instead of 8",
        ),
        (
            Fault::Content { file: file() },
            "the content of `model.safetensors` changed since it was saved (SHA-256 differs)",
        ),
        (
            Fault::Unreadable {
                file: file(),
                cause: "refused".into(),
            },
            "`model.safetensors` cannot be read: refused",
        ),
        (
            Fault::Format { found: 2, known: 1 },
            "it has format version 2, this program reads version 1",
        ),
        (Fault::Step { found: 30 }, "its manifest is of step 30"),
    ] {
        assert_eq!(fault.to_string(), text);
    }
}
