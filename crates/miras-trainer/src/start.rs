//! The first moments of a run: its folder, fresh or found again.

use std::io::ErrorKind;

use miras_config::Layers;
use miras_data::{Dataset, Description};
use miras_run::{Checkpoint, Checkpoints, RunError, RunFolder, RunRecord, Start, provenance};

use toml::Table;

use crate::compare::changed_keys;
use crate::estimate::estimate;
use crate::learner::Learner;
use crate::snapshot::{self, State};
use crate::trackers::plain;
use crate::{Resume, RunConfig, RunRequest, TrainError, init};

/// Versions that `run.json` records.
const VERSIONS: &[(&str, &str)] = &[
    ("miras-trainer", env!("CARGO_PKG_VERSION")),
    ("burn", miras_device::BURN),
];
/// How the fingerprint of a tokenizer begins.
pub(crate) const TOKENIZER: &str = "tokenizer-sha256:";

/// A run that is ready to train.
pub(crate) struct Started {
    pub(crate) folder: RunFolder,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) learner: Learner,
    pub(crate) state: State,
    /// Whether it goes on.
    pub(crate) resumed: bool,
    /// The step of the checkpoint it goes on from.
    pub(crate) checkpoint: Option<u64>,
    /// The loss of the evaluation that this checkpoint knows of.
    pub(crate) eval: Option<f64>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

/// Makes the folder of a new run.
pub(crate) fn fresh(
    config: &RunConfig,
    data: &dyn Dataset,
    request: &RunRequest,
    learner: Learner,
) -> Result<Started, TrainError> {
    let name = match &request.name {
        Some(name) => name.clone(),
        None => RunFolder::unused_name(&request.runs, &request.stem)?,
    };
    let learner = init::start(config, learner)?;
    let description = data.describe();
    let first = this_start(0, config, request);
    let record = new_record(config, data, &description, first);
    let text = plain(&stored(config)?);
    let folder = RunFolder::create(&request.runs, &name, &text, &record)?;
    Ok(Started {
        checkpoints: Checkpoints::new(&folder, config.checkpoint.policy()),
        folder,
        learner,
        state: first_state(&description),
        resumed: false,
        checkpoint: None,
        eval: None,
        notes: Vec::new(),
    })
}

/// Finds an existing run and takes it back to where it goes on.
///
/// Everything is checked and loaded before anything in the folder changes.
pub(crate) fn again(
    config: &RunConfig,
    data: &dyn Dataset,
    request: &RunRequest,
    at: Resume,
    learner: Learner,
) -> Result<Started, TrainError> {
    let name = request.name.as_ref().unwrap_or(&request.stem);
    let folder = RunFolder::open(&request.runs, name)?;
    refuse_changes(&folder, config)?;
    let mut checkpoints = Checkpoints::new(&folder, config.checkpoint.policy());
    let mut notes = Vec::new();
    let found = find(&checkpoints, at, &mut notes)?;
    let description = data.describe();
    if let Some(checkpoint) = &found {
        refuse_fewer_steps(name, checkpoint.step, config.train.steps)?;
        // Before the weights, whose shapes follow from the data.
        let stored = snapshot::state(&checkpoint.path)?.data;
        refuse_other_data(name, stored, fingerprints(&description))?;
    }
    let (learner, state) = match &found {
        Some(checkpoint) => snapshot::load(&checkpoint.path, learner)?,
        None => (init::start(config, learner)?, first_state(&description)),
    };

    let removed = checkpoints.remove_after(state.step)?;
    if !removed.is_empty() {
        notes.push(format!(
            "removed the checkpoints of later steps: {}",
            list(&removed)
        ));
    }
    folder.remove_summary()?;
    folder.write_config(&plain(&stored(config)?))?;
    let start = this_start(state.step, config, request);
    // A run without its record is made up for.
    let record = match folder.read_record() {
        Ok(mut record) => {
            record.starts.push(start);
            record
        }
        Err(RunError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
            new_record(config, data, &description, start)
        }
        Err(error) => return Err(error.into()),
    };
    folder.write_record(&record)?;
    Ok(Started {
        folder,
        checkpoints,
        learner,
        eval: (found.as_ref()).and_then(|checkpoint| checkpoint.manifest.info.eval),
        checkpoint: found.map(|checkpoint| checkpoint.step),
        state,
        resumed: true,
        notes,
    })
}

