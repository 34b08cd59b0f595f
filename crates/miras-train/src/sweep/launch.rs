//! The processes of trials: this program again.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::Context as _;
use miras_sweep::{Evaluations, Launch, SweepFolder, Trial, What};

use super::resolve::has_limit;
use crate::args::WorkArgs;

const THREADS: &str = "RAYON_NUM_THREADS";

/// This program, as it was started.
pub(crate) struct Program {
    exe: PathBuf,
    device: Option<String>,
    threads: usize,
}

impl Program {
    pub(crate) fn new(args: &WorkArgs) -> anyhow::Result<Self> {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            exe: env::current_exe().context("the program does not know where it is")?,
            device: args.device.clone(),
            threads: (cpus / usize::from(args.jobs)).max(1),
        })
    }

    fn command(&self, word: &str, folder: &SweepFolder) -> Command {
        let mut command = Command::new(&self.exe);
        command.arg(word).arg("--runs").arg(folder.path());
        if let Some(device) = &self.device {
            command.args(["--device", device]);
        }
        // Jobs share the machine, unless somebody has said how.
        if env::var_os(THREADS).is_none() {
            command.env(THREADS, self.threads.to_string());
        }
        command
    }

    fn run(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        let mut command = self.command("run", folder);
        command
            .args(["--name", &trial.name, "--progress", "quiet"])
            .args(["--set", &format!("train.steps={steps}")]);
        command
    }
}

/// Options that a worker elsewhere is to be given as well.
pub(crate) fn words(args: &WorkArgs) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(device) = &args.device {
        words.extend(["--device".to_owned(), device.clone()]);
    }
    if args.fail_fast {
        words.push("--fail-fast".to_owned());
    }
    if args.jobs != 1 {
        words.extend(["--jobs".to_owned(), args.jobs.to_string()]);
    }
    words
}

impl Launch for Program {
    fn start(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        let mut command = self.run(folder, trial, steps);
        command.arg(folder.config(trial));
        command
    }

    fn resume(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        let mut command = self.run(folder, trial, steps);
        command.arg("--resume");
        command
    }

    fn evaluate(
        &self,
        folder: &SweepFolder,
        trial: &Trial,
        (what, memory, evaluations): (What<'_>, &str, &Evaluations),
        report: &Path,
    ) -> Command {
        let mut command = self.command("eval", folder);
        command.arg(&trial.name).args(["--memory", memory]);
        match what {
            What::Rows(length) => {
                command
                    .args(["--length", &length.to_string()])
                    .args(["--tokens", &evaluations.tokens.to_string()])
                    .args(["--stretches", &evaluations.stretches().to_string()]);
            }
            What::Task(task) => {
                command.args(["--task", task]);
                let limit = evaluations.limit.filter(|_| has_limit(task));
                let limit = limit.map(|limit| limit.to_string());
                command.args(limit.iter().flat_map(|limit| ["--limit", limit]));
            }
        }
        command.arg("--out").arg(report);
        command
    }
}
