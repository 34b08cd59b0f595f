//! One run from start to end.

use miras_data::Dataset;
use miras_run::RunFolder;
use miras_spec::{
    RunConfig, StateRule, check_memory, check_verify, open_device, stored_config,
    with_stored_tokenizer,
};

use crate::learner::Learner;
use crate::session::Session;
use crate::start::Started;
use crate::verify::Twin;
use crate::{Outcome, RunRequest, TrainError, init, snapshot, start};

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
    check_memory(&config, data.vocab(), &device)?;
    let learner = Learner::new(&config, data.vocab(), &device)?;
    let mut started = match request.resume {
        None => start::fresh(&config, data.as_ref(), &request, learner)?,
        Some(at) => start::again(&config, data.as_ref(), &request, at, learner)?,
    };
    started.notes.extend(note.map(start::as_note));
    let twin = match config.train.verify_device {
        0 => None,
        steps => Some(twin(&config, data.vocab(), &started, steps)?),
    };
    Session::open(config, data, device, request, started, twin)?.run()
}

/// The CPU's side, where the run is about to start.
fn twin(
    config: &RunConfig,
    vocab: usize,
    started: &Started,
    steps: u64,
) -> Result<Twin, TrainError> {
    let learner = Learner::new(config, vocab, &miras_device::open("cpu")?)?;
    let learner = match started.checkpoint {
        Some(step) => snapshot::load(&started.checkpoints.at(step)?.path, learner)?.0,
        None => init::start(config, learner)?.learner,
    };
    Ok(Twin::new(learner, steps, config.train.precision))
}
