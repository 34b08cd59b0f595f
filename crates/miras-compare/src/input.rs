//! Reads run folders and sweep folders.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use miras_config::Renamed;
use miras_run::Status;
use miras_sweep::{Plan, SweepFolder, names_a_point, states};

use crate::CompareError;
use crate::run::{Run, State};

/// A sweep: the same file with some keys varied.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Its folder.
    pub path: PathBuf,
    /// What was planned.
    pub plan: Plan,
}

impl Deref for Sweep {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// Reads run folders and sweep folders; what is named twice is read once.
pub(crate) fn read(
    paths: &[PathBuf],
    renamed: &'static [Renamed],
) -> Result<(Vec<Run>, Vec<Sweep>), CompareError> {
    if paths.is_empty() {
        let message = "nothing to compare: name run folders or sweep folders";
        return Err(CompareError::Usage(message.to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut new = Vec::new();
    for given in paths {
        let path = fs::canonicalize(given).unwrap_or_else(|_| given.clone());
        if !is_sweep(&path) && !is_run(&path) {
            return Err(neither(given));
        }
        if seen.insert(path.clone()) {
            new.push(path);
        }
    }
    let (mut runs, mut sweeps) = (Vec::new(), Vec::new());
    // Sweeps first: a run that is also named by itself belongs to its sweep.
    let (of_sweeps, of_runs): (Vec<_>, Vec<_>) = new.into_iter().partition(|path| is_sweep(path));
    for path in of_sweeps {
        let folder = SweepFolder::open(&path)?;
        read_trials(&folder, sweeps.len(), renamed, &mut runs)?;
        let plan = folder.plan().clone();
        sweeps.push(Sweep { path, plan });
    }
    let trials: BTreeSet<PathBuf> = (sweeps.iter())
        .flat_map(|sweep| {
            sweep
                .trials
                .iter()
                .map(|trial| sweep.path.join(&trial.name))
        })
        .collect();
    for path in of_runs.iter().filter(|path| !trials.contains(*path)) {
        runs.push(Run::read(path, renamed)?);
    }
    Ok((runs, sweeps))
}

fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}

fn is_sweep(path: &Path) -> bool {
    path.join("sweep.json").is_file()
}

/// Reads the runs of a sweep, those that have not started among them; `index` is that of the sweep.
fn read_trials(
    folder: &SweepFolder,
    index: usize,
    renamed: &'static [Renamed],
    runs: &mut Vec<Run>,
) -> Result<(), CompareError> {
    let mut states = states(&folder.ledger().events()?);
    for trial in &folder.plan().trials {
        let path = folder.path().join(&trial.name);
        let mut run = if is_run(&path) {
            Run::read(&path, renamed)?
        } else {
            Run::planned(trial)
        };
        if let Some(state) = states.remove(&trial.id) {
            if let Some(reason) = state.failed {
                // What the run itself says of its end is more precise.
                let ended = State::Ended(Status::Nonfinite);
                if run.state != ended && run.state != State::Ended(Status::Interrupted) {
                    run.state = State::Ended(Status::Failed);
                }
                run.reason = Some(reason);
            } else if run.path.is_none() && !state.done.is_empty() {
                run.state = State::Ended(Status::Failed);
                run.reason = Some("its run folder is gone".to_owned());
            } else if run.path.is_none() && state.is_taken {
                run.state = State::Unfinished;
            }
        }
        // What a point is called stands for what it sets.
        let names = trial.values.iter().filter(|(key, _)| names_a_point(key));
        (run.settings).extend(names.map(|(key, value)| (key.clone(), value.clone())));
        run.trial = Some((index, trial.clone()));
        runs.push(run);
    }
    Ok(())
}

fn neither(path: &Path) -> CompareError {
    let hint = if path.is_dir() {
        let inside = names_in(path);
        match &*inside {
            [] => String::new(),
            [one] => format!(": it holds the run {one}; name that"),
            many => format!(
                ": it holds {} runs; name them, as in {}",
                many.len(),
                path.join("*").display()
            ),
        }
    } else {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let names = names_in(parent.unwrap_or(Path::new(".")));
        let near = miras_config::did_you_mean(&name, names.iter().map(String::as_str));
        near.map_or(String::new(), |near| {
            format!("; did you mean {}?", path.with_file_name(near).display())
        })
    };
    CompareError::Usage(format!(
        "{} is neither a run (a folder with config.toml) nor a sweep (a folder with sweep.json){hint}",
        path.display()
    ))
}

/// The names of the runs and sweeps in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| is_run(&entry.path()) || is_sweep(&entry.path()));
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
