//! One run from start to end.

use miras_data::Dataset;

use crate::learner::Learner;
use crate::session::Session;
use crate::{Outcome, RunConfig, RunRequest, StateRule, TrainError, device, start};

/// Trains as configured, or goes on training, and leaves everything in the run's folder.
pub fn run(config: RunConfig, request: RunRequest) -> Result<Outcome, TrainError> {
    let data = miras_data::open(&config.data, config.train.seed)?;
    run_on(config, data, request)
}

/// Like [`run()`], on data that is open already (see [`RunConfig::load_and_open`]).
pub fn run_on(
    mut config: RunConfig,
    data: Box<dyn Dataset>,
    request: RunRequest,
) -> Result<Outcome, TrainError> {
    if let Some(device) = &request.device {
        config.train.device.clone_from(device);
    }
    if config.train.state == StateRule::Carry {
        data.stream_steps(config.train.sequences())?;
    }
    let device = device::open(&config.train.device)?;
    let learner = Learner::new(&config, data.vocab(), &device);
    let started = match request.resume {
        None => start::fresh(&config, data.as_ref(), &request, learner)?,
        Some(at) => start::again(&config, data.as_ref(), &request, at, learner)?,
    };
    Session::open(config, data, device, request, started)?.run()
}