/// A configuration as a run folder keeps it.
fn stored(config: &RunConfig) -> Result<Table, TrainError> {
    let config = config.absolute().map_err(TrainError::NoFolder)?;
    Ok(config.to_table())
}

fn refuse_changes(folder: &RunFolder, config: &RunConfig) -> Result<(), TrainError> {
    let mut layers = Layers::new();
    let (before, _) = (layers.file(&folder.config_path()))
        .and_then(|()| RunConfig::load(layers, &config.registry))
        .map_err(TrainError::Stored)?;
    let keys = changed_keys(&stored(&before)?, &stored(config)?);
    if keys.is_empty() {
        return Ok(());
    }
    Err(TrainError::Changed {
        name: folder.name().to_owned(),
        keys,
    })
}

/// Else the plan of the run would be rewritten to something it does not follow.
fn refuse_fewer_steps(name: &str, done: u64, steps: u64) -> Result<(), TrainError> {
    if done <= steps {
        return Ok(());
    }
    let name = name.to_owned();
    Err(TrainError::Beyond { name, done, steps })
}

fn refuse_other_data(name: &str, stored: String, now: String) -> Result<(), TrainError> {
    if stored == now {
        return Ok(());
    }
    let name = name.to_owned();
    // The tokenizer is what stands last, if there is one.
    let text = |all: &str| {
        let parts = all.split(' ');
        let text = parts.filter(|part| !part.starts_with(TOKENIZER));
        text.collect::<Vec<_>>().join(" ")
    };
    Err(if text(&stored) == text(&now) {
        TrainError::OtherTokenizer { name, stored, now }
    } else {
        TrainError::OtherData { name, stored, now }
    })
}

/// None stands for the very beginning: a run that was stopped before its first checkpoint
/// starts again, which its configuration determines entirely.
fn find(
    checkpoints: &Checkpoints,
    at: Resume,
    notes: &mut Vec<String>,
) -> Result<Option<Checkpoint>, TrainError> {
    match at {
        Resume::Step(step) => Ok(Some(checkpoints.at(step)?)),
        Resume::Latest => {
            let latest = checkpoints.latest_valid()?;
            if latest.checkpoint.is_none() && latest.skipped.is_empty() {
                notes.push("there is no checkpoint yet: starting from step 0".to_owned());
                return Ok(None);
            }
            notes.extend(
                latest
                    .skipped
                    .iter()
                    .map(|damaged| format!("warning: {damaged}")),
            );
            Ok(Some(latest.require()?))
        }
    }
}

fn new_record(
    config: &RunConfig,
    data: &dyn Dataset,
    description: &Description,
    start: Start,
) -> RunRecord {
    let cost = estimate(config, data.vocab()).cost();
    RunRecord::new(config.train.seed, in_words(description), Some(cost), start)
}

fn this_start(step: u64, config: &RunConfig, request: &RunRequest) -> Start {
    Start {
        step,
        device: config.train.device.clone(),
        provenance: provenance(VERSIONS, request.built_from.clone()),
    }
}

fn first_state(description: &Description) -> State {
    State {
        step: 0,
        tokens: 0,
        skipped: 0,
        skipped_in_a_row: 0,
        best: None,
        seconds: 0.0,
        data: fingerprints(description),
    }
}

/// The text's, that of validation files of their own, the tokenizer's.
fn fingerprints(description: &Description) -> String {
    let tokenizer = description.tokenizer.as_ref();
    [
        Some(&description.fingerprint),
        description.valid_fingerprint.as_ref(),
        tokenizer.map(|tokenizer| &tokenizer.fingerprint),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect::<Vec<_>>()
    .join(" ")
}

/// Name, size and fingerprint of the data.
pub(crate) fn in_words(description: &Description) -> String {
    let size = match (description.train_bytes, description.valid_bytes) {
        (Some(train), Some(valid)) => {
            format!("{train} bytes for training, {valid} for validation")
        }
        _ => "generated without end".to_owned(),
    };
    let tokens = (description.tokenizer.as_ref()).map_or_else(String::new, |tokenizer| {
        format!(
            " ({} and {} tokens of {})",
            tokenizer.train_tokens, tokenizer.valid_tokens, tokenizer.vocab
        )
    });
    format!(
        "{}; {size}{tokens}; {}",
        description.name,
        fingerprints(description)
    )
}

fn list(steps: &[u64]) -> String {
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    steps.join(", ")
}
