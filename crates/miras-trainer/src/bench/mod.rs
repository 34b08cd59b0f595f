//! Speed and peak memory of a model, or of one of its layers, on random tokens.

mod launches;
mod passes;
mod peak;
mod request;
mod spread;

use miras_device::LaunchCounter;
use miras_model::Ends;
use miras_spec::{RunConfig, TrainConfig, estimate, open_device, require_memory};

use crate::TrainError;
pub use launches::Launches;
use passes::Passes;
use peak::Peak;
pub use request::BenchRequest;
pub use spread::Spread;

/// Passes that are made and not counted: the first ones start threads and ask for memory.
const WARM_UP: usize = 1;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// Parameters of what was measured: of the model, or of its mixer.
    pub parameters: usize,
    /// Forward without gradients, tokens a second.
    pub forward: Spread,
    /// Forward and backward, without the optimiser's step, tokens a second.
    pub both: Spread,
    /// The most bytes that forward and backward held beyond what the process held before the
    /// model was built; none where the system does not say.
    pub peak_bytes: Option<u64>,
    /// The kernels that were launched, if they were asked for.
    pub launches: Option<Launches>,
}

/// Builds the model with these ends and times it; a number of token values is a language model.
/// Tokens are random, so no data is opened.
pub fn bench(
    config: &RunConfig,
    ends: impl Into<Ends>,
    request: &BenchRequest,
) -> Result<Bench, TrainError> {
    let ends = ends.into();
    let device = open_device(&TrainConfig {
        device: request.device.clone(),
        ..config.train.clone()
    })?;
    let counter = (request.launches)
        .then(|| LaunchCounter::start(&request.device))
        .transpose()?;
    if !request.layer {
        let takes = estimate(config, ends).train;
        require_memory(config, ends, &device, takes.weights + takes.gradients)?;
    }
    // Memory of a GPU is not the process' own.
    let peak = (device == burn::tensor::Device::flex()).then(Peak::start);
    let mut passes = Passes::new(config, ends, request, &device)?;

    let tokens = request.batch * request.seq;
    let both = spread::measure(request.repeats, WARM_UP, tokens, || passes.both())?;
    let peak_bytes = peak.flatten().and_then(|peak| peak.bytes());
    let forward = spread::measure(request.repeats, WARM_UP, tokens, || passes.forward())?;
    let launches = counter
        .map(|counter| Launches::of(&mut passes, &counter))
        .transpose()?;
    Ok(Bench {
        parameters: passes.parameters(),
        forward,
        both,
        peak_bytes,
        launches,
    })
}
