//! The folder of a sweep.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use miras_run::{Goal, RunError, read_sealed, remove_left, to_sealed_json, write_atomic};

use crate::{
    error::SweepError,
    ledger::Ledger,
    plan::{Plan, SCHEMA, Trial, VERSION},
    trials::checksum,
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
            let path = path.to_owned();
            return Err(SweepError::Exists { path });
        }
        let mut folder = Self::at(path, plan);
        folder.write(configs)?;
        Ok(folder)
    }

    /// Opens an existing sweep.
    pub fn open(path: &Path) -> Result<Self, SweepError> {
        let file = path.join(PLAN);
        let damaged = |why: String| SweepError::Plan {
            path: file.clone(),
            why,
        };
        let plan: Plan = read_sealed(&file).map_err(|error| match error {
            RunError::Io { cause, .. } if is_missing(&cause) => SweepError::NoSweep {
                path: path.to_owned(),
            },
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
    pub fn again(path: &Path, plan: Plan, configs: &[String]) -> Result<Self, SweepError> {
        let before = Self::open(path)?.plan;
        let ids: BTreeSet<&str> = plan.trials.iter().map(|trial| &*trial.id).collect();
        let lost: Vec<&Trial> = (before.trials.iter())
            .filter(|trial| !ids.contains(&*trial.id))
            .collect();
        if let Some(first) = lost.first() {
            return Err(SweepError::Changed {
                path: path.to_owned(),
                missing: lost.len(),
                all: before.trials.len(),
                first: first.name.clone(),
                command: before.command.join(" "),
            });
        }
        let changed = [
            (
                plan.rungs != before.rungs || steps_of(&plan, &before) != steps_of(&before, &plan),
                "sweep.rungs",
            ),
            (plan.metric != before.metric, "sweep.metric"),
            (plan.goal != before.goal, "sweep.goal"),
        ];
        if let Some((_, key)) = changed.iter().find(|(is_changed, _)| *is_changed) {
            return Err(SweepError::ChangedKey {
                path: path.to_owned(),
                key,
            });
        }
        let mut plan = plan;
        // A known trial keeps its folder.
        for trial in &mut plan.trials {
            if let Some(old) = before.trials.iter().find(|old| old.id == trial.id) {
                trial.name.clone_from(&old.name);
            }
        }
        let mut folder = Self::at(path, plan);
        folder.write(configs)?;
        folder.measure_again()?;
        Ok(folder)
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
            let sum = checksum(config).map_err(|error| SweepError::Damaged {
                path: file,
                why: error.to_string(),
            })?;
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
        Err(SweepError::Trial {
            path,
            name: trial.name.clone(),
            why,
            command: self.plan.command.join(" "),
        })
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

    /// The settled configuration of a trial.
    pub fn config(&self, trial: &Trial) -> PathBuf {
        self.path.join(TRIALS).join(format!("{}.toml", trial.id))
    }

    /// The output of the processes of a trial.
    pub fn log(&self, trial: &Trial) -> PathBuf {
        self.path.join(TRIALS).join(format!("{}.log", trial.id))
    }
}

/// There is no such file, or what should be its folder is a file.
fn is_missing(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The steps of each trial of a plan, by its id.
fn steps_of<'a>(plan: &'a Plan, among: &Plan) -> BTreeMap<&'a str, &'a [u64]> {
    let ids: BTreeSet<&str> = among.trials.iter().map(|trial| &*trial.id).collect();
    let trials = plan.trials.iter().filter(|trial| ids.contains(&*trial.id));
    trials.map(|trial| (&*trial.id, &*trial.steps)).collect()
}

impl Plan {
    /// A plan without trials, to be filled in.
    pub fn new(name: &str, command: Vec<String>, source: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            name: name.to_owned(),
            metric: String::new(),
            goal: Goal::default(),
            keys: Vec::new(),
            alike: 0,
            rungs: Vec::new(),
            evaluate: None,
            command,
            source,
            trials: Vec::new(),
        }
    }
}
