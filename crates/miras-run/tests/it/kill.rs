//! A trainer that is killed at random moments.
#![cfg(unix)]

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use miras_run::{Checkpoints, Policy, RunFolder};

use crate::{new_run, save};

const KILLS: u32 = 30;
const RUNS: &str = "MIRAS_RUN_TEST_KILL";
const POLICY: Policy = Policy {
    keep_last: 2,
    keep_every: 0,
    keep_best: true,
};

#[test]
fn after_a_kill_the_last_completed_checkpoint_or_a_newer_one_is_valid() {
    let top = tempfile::tempdir().unwrap();
    let runs = top.path();
    drop(new_run(runs, "a"));
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut leftovers = 0;
    for kill in 0..KILLS {
        let before = completed(runs).len();
        let mut child = start_child(runs);
        wait_until(|| completed(runs).len() > before);
        // xorshift64: up to 20 ms, many saves long.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        thread::sleep(Duration::from_micros(random % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();

        let folder = RunFolder::open(runs, "a").unwrap();
        let names = fs::read_dir(folder.checkpoints_path()).unwrap();
        let unfinished = names.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension().is_some()
        });
        leftovers += unfinished.count();
        let checkpoints = Checkpoints::new(&folder, POLICY);
        for step in checkpoints.list().unwrap() {
            checkpoints.verify(step).unwrap();
        }
        let latest = checkpoints.latest_valid().unwrap();
        assert!(
            latest.skipped.is_empty(),
            "kill {kill}: {:?}",
            latest.skipped
        );
        let found = latest.require().unwrap();
        let last = completed(runs).last().copied().unwrap();
        assert!(
            found.step >= last,
            "kill {kill}: found {}, completed {last}",
            found.step
        );
        let weights = fs::read_to_string(found.path.join("model.safetensors")).unwrap();
        assert!(
            weights.starts_with(&format!("weights of step {}w", found.step)),
            "kill {kill}"
        );
    }
    assert!(leftovers > 0, "no kill hit a save, so nothing was tested");
}

/// Not a test of its own: what the test above starts and kills. It saves each step twice, so
/// that kills also hit replacements.
#[test]
fn child_that_saves_until_it_is_killed() {
    let Some(runs) = env::var_os(RUNS) else {
        return;
    };
    let runs = Path::new(&runs);
    let folder = RunFolder::open(runs, "a").unwrap();
    let mut checkpoints = Checkpoints::new(&folder, POLICY);
    let latest = checkpoints.latest_valid().unwrap().checkpoint;
    let first = latest.map_or(1, |found| found.step);
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(runs.join("log"))
        .unwrap();
    // The end is for a parent that died before it could kill.
    for step in first..first + 1_000_000 {
        for _ in 0..2 {
            let saved = save(&mut checkpoints, step);
            assert!(saved.not_pruned.is_none(), "{:?}", saved.not_pruned);
            log.write_all(format!("{step}\n").as_bytes()).unwrap();
        }
        if !runs.exists() {
            return;
        }
    }
}

fn start_child(runs: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::child_that_saves_until_it_is_killed"])
        .env(RUNS, runs)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The steps that the children reported as saved, in order.
fn completed(runs: &Path) -> Vec<u64> {
    let text = fs::read_to_string(runs.join("log")).unwrap_or_default();
    // A kill may leave half a line; the number in it is not complete.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "the child saves nothing"
        );
        thread::sleep(Duration::from_millis(1));
    }
}
