//! The history of each trial, `ledger.jsonl`, and the locks of trials in progress.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::PathBuf,
    process::Stdio,
    time::SystemTime,
};

use miras_run::{RunError, rfc3339};
use serde::{Deserialize, Serialize};

use crate::{error::SweepError, plan::Trial};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in UTC, as RFC 3339.
    pub time: String,
    /// The trial's id.
    pub trial: String,
    /// What happened.
    pub event: EventKind,
    /// The rung, from 0.
    pub rung: usize,
    /// Steps done.
    pub steps: u64,
    /// The metric, if the trial is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The process that wrote the event.
    pub worker: String,
}

/// What happened to a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A worker took it.
    Running,
    /// It reached the end of the rung.
    Done,
    /// It cannot be trained.
    Failed,
    /// It was asked to stop and saved its state.
    Interrupted,
    /// Its process was killed.
    Killed,
    /// Its failure or result is discarded, and it is tried again.
    Retry,
}

/// The ledger of a sweep, shared by any number of processes.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    trials: PathBuf,
}

/// The lock on a trial in progress. It is released when this process and the one that got a
/// [`share`](Claim::share) of it have ended, however they ended.
#[derive(Debug)]
pub(crate) struct Claim(File);

impl Claim {
    /// The lock as the standard input of another process, which holds it as long as it runs, even if
    /// this process is killed.
    pub(crate) fn share(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.0.try_clone()?))
    }
}

impl Event {
    /// An event of now, by this process; runs do not record the name of the machine either.
    pub(crate) fn now(trial: &Trial, rung: usize, event: EventKind, steps: u64) -> Self {
        Self {
            time: rfc3339(SystemTime::now()),
            trial: trial.id.clone(),
            event,
            rung,
            steps,
            metric: None,
            reason: None,
            worker: format!("process {}", std::process::id()),
        }
    }
}

impl Ledger {
    pub(crate) fn new(path: PathBuf, trials: PathBuf) -> Self {
        Self { path, trials }
    }

    /// All events so far, oldest first. A torn final line, which is being written or was cut by a
    /// power loss, is skipped; a complete line that is not a valid event is an error.
    pub fn events(&self) -> Result<Vec<Event>, SweepError> {
        let bytes = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(RunError::io("read", &self.path))?,
        };
        let mut events = Vec::new();
        for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line.trim_ascii_end()) {
                Ok(event) => events.push(event),
                Err(_) if is_torn(line) => {}
                Err(error) => {
                    // The position that it gives is inside of this line.
                    let why = error.to_string().replace(" at line 1 column", " at column");
                    return Err(SweepError::Damaged(format!(
                        "{}:{}: this line is damaged: {why}; restore the file, or remove the line, \
                         and what it says is forgotten: a trial that was done is then trained again",
                        self.path.display(),
                        at + 1
                    )));
                }
            }
        }
        Ok(events)
    }

    /// Appends a line, which is on the disk when this returns.
    pub fn append(&self, event: &Event) -> Result<(), SweepError> {
        let line = serde_json::to_string(event).map_err(SweepError::damaged(&self.path))?;
        Ok((self.write(&line)).map_err(RunError::io("write", &self.path))?)
    }

    /// Writes under a lock, because some file systems do not append atomically.
    fn write(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)?;
        file.lock()?;
        mend(&mut file)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()?;
        file.unlock()
    }

    /// Locks a trial; `None` if another process holds it.
    pub(crate) fn claim(&self, id: &str) -> Result<Option<Claim>, SweepError> {
        let path = self.trials.join(format!("{id}.lock"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(RunError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(RunError::io("lock", &path)(error).into()),
        }
    }
}

/// Whether a line has no line end and is not a valid event.
fn is_torn(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && serde_json::from_slice::<Event>(line).is_err()
}

/// Completes the last line, or removes it if it is torn. The file is locked, so its writer has
/// ended. Otherwise the next line would be appended to a torn one.
fn mend(file: &mut File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let start = (bytes.iter().rposition(|&byte| byte == b'\n')).map_or(0, |end| end + 1);
    match &bytes[start..] {
        [] => Ok(()),
        torn if is_torn(torn) => file.set_len(start as u64),
        _ => file.write_all(b"\n"),
    }
}
