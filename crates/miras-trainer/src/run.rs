//! One run from start to end.

use miras_data::Dataset;
use miras_model::Ends;
use miras_run::RunFolder;
use miras_spec::{
    RunConfig, StateRule, check_memory, check_verify, open_device, stored_config,
    with_stored_tokenizer,
};

use crate::cpu_reference::CpuReference;
use crate::learner::Learner;
use crate::session::Session;
use crate::start::PreparedRun;
use crate::{Outcome, RunRequest, TrainError, finish, init, snapshot, start};

/// Trains as configured, or goes on training, and leaves everything in the run's folder.
pub fn run(config: RunConfig, request: RunRequest) -> Result<Outcome, TrainError> {
    let (settings, note) = match request.resume {
        Some(_) => {
            let name = request.name.as_ref().unwrap_or(&request.stem);
            let folder = RunFolder::open_to_read(&request.runs, name)?;
            let (stored, _) = stored_config(&folder, &config.registry)?;
            with_stored_tokenizer(folder.path(), &stored.data, &config.data)
        }
        None => (config.data.clone(), None),
    };
    let data = miras_data::open(&settings, config.train.seed)?;
    run_noted(config, data, request, note)
}

/// Like [`run()`], on data that is open already (see [`RunConfig::load_and_open`]).
pub fn run_on(
    config: RunConfig,
    data: Box<dyn Dataset>,
    request: RunRequest,
) -> Result<Outcome, TrainError> {
    run_noted(config, data, request, None)
}

fn run_noted(
    mut config: RunConfig,
    data: Box<dyn Dataset>,
    request: RunRequest,
    note: Option<String>,
) -> Result<Outcome, TrainError> {
    if let Some(device) = &request.device {
        config.train.device.clone_from(device);
    }
    if config.train.state == StateRule::Carry {
        data.stream_steps(config.train.sequences())?;
    }
    let device = open_device(&config.train)?;
    check_verify(&config.train, &device)?;
    let ends = config.ends(data.as_ref());
    check_memory(&config, ends, &device)?;
    let learner = Learner::new(&config, ends, &device)?;
    let mut prepared = match request.resume {
        None => start::create(&config, data.as_ref(), &request, learner)?,
        Some(at) => start::resume(&config, data.as_ref(), &request, at, learner)?,
    };
    prepared.notes.extend(note.map(start::as_note));
    let reference = match config.train.verify_device {
        0 => None,
        _ => Some(cpu_reference(&config, ends, &prepared)?),
    };
    finish::run(Session::open(config, data, request, prepared, reference)?)
}

/// The CPU's side of a run that is about to start.
fn cpu_reference(
    config: &RunConfig,
    ends: Ends,
    prepared: &PreparedRun,
) -> Result<CpuReference, TrainError> {
    let learner = Learner::new(config, ends, &miras_device::open("cpu")?)?;
    let learner = match prepared.checkpoint {
        Some(step) => snapshot::load(&prepared.checkpoints.at(step)?.path, learner)?.0,
        None => init::start(config, learner)?.learner,
    };
    Ok(CpuReference::new(learner, &config.train))
}
