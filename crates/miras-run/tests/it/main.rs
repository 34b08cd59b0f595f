//! The crate as its users see it, on a real disk.
#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod checkpoints;
mod damage;
mod folder;
mod kill;
mod messages;

use std::fs;
use std::io;
use std::path::Path;

use miras_run::{CheckpointInfo, Checkpoints, Policy, RunError, RunFolder, Saved};
use miras_run::{RunRecord, Start, provenance};

fn new_run(runs: &Path, name: &str) -> RunFolder {
    try_new_run(runs, name).unwrap()
}

fn try_new_run(runs: &Path, name: &str) -> Result<RunFolder, RunError> {
    RunFolder::create(runs, name, "steps = 20\n", &record(), &[])
}

fn record() -> RunRecord {
    RunRecord::new(1, "a text", None, start(0))
}

fn start(step: u64) -> Start {
    Start {
        step,
        device: "cpu".into(),
        provenance: provenance(&[("burn", "0.22.1")], None),
    }
}

fn keep_all() -> Policy {
    Policy {
        keep_last: usize::MAX,
        keep_every: 0,
        keep_best: false,
    }
}

/// Two files, one of them in a folder, whose content tells the step.
fn write_files(folder: &Path, step: u64) -> io::Result<()> {
    fs::write(
        folder.join("model.safetensors"),
        format!("weights of step {step}").repeat(100),
    )?;
    fs::create_dir(folder.join("optimizer"))?;
    fs::write(
        folder.join("optimizer").join("adamw.bin"),
        format!("moments of step {step}"),
    )
}

fn save(checkpoints: &mut Checkpoints, step: u64) -> Saved {
    save_with(checkpoints, step, &CheckpointInfo::new(step * 2048))
}

fn save_with(checkpoints: &mut Checkpoints, step: u64, info: &CheckpointInfo) -> Saved {
    checkpoints
        .save(step, |folder| write_files(folder, step), info)
        .unwrap()
}
