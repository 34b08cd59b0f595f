//! What happened to each trial: `ledger.jsonl`, and who is at one.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use miras_run::RunError;
use serde::{Deserialize, Serialize};

use crate::error::SweepError;

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in UTC, as RFC 3339.
    pub time: String,
    /// The trial's id.
    pub trial: String,
    /// What happened.
    pub event: What,
    /// The budget that it was about, from 0.
    pub rung: usize,
    /// Steps done.
    pub steps: u64,
    /// The metric, if the trial is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The process that says so.
    pub worker: String,
}

/// What happened to a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A worker took it.
    Running,
    /// It got to the end of the rung.
    Done,
    /// It cannot be trained.
    Failed,
    /// It was told to stop, and has saved.
    Interrupted,
    /// Its process was killed.
    Killed,
    /// A failure is forgotten.
    Retry,
}

/// The ledger of a sweep, shared by any number of processes.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    trials: PathBuf,
}

/// A trial that this process is at. The lock ends with the process, and with the one that was
/// given a [`share`](Claim::share) of it, however they end.
#[derive(Debug)]
pub(crate) struct Claim(File);

impl Claim {
    /// The lock as the input of a process: it holds as long as that one runs, even if this one
    /// is killed.
    pub(crate) fn share(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.0.try_clone()?))
    }
}

impl Ledger {
    pub(crate) fn new(path: PathBuf, trials: PathBuf) -> Self {
        Self { path, trials }
    }

    /// All events so far, oldest first. A last line without its end is one that is being written,
    /// or that a power cut tore, and is left out unless it is whole; any other line that is no
    /// event is an error.
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
                    return Err(SweepError::DamagedLine {
                        path: self.path.clone(),
                        line: at + 1,
                        // It counts lines inside of this one.
                        why: error.to_string().replace(" at line 1 column", " at column"),
                    });
                }
            }
        }
        Ok(events)
    }

    /// Adds a line, which is on the disk when this returns.
    pub fn append(&self, event: &Event) -> Result<(), SweepError> {
        let line = serde_json::to_string(event).map_err(|error| SweepError::Damaged {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
        Ok((self.write(&line)).map_err(RunError::io("write", &self.path))?)
    }

    /// Under a lock, for not every file system appends in one piece.
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

    /// Takes a trial, unless somebody is at it.
    pub(crate) fn claim(&self, id: &str) -> Result<Option<Claim>, SweepError> {
        let path = self.trials.join(format!("{id}.lock"));
        let file = open_lock(&path).map_err(RunError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(RunError::io("lock", &path)(error).into()),
        }
    }
}

/// Whether a line has no end and is no event either.
fn is_torn(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && serde_json::from_slice::<Event>(line).is_err()
}

/// Ends the last line, or removes it where it is torn: whoever wrote it is gone, for the file is
/// locked. A torn line that stayed would be a damaged one in the middle of the file.
fn mend(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let start = (bytes.iter().rposition(|&byte| byte == b'\n')).map_or(0, |end| end + 1);
    if is_torn(&bytes[start..]) {
        file.set_len(start as u64)
    } else {
        file.write_all(b"\n")
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Who writes an event. Not the name of the machine, which runs do not record either.
pub(crate) fn this_process() -> String {
    format!("process {}", std::process::id())
}
