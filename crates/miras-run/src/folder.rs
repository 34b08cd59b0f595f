//! The folder of one run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Result, RunError};
use crate::files::{is_taken, read_json, remove_unfinished, sync_folder, write_atomic, write_json};
use crate::lock::{self, Lock};
use crate::names;
use crate::provenance::RunRecord;
use crate::summary::Summary;
use crate::unborn;

const CONFIG: &str = "config.toml";
const RECORD: &str = "run.json";
const SUMMARY: &str = "summary.json";

/// The folder of one run, `runs/<name>/`.
///
/// Made by [`create`](Self::create) or [`open`](Self::open) it is locked: a second process
/// that asks for it gets an error. The lock lasts as long as this value or a
/// [`Checkpoints`](crate::Checkpoints) made from it, and ends with the process however that
/// ends. [`open_to_read`](Self::open_to_read) takes no lock and cannot write.
#[derive(Debug)]
pub struct RunFolder {
    name: String,
    path: PathBuf,
    lock: Option<Lock>,
}

impl RunFolder {
    /// Makes and locks the folder of a new run, with its resolved configuration and its
    /// `run.json`. An existing folder is an error.
    ///
    /// The folder takes its name only when both files are in it: a kill at any instant leaves
    /// no run at all or one that can be continued. What it may leave beside is a folder
    /// `.new-….tmp`, which is no run; [`open`](Self::open) removes those that are an hour old.
    pub fn create(runs_dir: &Path, name: &str, config: &str, record: &RunRecord) -> Result<Self> {
        names::check(name)?;
        fs::create_dir_all(runs_dir).map_err(RunError::io("make", runs_dir))?;
        let path = runs_dir.join(name);
        // A rename would take the place of an empty folder.
        if is_taken(&path)? {
            return Err(RunError::Exists { path });
        }
        let unfinished = unborn::make(runs_dir)?;
        let made = write_atomic(&unfinished.join(CONFIG), config.as_bytes())
            .and_then(|()| write_json(&unfinished.join(RECORD), record))
            .and_then(|()| match fs::rename(&unfinished, &path) {
                // Another process was faster.
                Err(_) if is_taken(&path)? => Err(RunError::Exists { path: path.clone() }),
                result => result.map_err(RunError::io("make", &path)),
            });
        if made.is_err() {
            // The first failure is the one to report.
            let _ = fs::remove_dir_all(&unfinished);
        }
        made?;
        sync_folder(runs_dir)?;
        // Locked under its final name, for not every system renames a folder with open files.
        let lock = Some(lock::acquire(&path)?);
        Ok(Self {
            name: name.to_owned(),
            path,
            lock,
        })
    }

    /// Opens and locks the folder of an existing run, to continue it.
    pub fn open(runs_dir: &Path, name: &str) -> Result<Self> {
        let mut folder = Self::open_to_read(runs_dir, name)?;
        folder.lock = Some(lock::acquire(&folder.path)?);
        for file in [CONFIG, RECORD, SUMMARY] {
            remove_unfinished(&folder.path.join(file))?;
        }
        unborn::remove_left(runs_dir, &[CONFIG, RECORD]);
        Ok(folder)
    }

    /// Opens the folder of an existing run without locking it, to look at it while a
    /// process may train in it.
    pub fn open_to_read(runs_dir: &Path, name: &str) -> Result<Self> {
        names::check(name)?;
        let path = runs_dir.join(name);
        if !path.is_dir() {
            let names = Self::names(runs_dir)?;
            let nearest = names::nearest(name, &names);
            return Err(RunError::NoRun {
                path,
                nearest,
                names,
            });
        }
        if !path.join(CONFIG).is_file() {
            return Err(RunError::NoConfig { path });
        }
        Ok(Self {
            name: name.to_owned(),
            path,
            lock: None,
        })
    }

    /// The first of `stem`, `stem-2`, `stem-3`, … that no file or folder has.
    pub fn unused_name(runs_dir: &Path, stem: &str) -> Result<String> {
        names::check(stem)?;
        let mut name = stem.to_owned();
        let mut count = 1_u64;
        while is_taken(&runs_dir.join(&name))? {
            count += 1;
            name = format!("{stem}-{count}");
        }
        Ok(name)
    }

    /// The names of the runs in a folder, sorted; none if there is no such folder.
    pub fn names(runs_dir: &Path) -> Result<Vec<String>> {
        let entries = match fs::read_dir(runs_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(RunError::io("list", runs_dir))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(RunError::io("list", runs_dir))?;
            if entry.path().join(CONFIG).is_file()
                && let Ok(name) = entry.file_name().into_string()
                && names::check(&name).is_ok()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether a process trains in it now.
    pub fn is_busy(&self) -> bool {
        lock::is_held(&self.path)
    }

    /// The run's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the logger writes its lines.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Where the checkpoints are.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Writes the resolved configuration.
    pub fn write_config(&self, toml: &str) -> Result<()> {
        self.writable()?;
        write_atomic(&self.config_path(), toml.as_bytes())
    }

    /// The resolved configuration, as text.
    pub fn read_config(&self) -> Result<String> {
        let path = self.config_path();
        fs::read_to_string(&path).map_err(RunError::io("read", &path))
    }

    /// Where the resolved configuration is, for messages about its content.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Writes `run.json`.
    pub fn write_record(&self, record: &RunRecord) -> Result<()> {
        self.writable()?;
        write_json(&self.path.join(RECORD), record)
    }

    /// Reads `run.json`.
    pub fn read_record(&self) -> Result<RunRecord> {
        read_json(&self.path.join(RECORD))
    }

    /// Writes `summary.json`.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        self.writable()?;
        write_json(&self.path.join(SUMMARY), summary)
    }

    /// Reads `summary.json`; a run that has not ended yet has none.
    pub fn read_summary(&self) -> Result<Option<Summary>> {
        let path = self.path.join(SUMMARY);
        if is_taken(&path)? {
            read_json(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Removes `summary.json`: a run that is continued has not ended.
    pub fn remove_summary(&self) -> Result<()> {
        self.writable()?;
        let path = self.path.join(SUMMARY);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(RunError::io("remove", &path)),
        }
    }

    pub(crate) fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    fn writable(&self) -> Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(RunError::ReadOnly {
                path: self.path.clone(),
            }),
        }
    }
}
