//! From paths to runs and sweeps.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Run, State, Sweep, sweep};
use crate::CompareError;

/// Everything that the paths lead to.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) runs: Vec<Run>,
    pub(crate) sweeps: Vec<Sweep>,
}

/// Reads run folders and sweep folders; what is named twice is read once.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Input, CompareError> {
    if paths.is_empty() {
        return Err(CompareError::NoPaths);
    }
    let mut input = Input {
        runs: Vec::new(),
        sweeps: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    // Sweeps first: a run that is named beside its sweep is the sweep's.
    let mut alone = Vec::new();
    for given in paths {
        let path = fs::canonicalize(given).unwrap_or_else(|_| given.clone());
        if path.join("sweep.json").is_file() {
            if seen.insert(path.clone()) {
                input.sweep(&path, &mut seen)?;
            }
        } else if path.join("config.toml").is_file() {
            alone.push(path);
        } else {
            return Err(neither(given));
        }
    }
    for path in alone {
        if seen.insert(path.clone()) {
            input.runs.push(Run::read(&path)?);
        }
    }
    Ok(input)
}

impl Input {
    fn sweep(&mut self, folder: &Path, seen: &mut BTreeSet<PathBuf>) -> Result<(), CompareError> {
        let (sweep, mut states) = sweep::read(folder)?;
        for trial in &sweep.trials {
            let path = folder.join(&trial.name);
            let mut run = if path.join("config.toml").is_file() {
                Run::read(&path)?
            } else {
                Run::planned(trial)
            };
            seen.insert(path);
            if let Some(stands) = states.remove(&trial.id) {
                if let Some(reason) = stands.failed {
                    // What the run itself said of its end is the better word for it.
                    if !matches!(run.state, State::Nonfinite | State::Interrupted) {
                        run.state = State::Failed;
                    }
                    run.reason = Some(reason);
                } else if run.path.is_none() && !stands.done.is_empty() {
                    run.state = State::Failed;
                    run.reason = Some("its run folder is gone".to_owned());
                } else if run.path.is_none() && stands.is_taken {
                    run.state = State::Unfinished;
                }
            }
            run.trial = Some((self.sweeps.len(), trial.clone()));
            self.runs.push(run);
        }
        self.sweeps.push(sweep);
        Ok(())
    }
}

fn neither(path: &Path) -> CompareError {
    let hint = if path.is_dir() {
        let inside = runs_in(path);
        match inside.first() {
            Some(first) if inside.len() == 1 => format!(": it holds the run {first}; name that"),
            Some(_) => format!(
                ": it holds {} runs; name them, as in {}",
                inside.len(),
                path.join("*").display()
            ),
            None => String::new(),
        }
    } else {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let there = runs_in(parent);
        let near = miras_config::did_you_mean(&name, there.iter().map(String::as_str));
        near.map_or(String::new(), |near| {
            format!("; did you mean {}?", path.with_file_name(near).display())
        })
    };
    CompareError::Neither {
        path: path.to_owned(),
        hint,
    }
}

/// The names of the runs and sweeps in a folder, sorted.
fn runs_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| {
            let path = entry.path();
            path.join("config.toml").is_file() || path.join("sweep.json").is_file()
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
