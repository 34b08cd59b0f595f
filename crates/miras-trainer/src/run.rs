//! One run from start to end.

use burn::tensor::Device;
use miras_data::Dataset;
use miras_run::RunFolder;

use crate::kept::{kept_config, kept_tokenizer};
use crate::learner::Learner;
use crate::session::Session;
use crate::start::Started;
use crate::verify::Twin;
use crate::{
    Outcome, RunConfig, RunRequest, StateRule, TrainConfig, TrainError, init, snapshot, start,
};

/// Trains as configured, or goes on training, and leaves everything in the run's folder.
pub fn run(config: RunConfig, request: RunRequest) -> Result<Outcome, TrainError> {
    let (settings, note) = match request.resume {
        Some(_) => {
            let name = request.name.as_ref().unwrap_or(&request.stem);
            let folder = RunFolder::open_to_read(&request.runs, name)?;
            let (stored, _) = kept_config(&folder, &config.registry)?;
            kept_tokenizer(folder.path(), &stored.data, &config.data)
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
    let device = open(&config.train)?;
    if config.train.verify_device > 0 && device == miras_device::open("cpu")? {
        let device = config.train.device;
        return Err(TrainError::VerifiesItself { device });
    }
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

/// The device of a configuration, if it can do what is asked of it.
pub(crate) fn open(train: &TrainConfig) -> Result<Device, TrainError> {
    if !train.fusion && !cfg!(feature = "fusion") {
        return Err(TrainError::NoFusion);
    }
    miras_device::set_fusion(train.fusion)?;
    let device = miras_device::open(&train.device)?;
    let precision = train.precision;
    if !device.supports_dtype(precision.dtype()) {
        return Err(TrainError::Precision {
            precision: precision.name(),
            device: train.device.clone(),
            has: miras_device::describe(&device).dtypes.join(", "),
        });
    }
    Ok(device)
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
