//! A run, or an export of one, ready to be used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use miras_model::{Ends, LanguageModel, Precision, StateOrigin};
use miras_registry::Registry;
use miras_run::{Best, Checkpoints, Damaged, Export, Found, Memory, Policy, RunError, RunFolder};
use miras_spec::{RunConfig, Weights, stored_config, tokenizer_fingerprint, with_stored_tokenizer};

use crate::UseError;

/// Which checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum At {
    /// The newest that is whole.
    #[default]
    Latest,
    /// The one with the lowest `eval/loss`.
    Best,
    /// That of a step.
    Step(u64),
}

/// A run, or an export of one, with a model made of its weights.
pub struct Trained {
    /// Its folder.
    pub folder: PathBuf,
    /// Which of its checkpoints was asked for.
    pub at: At,
    /// Its configuration as it is stored.
    pub config: RunConfig,
    /// The model, without gradients.
    pub model: LanguageModel,
    /// Its two ends.
    pub ends: Ends,
    /// Fingerprint of the tokenizer of its training; none for bytes and data that are no text.
    pub tokenizer: Option<String>,
    /// The run, the step and the checksum of the weights.
    pub origin: StateOrigin,
    /// Tokens it was trained on.
    pub tokens: u64,
    /// Where it computes, by name.
    pub device_name: String,
    /// Where it computes.
    pub device: Device,
    /// The file of the weights.
    pub weights: PathBuf,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Trained {
    /// Opens the run `run`, a name inside `runs` or the path of a folder, at one of its
    /// checkpoints; `device` takes the place of `train.device`.
    pub fn open(
        registry: &Registry,
        runs: &Path,
        run: &str,
        at: At,
        device: Option<&str>,
    ) -> Result<Self, UseError> {
        let (runs, name) = locate(runs, run);
        let folder = RunFolder::open_to_read(&runs, &name)?;
        let mut notes = Vec::new();
        let (mut config, note) = stored_config(&folder, registry)?;
        notes.extend(note.map(as_note));
        let (_, note) = with_stored_tokenizer(folder.path(), &config.data, &config.data);
        notes.extend(note.map(as_note));
        // The weights are kept in float32 whatever they were trained with.
        config.model.precision = Precision::F32;
        let device_name = device.unwrap_or(&config.train.device).to_owned();
        miras_device::set_fusion(config.train.fusion)?;
        let device = miras_device::open(&device_name)?;

        let (weights, tokenizer, origin_of) = if let Some(export) = Export::read(folder.path())? {
            refuse_step(at, &folder)?;
            let of = (export.run, export.step, export.tokens);
            let weights = Weights::read(folder.path())?;
            weights.verify()?;
            (weights, export.tokenizer, of)
        } else {
            // Nothing is saved here, so that no policy applies.
            let checkpoints = Checkpoints::new(&folder, Policy::default());
            let mut skipped = Vec::new();
            let read = checkpoints.read(
                |checkpoints| {
                    let found = checkpoint(&folder, checkpoints, at)?;
                    skipped = found.skipped.iter().map(as_warning).collect();
                    Ok::<_, UseError>(found.require()?)
                },
                |found| {
                    let weights = Weights::read(&found.path)?;
                    weights.verify()?;
                    let tokenizer = tokenizer_fingerprint(&found.path)?;
                    let of = (name.clone(), found.step, found.manifest.info.tokens);
                    Ok((weights, tokenizer, of))
                },
            )?;
            notes.append(&mut skipped);
            read
        };
        let (run, step, tokens) = origin_of;
        let origin = StateOrigin {
            run,
            step,
            weights: weights.sha256(),
        };
        let ends = config.task.ends_of(&weights)?;
        let path = weights.path().to_owned();
        let model = LanguageModel::new(&config.model, ends, config.train.seed, &device);
        Ok(Self {
            folder: folder.path().to_owned(),
            at,
            model: weights.into_model(model)?,
            config,
            ends,
            tokenizer,
            origin,
            tokens,
            device_name,
            device,
            weights: path,
            notes,
        })
    }

    /// What the run, or the export, says that it was trained on: name, size and fingerprints.
    pub(crate) fn data(&self) -> Result<Option<String>, UseError> {
        if let Some(export) = Export::read(&self.folder)? {
            return Ok(export.data);
        }
        let (runs, name) = locate(Path::new(""), &self.folder.to_string_lossy());
        match RunFolder::open_to_read(&runs, &name)?.read_record() {
            Ok(record) => Ok(Some(record.data)),
            Err(RunError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where its configuration is.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Rows of so many tokens that are computed at once: those of a batch of training.
    pub(crate) fn rows_of(&self, len: usize) -> usize {
        (self.config.train.batch * self.config.data.seq_len() / len.max(1)).max(1)
    }

    /// What memories do where nothing else is asked for: what they did in training.
    pub fn memory(&self, asked: Option<Memory>) -> Memory {
        asked.unwrap_or(self.config.train.memory)
    }

    /// Refuses what depends on where a row begins and ends where something goes on from a state.
    pub(crate) fn check_carried(&self, memory: Memory) -> Result<(), UseError> {
        self.check_memory(memory)?;
        if memory.goes_on() {
            return Ok(());
        }
        let message = format!(
            "what follows a context is read from its state, and memories that are {memory} depend \
             on where a row begins and ends: use --memory live, frozen or unread"
        );
        Err(UseError::Usage(message))
    }

    /// Refuses a way to use memories in a model that has none.
    pub(crate) fn check_memory(&self, memory: Memory) -> Result<(), UseError> {
        if memory == Memory::Live || self.config.model.has_memory() {
            return Ok(());
        }
        let message = "`--memory` is about memories, and this model has attention: leave it out";
        Err(UseError::Usage(message.to_owned()))
    }
}

/// The folder of runs and the name in it: a name, or else a path.
fn locate(runs: &Path, run: &str) -> (PathBuf, String) {
    let path = Path::new(run);
    let is_name = path.components().count() == 1 && !run.ends_with(['/', '\\']);
    let files = ["config.toml", "export.json", "run.json"];
    let is_folder = || files.iter().any(|file| path.join(file).is_file());
    if is_name && (runs.join(run).is_dir() || !is_folder()) {
        return (runs.to_owned(), run.to_owned());
    }
    // `.` and `runs/..` have no name of their own.
    let real = fs::canonicalize(path);
    let named = match (&real, path.file_name()) {
        (Ok(real), None) => real,
        _ => path,
    };
    let name = named.file_name().unwrap_or(named.as_os_str());
    let above = match named.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    (above.to_owned(), name.to_string_lossy().into_owned())
}

fn as_note(text: String) -> String {
    format!("note: {text}")
}

fn as_warning(damaged: &Damaged) -> String {
    format!("warning: {damaged}")
}

fn refuse_step(at: At, folder: &RunFolder) -> Result<(), UseError> {
    if at == At::Latest {
        return Ok(());
    }
    let path = folder.path().display();
    let message = format!("{path} is an export and has one checkpoint alone: leave --step out");
    Err(UseError::Usage(message))
}

/// That the best model cannot be had, and which is the best that can.
fn not_kept(folder: &RunFolder, missed: &Best, found: &Found) -> String {
    let Best {
        metric,
        value,
        step,
    } = missed;
    let other =
        (found.checkpoint.as_ref()).and_then(|other| Some((other.step, other.manifest.info.eval?)));
    let instead = match other {
        Some((other, eval)) => {
            format!("the best that has one is step {other} ({eval:.4}): use --step {other}")
        }
        None => "no other evaluated step has one: use --step latest".to_owned(),
    };
    format!(
        "the best evaluation of {}, {metric} {value:.4} at step {step}, has no checkpoint: it was not kept, as with checkpoint.keep_best = false; {instead}",
        folder.path().display()
    )
}

fn checkpoint(folder: &RunFolder, checkpoints: &Checkpoints, at: At) -> Result<Found, UseError> {
    match at {
        At::Step(step) => Ok(checkpoints.at(step)?.into()),
        At::Latest => Ok(checkpoints.latest_valid()?),
        At::Best => {
            let found = checkpoints.best()?;
            if let Some(missed) = &found.missed {
                return Err(UseError::Usage(not_kept(folder, missed, &found)));
            }
            if found.checkpoint.is_some() || !found.skipped.is_empty() {
                return Ok(found);
            }
            let path = folder.path().display();
            let message = format!("no checkpoint of {path} was evaluated: use --step latest");
            Err(UseError::Usage(message))
        }
    }
}
