//! The folder of a sweep.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use miras_config::{Layers, Origins, annotated};
use miras_run::{RunError, read_sealed, remove_left, to_sealed_json, write_atomic};

use crate::{
    error::SweepError,
    expand::checksum,
    ledger::Ledger,
    plan::{Plan, SCHEMA, Trial, VERSION},
    resolve::ResolveConfig,
};

const PLAN: &str = "sweep.json";
const LEDGER: &str = "ledger.jsonl";
const TRIALS: &str = "trials";

/// The folder of a sweep, `runs/<sweep>/`.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    plan: Plan,
    ledger: Ledger,
}

impl SweepFolder {
    /// Whether there is a sweep of this name.
    pub fn exists(path: &Path) -> bool {
        path.join(PLAN).is_file()
    }

    /// Makes the folder of a new sweep; `configs` are the texts of the plan's trials.
    ///
    /// The plan is written last and makes it a sweep: what a kill before that leaves is overwritten.
    pub fn create(path: &Path, plan: Plan, configs: &[String]) -> Result<Self, SweepError> {
        if Self::exists(path) || path.join("config.toml").exists() {
            return Err(SweepError::Usage(format!(
                "{} exists already: go on with `--resume`, or choose another `--name`",
                path.display()
            )));
        }
        let mut folder = Self::at(path, plan);
        folder.write(configs)?;
        Ok(folder)
    }

    /// Opens an existing sweep.
    pub fn open(path: &Path) -> Result<Self, SweepError> {
        let file = path.join(PLAN);
        let damaged = |why: String| {
            SweepError::Damaged(format!(
                "{} is damaged or was changed: {why}; restore it, or remove it and start the sweep \
                 again with its file: what is done stays done",
                file.display()
            ))
        };
        let plan: Plan = read_sealed(&file).map_err(|error| match error {
            RunError::Io { cause, .. } if is_missing(&cause) => SweepError::Usage(format!(
                "{} is no sweep: it has no sweep.json; make one with `miras-train sweep FILE`",
                path.display()
            )),
            RunError::Malformed { cause, .. } => damaged(cause),
            other => other.into(),
        })?;
        if (plan.schema.as_str(), plan.version) != (SCHEMA, VERSION) {
            let why = format!("it is {} version {}", plan.schema, plan.version);
            return Err(damaged(format!(
                "{why}, and this program knows {SCHEMA} version {VERSION}"
            )));
        }
        Ok(Self::at(path, plan))
    }

    /// Opens an existing sweep to continue with the trials of `plan`, some of which may be new.
    ///
    /// A trial that was planned before the program had some key is the one that its configuration
    /// is with the present default, and keeps its id.
    pub fn resume(
        path: &Path,
        mut plan: Plan,
        configs: &[String],
        resolve: &dyn ResolveConfig,
    ) -> Result<Self, SweepError> {
        let folder = Self::open(path)?;
        folder.keep_ids(&mut plan, configs, resolve);
        let before = folder.plan;
        let ids: BTreeSet<&str> = plan.trials.iter().map(|trial| &*trial.id).collect();
        let lost: Vec<&Trial> = (before.trials.iter())
            .filter(|trial| !ids.contains(&*trial.id))
            .collect();
        if let Some(first) = lost.first() {
            let why = if before.source == plan.source {
                "The file is the one that it was planned with: if its `--set` and the files that it \
                 extends are, too, the sweep was planned by another version of the program, with \
                 other defaults. "
            } else {
                ""
            };
            return Err(SweepError::Usage(format!(
                "the sweep in {} has {} of {} trials that this file and its `--set` do not \
                 describe, the first is `{}`: more may be added, none changed. {why}It was started by \
                 `{}`; `worker` goes on with it as it was planned, and `--name` starts another",
                path.display(),
                lost.len(),
                before.trials.len(),
                first.name,
                before.command.join(" ")
            )));
        }
        // A known trial keeps its folder.
        let mut are_steps_the_same = true;
        for trial in &mut plan.trials {
            if let Some(old) = before.trials.iter().find(|old| old.id == trial.id) {
                trial.name.clone_from(&old.name);
                are_steps_the_same &= trial.steps == old.steps;
            }
        }
        let changed = [
            (
                plan.rungs == before.rungs && are_steps_the_same,
                "sweep.rungs",
            ),
            (plan.metric == before.metric, "sweep.metric"),
            (plan.goal == before.goal, "sweep.goal"),
        ];
        if let Some((_, key)) = changed.iter().find(|(is_same, _)| !is_same) {
            return Err(SweepError::Usage(format!(
                "the sweep in {} was begun with another `{key}`, by which its results so far are \
                 ranked: start another with `--name`",
                path.display()
            )));
        }
        let mut folder = Self::at(path, plan);
        folder.write(configs)?;
        folder.measure_again()?;
        Ok(folder)
    }

