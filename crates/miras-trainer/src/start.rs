//! The beginning of a run: its folder, created or found and taken back to a checkpoint.

use std::io::ErrorKind;

use miras_data::{Dataset, Description};
use miras_log::JsonLines;
use miras_run::{Checkpoint, Checkpoints, RunError, RunFolder, RunRecord, Start, provenance};
use miras_spec::{
    RunConfig, estimate, fingerprints, split_tokenizer, stored_config, stored_tokenizer,
    tokenizer_files,
};
use toml::Table;

use crate::compare::{DATA_PATHS, INIT_FROM, changed_keys};
use crate::learner::Learner;
use crate::metrics_log::plain;
use crate::snapshot::{self, State};
use crate::{Resume, RunRequest, TrainError, init};

/// Versions that `run.json` records.
const VERSIONS: &[(&str, &str)] = &[
    ("miras-trainer", env!("CARGO_PKG_VERSION")),
    ("burn", miras_device::BURN),
];

/// A run that is ready to train.
pub(crate) struct PreparedRun {
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
pub(crate) fn create(
    config: &RunConfig,
    data: &dyn Dataset,
    request: &RunRequest,
    learner: Learner,
) -> Result<PreparedRun, TrainError> {
    let name = match &request.name {
        Some(name) => name.clone(),
        None => RunFolder::unused_name(&request.runs, &request.stem)?,
    };
    let init = init::start(config, learner)?;
    let description = data.describe();
    let first = this_start(0, config, request);
    let mut record = new_record(config, data, &description, first);
    record.init = init.sha256;
    let text = plain(&stored(config)?);
    let tokenizer = tokenizer_files(&config.data, tokenizer_of(&description))?;
    let folder = RunFolder::create(&request.runs, &name, &text, &record, &tokenizer)?;
    Ok(PreparedRun {
        checkpoints: Checkpoints::new(&folder, config.checkpoint.policy()),
        folder,
        learner: init.learner,
        state: first_state(&description),
        resumed: false,
        checkpoint: None,
        eval: None,
        notes: init.note.map(as_note).into_iter().collect(),
    })
}

/// Finds an existing run and takes it back to where it goes on.
///
/// Everything is checked and loaded before anything in the folder changes.
pub(crate) fn resume(
    config: &RunConfig,
    data: &dyn Dataset,
    request: &RunRequest,
    at: Resume,
    learner: Learner,
) -> Result<PreparedRun, TrainError> {
    let name = request.name.as_ref().unwrap_or(&request.stem);
    let folder = RunFolder::open(&request.runs, name)?;
    let record = record_of(&folder)?;
    let mut notes = Vec::new();
    let (before, note) = stored_config(&folder, &config.registry)?;
    notes.extend(note.map(as_note));
    let mut checkpoints = Checkpoints::new(&folder, config.checkpoint.policy());
    let found = find(&checkpoints, at, &mut notes)?;
    let description = data.describe();
    let known = match &found {
        Some(checkpoint) => Some(snapshot::state(&checkpoint.path)?.data),
        None => record.as_ref().and_then(fingerprints_in),
    };
    let init = record.as_ref().and_then(|record| record.init.as_deref());
    refuse_changes(
        &folder,
        (&before, config),
        (known.is_some(), init.is_some()),
    )?;
    if let Some(checkpoint) = &found {
        refuse_fewer_steps(name, checkpoint.step, config.train.steps)?;
    }
    // Before the weights, whose shapes follow from the data.
    if let Some(known) = known {
        refuse_other_data(name, known, fingerprints(&description))?;
    }
    let is_moved =
        stored(&before)?["train"].get("init_from") != stored(config)?["train"].get("init_from");
    if is_moved || found.is_none() {
        init::refuse_others(config, init)?;
    }
    let (learner, state, begun_with) = if let Some(checkpoint) = &found {
        let (learner, state) = snapshot::load(&checkpoint.path, learner)?;
        (learner, state, init.map(str::to_owned))
    } else {
        let init = init::start(config, learner)?;
        notes.extend(init.note.map(as_note));
        (init.learner, first_state(&description), init.sha256)
    };
    // The folder's other files are checked before any of them changes.
    JsonLines::read(folder.metrics_path())?;
    let tokenizer = match stored_tokenizer(folder.path()) {
        Ok(_) => Vec::new(),
        // It is damaged, or the run is of an earlier version.
        Err(_) => tokenizer_files(&config.data, tokenizer_of(&description))?,
    };

    let removed = checkpoints.remove_after(state.step)?;
    if !removed.is_empty() {
        notes.push(format!(
            "removed the checkpoints of later steps: {}",
            list(&removed)
        ));
    }
    let stale = folder.remove_reports_after(state.step)?;
    if !stale.is_empty() {
        notes.push(format!(
            "removed the reports of evaluations at later steps: {}",
            stale.join(", ")
        ));
    }
    folder.remove_summary()?;
    let start = this_start(state.step, config, request);
    let mut now = new_record(config, data, &description, start);
    now.init = begun_with;
    if let Some(record) = record {
        now = continued(record, now);
    }
    folder.write_tokenizer(&tokenizer)?;
    folder.rewrite(&plain(&stored(config)?), &now)?;
    Ok(PreparedRun {
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

/// Refuses another configuration; paths may lead elsewhere if it is known what they led to, which
/// is compared afterwards: those of data, and that of the first weights.
fn refuse_changes(
    folder: &RunFolder,
    (before, config): (&RunConfig, &RunConfig),
    (knows_data, knows_init): (bool, bool),
) -> Result<(), TrainError> {
    let mut paths = Vec::new();
    if knows_data {
        paths.extend(DATA_PATHS);
    }
    if knows_init {
        paths.push(INIT_FROM);
    }
    let keys = changed_keys(&stored(before)?, &stored(config)?, &paths);
    if keys.is_empty() {
        return Ok(());
    }
    Err(TrainError::Changed {
        name: folder.name().to_owned(),
        keys,
    })
}

/// Refuses fewer steps than are done: the stored plan would not be what the run did.
fn refuse_fewer_steps(name: &str, done: u64, steps: u64) -> Result<(), TrainError> {
    if done <= steps {
        return Ok(());
    }
    let name = name.to_owned();
    Err(TrainError::Beyond { name, done, steps })
}

fn refuse_other_data(name: &str, stored: String, now: String) -> Result<(), TrainError> {
    // Earlier versions kept a hash of generated rows, which the settings and the seed determine;
    // those are compared key by key.
    if stored == now || stored.starts_with("sha256-generated:") {
        return Ok(());
    }
    let name = name.to_owned();
    Err(if split_tokenizer(&stored).0 == split_tokenizer(&now).0 {
        TrainError::OtherTokenizer { name, stored, now }
    } else {
        TrainError::OtherData { name, stored, now }
    })
}

/// The checkpoint to go on from. None stands for step 0: a run that was stopped before its first
/// checkpoint starts again, which its configuration determines entirely.
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
    let cost = estimate(config, config.ends(data)).cost();
    RunRecord::new(config.train.seed, in_words(description), Some(cost), start)
}

/// The record of a run; none if the file is missing, which is then written anew.
fn record_of(folder: &RunFolder) -> Result<Option<RunRecord>, TrainError> {
    match folder.read_record() {
        Ok(record) => Ok(Some(record)),
        Err(RunError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A record with the starts before this one.
fn continued(before: RunRecord, mut now: RunRecord) -> RunRecord {
    now.seed = before.seed;
    now.cost = before.cost.or(now.cost);
    now.starts.splice(0..0, before.starts);
    now
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
        loss_scale: None,
    }
}

fn tokenizer_of(description: &Description) -> Option<&str> {
    let tokenizer = description.tokenizer.as_ref();
    tokenizer.map(|tokenizer| &*tokenizer.fingerprint)
}

/// The fingerprints at the end of the words about the data.
fn fingerprints_in(record: &RunRecord) -> Option<String> {
    let words = record.data.rsplit("; ").next()?;
    words.contains("sha256").then(|| words.to_owned())
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

/// As in the banner that follows.
pub(crate) fn as_note(text: String) -> String {
    format!("note     {text}")
}

fn list(steps: &[u64]) -> String {
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    steps.join(", ")
}
