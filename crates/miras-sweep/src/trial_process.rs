//! Runs one trial to the end of one rung, in its own process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use miras_run::metrics::SKIPPED;
use miras_run::{RunError, RunFolder, Status, Summary};

use crate::{
    error::SweepError,
    folder::SweepFolder,
    ledger::Claim,
    plan::{Evaluations, Trial, What},
};

/// The first and the longest pause between checks of a process.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// How often its progress is read.
const PROGRESS: Duration = Duration::from_millis(500);
/// Bytes that are read at the end of a file.
const TAIL_BYTES: u64 = 1 << 14;
/// The exit code of a process that was asked to stop and saved its state.
const INTERRUPTED: i32 = 130;

/// The commands that train and evaluate. They end with the exit codes of `miras-train`.
pub trait Launch: Sync {
    /// Trains a new run to `steps`.
    fn start(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command;
    /// Continues an existing run.
    fn resume(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command;
    /// Evaluates at a length with a memory mode, and writes the report.
    fn evaluate(
        &self,
        folder: &SweepFolder,
        trial: &Trial,
        evaluation: (What<'_>, &str, &Evaluations),
        report: &Path,
    ) -> Command;
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Done {
        metric: f64,
    },
    Failed(String),
    Interrupted,
    /// The disk of its folder cannot be written to.
    NoRoom(String),
    Killed(String),
}

/// A trial that is being carried out.
pub(crate) struct Work<'a> {
    pub(crate) folder: &'a SweepFolder,
    pub(crate) trial: &'a Trial,
    pub(crate) rung: usize,
    pub(crate) claim: &'a Claim,
    pub(crate) launch: &'a dyn Launch,
    /// Whether to stop.
    pub(crate) stop: &'a dyn Fn() -> bool,
    /// Receives the number of steps done.
    pub(crate) progress: &'a dyn Fn(u64),
}

impl Work<'_> {
    /// Trains and evaluates as far as not done yet. Returns the steps done and how it ended.
    pub(crate) fn run_trial(&self) -> Result<(u64, End), SweepError> {
        let steps = self.trial.steps[self.rung];
        // A run that reached its time limit is trained, too.
        let is_trained = |summary: &Summary| match summary.status {
            Status::Finished => summary.steps >= steps,
            Status::Time => true,
            _ => false,
        };
        if !self.summary()?.is_some_and(|summary| is_trained(&summary)) {
            let command = if self.run_folder().join("config.toml").is_file() {
                self.launch.resume(self.folder, self.trial, steps)
            } else {
                self.launch.start(self.folder, self.trial, steps)
            };
            if let Some(end) = self.run(command)? {
                let done = self
                    .summary()?
                    .map_or_else(|| self.logged(), |done| done.steps);
                return Ok((done, end));
            }
        }
        let Some(summary) = self.summary()?.filter(is_trained) else {
            let why = "the run ended well, but its summary.json does not say so".to_owned();
            return Ok((self.logged(), End::Failed(why)));
        };
        let is_last = self.rung + 1 == self.folder.plan().rungs.len();
        if is_last
            && let Some(evaluations) = &self.folder.plan().evaluate
            && let Some(end) = self.evaluate(evaluations)?
        {
            return Ok((summary.steps, end));
        }
        let skipped = summary.metrics.get(SKIPPED.name).copied().unwrap_or(0.0);
        if 2.0 * skipped > summary.steps as f64 {
            let why = format!(
                "skipped {skipped} of its {} steps, because something in them was not finite",
                summary.steps
            );
            return Ok((summary.steps, End::Failed(why)));
        }
        let end = match summary.metrics.get(&self.folder.plan().metric) {
            Some(&metric) => End::Done { metric },
            None => End::Failed(self.no_metric(&summary)),
        };
        Ok((summary.steps, end))
    }

    fn evaluate(&self, evaluations: &Evaluations) -> Result<Option<End>, SweepError> {
        for (what, memory) in evaluations.each(self.trial.has_memory()) {
            if self.folder.is_measured(self.trial, what, memory)? {
                continue;
            }
            let file = self.run_folder().join(what.file(memory));
            let evaluation = (what, memory, evaluations);
            let command = (self.launch).evaluate(self.folder, self.trial, evaluation, &file);
            if let Some(end) = self.run(command)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Runs a command to its end; `None` if it succeeded.
    fn run(&self, mut command: Command) -> Result<Option<End>, SweepError> {
        let log = self.folder.log(self.trial);
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file = file.map_err(RunError::io("open", &log))?;
        let log_start = file.metadata().map_or(0, |file| file.len());
        let share = (self.claim.share()).map_err(RunError::io("share the lock for", &log))?;
        command.stdin(share).stdout(Stdio::null()).stderr(file);
        // In its own process group, so that it gets Ctrl-C only once, from this process.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let ended = command.spawn().and_then(|mut child| self.wait(&mut child));
        let (status, was_interrupted) = ended.map_err(|cause| SweepError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            cause,
        })?;
        let end = match status.code() {
            Some(0) => None,
            Some(INTERRUPTED) => Some(End::Interrupted),
            // It was asked to stop before it handled signals.
            None if was_interrupted => Some(End::Interrupted),
            Some(code) => Some(self.failed(code, &log, log_start)),
            None => Some(End::Killed(killed_by(status))),
        };
        Ok(end)
    }

    /// Waits for the end. Returns also whether the process was asked to stop.
    fn wait(&self, child: &mut Child) -> io::Result<(ExitStatus, bool)> {
        let mut pause = MIN_PAUSE;
        let mut was_interrupted = false;
        let mut looked = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status, was_interrupted));
            }
            if !was_interrupted && (self.stop)() {
                interrupt(child)?;
                was_interrupted = true;
            }
            if looked.elapsed() >= PROGRESS {
                looked = Instant::now();
                (self.progress)(self.logged());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// How a failed process ended: by itself, or because the disk cannot be written to.
    fn failed(&self, code: i32, log: &Path, log_start: u64) -> End {
        match self.reason(log, log_start) {
            Some(reason) if names_full_disk(&reason) => return End::NoRoom(reason),
            Some(reason) => return End::Failed(reason),
            None => {}
        }
        // A full disk may have taken its message too.
        let text = format!("it ended with exit code {code} and said nothing");
        let write = || {
            let mut file = OpenOptions::new().append(true).open(log)?;
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_data()
        };
        match write() {
            Ok(()) => End::Failed(text),
            Err(error) => End::NoRoom(format!("cannot write {}: {error}", log.display())),
        }
    }

    /// The reason in one line; `None` if it printed nothing.
    fn reason(&self, log: &Path, log_start: u64) -> Option<String> {
        let text = tail(log, log_start).unwrap_or_default();
        let summary = self.summary().ok().flatten();
        let message = summary
            .filter(|summary| matches!(summary.status, Status::Nonfinite | Status::Failed))
            .and_then(|summary| summary.message);
        let last_error = || {
            // After a power loss, unwritten blocks read as NUL.
            let is_empty = |c: char| c.is_whitespace() || c.is_control();
            let lines: Vec<&str> = (text.lines())
                .filter(|line| !line.chars().all(is_empty))
                .collect();
            let error = lines.iter().rev().find(|line| line.starts_with("error: "));
            let line = error.or(lines.last())?;
            Some(line.trim_start_matches("error: ").to_owned())
        };
        message.or_else(last_error)
    }

    fn no_metric(&self, summary: &Summary) -> String {
        let names: Vec<&str> = summary.metrics.keys().map(String::as_str).collect();
        let metric = &self.folder.plan().metric;
        format!("the run has no `{metric}`, it has {}", names.join(", "))
    }

    fn run_folder(&self) -> std::path::PathBuf {
        self.folder.path().join(&self.trial.name)
    }

    fn summary(&self) -> Result<Option<Summary>, SweepError> {
        if !self.run_folder().join("config.toml").is_file() {
            return Ok(None);
        }
        let run = RunFolder::open_to_read(self.folder.path(), &self.trial.name)?;
        Ok(run.read_summary()?)
    }

    /// The step of the last line of metrics.
    fn logged(&self) -> u64 {
        let step = || {
            let tail = tail(&self.run_folder().join("metrics.jsonl"), 0).ok()?;
            let lines = tail.lines().rev();
            lines
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
                .find_map(|line| line.get("step")?.as_u64())
        };
        step().unwrap_or(0)
    }
}

/// The end of a file, from `offset` on and at most [`TAIL_BYTES`] long.
fn tail(path: &Path, offset: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let last = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(offset.max(last)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a reason is an error of the system because of a full or read-only disk, or a quota. Its
/// number is part of the message in every language.
fn names_full_disk(reason: &str) -> bool {
    let numbers: &[i32] = if cfg!(windows) {
        &[39, 112]
    } else if cfg!(target_os = "macos") {
        &[28, 30, 69]
    } else {
        &[28, 30, 122]
    };
    let names = |number: &i32| reason.contains(&format!("(os error {number})"));
    numbers.iter().any(names)
}

/// Asks a process to save its state and end.
#[cfg(unix)]
fn interrupt(child: &Child) -> io::Result<()> {
    use nix::{errno::Errno, sys::signal, unistd::Pid};
    match signal::kill(Pid::from_raw(child.id() as i32), signal::Signal::SIGINT) {
        // It has ended already.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Without signals the process is killed, and continues from its newest checkpoint next time.
#[cfg(not(unix))]
fn interrupt(child: &mut Child) -> io::Result<()> {
    child.kill()
}

#[cfg(unix)]
fn killed_by(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(9) => "killed by signal 9, as the system does when memory runs out".to_owned(),
        Some(signal) => format!("killed by signal {signal}"),
        None => "ended without an exit code".to_owned(),
    }
}

#[cfg(not(unix))]
fn killed_by(_: ExitStatus) -> String {
    "ended without an exit code".to_owned()
}