    /// Gives trials of a plan the ids that they have here, where these were made of a configuration
    /// without keys that came later.
    fn keep_ids(&self, plan: &mut Plan, configs: &[String], resolve: &dyn ResolveConfig) {
        let known: BTreeSet<String> = plan.trials.iter().map(|trial| trial.id.clone()).collect();
        let missed = (self.plan.trials.iter()).filter(|trial| !known.contains(&trial.id));
        let settled = missed.filter_map(|trial| {
            // What cannot be read, or settled, is a trial that the new plan does not have.
            let text = fs::read_to_string(self.config(trial)).ok()?;
            Some((settled(&text, resolve)?, &trial.id))
        });
        let settled: BTreeMap<String, &String> = settled.collect();
        if settled.is_empty() {
            return;
        }
        for (trial, config) in plan.trials.iter_mut().zip(configs) {
            let old = checksum(config).ok().and_then(|sum| settled.get(&sum));
            if let Some(&old) = old {
                trial.id.clone_from(old);
            }
        }
    }

    fn at(path: &Path, plan: Plan) -> Self {
        let ledger = Ledger::new(path.join(LEDGER), path.join(TRIALS));
        Self {
            path: path.to_owned(),
            plan,
            ledger,
        }
    }

    fn write(&mut self, configs: &[String]) -> Result<(), SweepError> {
        let trials = self.path.join(TRIALS);
        fs::create_dir_all(&trials).map_err(RunError::io("make", &trials))?;
        remove_left(&self.path);
        remove_left(&trials);
        for (at, config) in configs.iter().enumerate().take(self.plan.trials.len()) {
            let file = self.config(&self.plan.trials[at]);
            if fs::read_to_string(&file).ok().as_ref() != Some(config) {
                write_atomic(&file, config.as_bytes())?;
            }
            let sum = checksum(config).map_err(SweepError::damaged(&file))?;
            self.plan.trials[at].config = Some(sum);
        }
        let path = self.path.join(PLAN);
        let json = to_sealed_json(&path, &self.plan)?;
        Ok(write_atomic(&path, &json)?)
    }

    /// Refuses a trial that has not begun if its configuration is not the one that was planned.
    pub(crate) fn verify(&self, trial: &Trial) -> Result<(), SweepError> {
        let Some(planned) = &trial.config else {
            return Ok(());
        };
        if self.path.join(&trial.name).join("config.toml").is_file() {
            return Ok(());
        }
        let path = self.config(trial);
        let why = match fs::read_to_string(&path).map(|text| checksum(&text)) {
            Ok(Ok(sum)) if sum == *planned => return Ok(()),
            Ok(_) => "is damaged or was changed".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(SweepError::Damaged(format!(
            "{}, the configuration of trial `{}`, {why}: `sweep FILE --resume`, with the file of the \
             sweep, writes it again. The sweep was started by `{}`; other trials are described in \
             its file",
            path.display(),
            trial.name,
            self.plan.command.join(" ")
        )))
    }

    /// Whether the plan has checksums of its trials, as those of earlier versions have not.
    pub fn is_verified(&self) -> bool {
        self.plan.trials.iter().all(|trial| trial.config.is_some())
    }

    /// The folder itself, which is the `--runs` of its trials.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The resolved configuration of a trial.
    pub fn config(&self, trial: &Trial) -> PathBuf {
        self.path.join(TRIALS).join(format!("{}.toml", trial.id))
    }

    /// The output of the processes of a trial.
    pub fn log(&self, trial: &Trial) -> PathBuf {
        self.path.join(TRIALS).join(format!("{}.log", trial.id))
    }
}

/// The checksum of the configuration that a stored one is with the present keys.
fn settled(text: &str, resolve: &dyn ResolveConfig) -> Option<String> {
    let mut layers = Layers::new();
    layers.text("trial", text).ok()?;
    let resolved = resolve.resolve(layers).ok()?;
    checksum(&annotated(&resolved.stored, &Origins::default())).ok()
}

/// There is no such file, or what should be its folder is a file.
fn is_missing(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
