//! The folder of one run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Result, RunError};
use crate::files::{is_taken, remove_unfinished, write_atomic};
use crate::lock::{self, Lock};
use crate::names::{self, CONFIG, EXPORT, RECORD, SUMMARY, TOKENIZER};
use crate::new_folder::{self, new_folder};
use crate::provenance::RunRecord;
use crate::seal::{read_sealed, to_sealed_json};
use crate::summary::Summary;
use crate::vouched::{self, Vouched, record_json};

/// The beginnings of the names of files that only the training process writes.
const OF_TRAINING: [&str; 5] = [CONFIG, RECORD, SUMMARY, "metrics.jsonl", "events.out."];

/// The folder of one run, `runs/<name>/`.
///
/// [`create`](Self::create) and [`open`](Self::open) lock it: a second process gets an error. The
/// lock is held as long as this value or a [`Checkpoints`](crate::Checkpoints) made from it
/// exists, at most until the process ends. [`open_to_read`](Self::open_to_read) takes no lock and
/// cannot write.
#[derive(Debug)]
pub struct RunFolder {
    name: String,
    path: PathBuf,
    lock: Option<Lock>,
}

impl RunFolder {
    /// Makes and locks the folder of a new run, with its resolved configuration, its `run.json`
    /// and the files of its tokenizer, which go into `tokenizer/`. An existing folder is an
    /// error.
    ///
    /// The folder gets its name when all files are in it: a kill at any instant leaves either no
    /// run or one that can be continued. It may also leave a folder `.new-….tmp`, which does not
    /// count as a run; one that is an hour old is removed by the next [`create`](Self::create) or
    /// [`open`](Self::open).
    pub fn create(
        runs_dir: &Path,
        name: &str,
        config: &str,
        record: &RunRecord,
        tokenizer: &[(String, Vec<u8>)],
    ) -> Result<Self> {
        names::check(name)?;
        let path = runs_dir.join(name);
        if is_taken(&path)? {
            return Err(RunError::Exists { path });
        }
        let json = record_json(&path.join(RECORD), record, &[config])?;
        let mut files = vec![
            (CONFIG.to_owned(), config.as_bytes()),
            (RECORD.to_owned(), &*json),
        ];
        let tokenizer = tokenizer.iter();
        files.extend(tokenizer.map(|(name, bytes)| (format!("{TOKENIZER}/{name}"), &**bytes)));
        if let Err(error) = new_folder(&path, &files) {
            // Another process may have been faster.
            return Err(if is_taken(&path)? {
                RunError::Exists { path }
            } else {
                error
            });
        }
        // Locked under its final name, because some systems cannot rename a folder with open files.
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
        let is_ours = |stem: &str| OF_TRAINING.iter().any(|start| stem.starts_with(start));
        remove_unfinished(&folder.path, is_ours);
        new_folder::remove_left(runs_dir);
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
            let is_set_up = is_taken(&path.join(RECORD))? || is_taken(&path.join(EXPORT))?;
            return Err(if is_set_up {
                let path = path.join(CONFIG);
                RunError::ConfigGone { path }
            } else {
                RunError::NoConfig { path }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            path,
            lock: None,
        })
    }

    /// The first of `stem`, `stem-2`, `stem-3`, … that is not the name of a file or folder.
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

    /// The names of the runs in a folder, sorted; empty if there is no such folder.
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

    /// The file of the logger.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The folder of the checkpoints.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The folder of the files of its tokenizer, if it has one.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.path.join(TOKENIZER)
    }

    /// Writes files of its tokenizer, to replace damaged ones.
    pub fn write_tokenizer(&self, files: &[(String, Vec<u8>)]) -> Result<()> {
        self.writable()?;
        let folder = self.tokenizer_path();
        if files.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(&folder).map_err(RunError::io("make", &folder))?;
        for (name, bytes) in files {
            write_atomic(&folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// Writes the resolved configuration and its checksum in `run.json`. A kill in between leaves
    /// the old or the new configuration, and both checksums are in the record.
    pub fn rewrite(&self, config: &str, record: &RunRecord) -> Result<()> {
        self.writable()?;
        let path = self.path.join(RECORD);
        let before = self.config_text()?;
        write_atomic(&path, &record_json(&path, record, &[&before, config])?)?;
        write_atomic(&self.config_path(), config.as_bytes())?;
        write_atomic(&path, &record_json(&path, record, &[config])?)
    }

    /// The resolved configuration, as text; an error if it is not what was written.
    pub fn read_config(&self) -> Result<String> {
        self.verify_config()?;
        self.config_text()
    }

    /// Compares `config.toml` with the checksum in `run.json` or, for an export, `export.json`.
    pub fn verify_config(&self) -> Result<Vouched> {
        vouched::config(&self.path)
    }

    fn config_text(&self) -> Result<String> {
        let path = self.config_path();
        fs::read_to_string(&path).map_err(RunError::io("read", &path))
    }

    /// The path of the resolved configuration, for messages about its content.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Reads `run.json`.
    pub fn read_record(&self) -> Result<RunRecord> {
        read_sealed(&self.path.join(RECORD))
    }

    /// Writes `summary.json`.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        self.writable()?;
        let path = self.path.join(SUMMARY);
        write_atomic(&path, &to_sealed_json(&path, summary)?)
    }

    /// Reads `summary.json`; `None` for a run that has not ended yet.
    pub fn read_summary(&self) -> Result<Option<Summary>> {
        let path = self.path.join(SUMMARY);
        if is_taken(&path)? {
            read_sealed(&path).map(Some)
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

    pub(crate) fn writable(&self) -> Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(RunError::ReadOnly {
                path: self.path.clone(),
            }),
        }
    }
}
