//! What is timed: a pass through the model as training makes it, or through one mixer.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use miras_data::{Batch, SeriesRows};
use miras_model::{Ends, LanguageModel, Mixer, Pass, TokenMixer};
use miras_random::Stream;
use miras_spec::read::read;
use miras_spec::{RunConfig, SpecError};

use super::request::BenchRequest;
use crate::TrainError;
use crate::learner::Learner;

/// Every pass ends with a number read back from the device, so that none of it is still under way.
pub(super) enum Passes {
    Model(Box<OfModel>),
    Layer(Box<OfLayer>),
}

pub(super) struct OfModel {
    learner: Learner,
    inference: LanguageModel,
    batch: Batch,
    device: Device,
    lr: f64,
    clip: f64,
}

/// A mixer with gradients and one without, each with its input.
pub(super) struct OfLayer {
    both: (Mixer, Tensor<3>),
    forward: (Mixer, Tensor<3>),
}

impl Passes {
    pub(super) fn new(
        config: &RunConfig,
        ends: Ends,
        request: &BenchRequest,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(if request.layer {
            Self::Layer(Box::new(OfLayer::new(config, request, device)))
        } else {
            Self::Model(Box::new(OfModel::new(config, ends, request, device)?))
        })
    }

    pub(super) fn parameters(&self) -> usize {
        match self {
            Self::Model(model) => model.inference.num_params(),
            Self::Layer(layer) => layer.forward.0.num_params(),
        }
    }

    /// Without gradients.
    pub(super) fn forward(&self) -> Result<(), TrainError> {
        match self {
            Self::Model(model) => model.forward(),
            Self::Layer(layer) => layer.forward(),
        }
    }

    /// Forward and backward.
    pub(super) fn both(&self) -> Result<(), TrainError> {
        match self {
            Self::Model(model) => {
                let batch = std::slice::from_ref(&model.batch);
                model.learner.gradients(batch, false).map(drop)
            }
            Self::Layer(layer) => layer.both(),
        }
    }

    /// Forward and backward, `between`, and the optimiser's update, if there is an optimiser.
    pub(super) fn step(&mut self, between: impl FnOnce()) -> Result<bool, TrainError> {
        let Self::Model(model) = self else {
            self.both()?;
            between();
            return Ok(false);
        };
        let batch = std::slice::from_ref(&model.batch);
        let gradients = model.learner.gradients(batch, false)?;
        between();
        model.learner.update(gradients, model.lr, model.clip);
        (model.device.sync()).map_err(|error| SpecError::Compute(error.to_string()))?;
        Ok(true)
    }
}

impl OfModel {
    fn new(
        config: &RunConfig,
        ends: Ends,
        request: &BenchRequest,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let learner = Learner::new(config, ends, device)?;
        Ok(Self {
            inference: learner.inference_model(),
            learner,
            batch: random_batch(request, ends)?,
            device: device.clone(),
            lr: config.optim.lr,
            clip: config.optim.clip,
        })
    }

    fn forward(&self) -> Result<(), TrainError> {
        let (model, pass) = (&self.inference, Pass::default());
        let found = (self.learner.task).train(model, &self.batch, &self.device, None, pass, false);
        read(found.loss)?;
        Ok(())
    }
}

/// Every target is scored.
fn random_batch(request: &BenchRequest, ends: Ends) -> Result<Batch, TrainError> {
    let count = request.batch * request.seq;
    let mut stream = Stream::new(0, "bench", &[]);
    if ends.patch() > 0 {
        let mut draw = |count| (0..count).map(|_| stream.normal() as f32).collect();
        let series = SeriesRows {
            read: draw(count * ends.patch()),
            next: draw(request.batch * ends.outputs()),
        };
        return Ok(Batch::of_series(request.batch, request.seq, series)?);
    }
    let mut draw = |below| (0..count).map(|_| stream.index(below) as i32).collect();
    Ok(Batch {
        bytes: 0,
        inputs: draw(ends.vocab()),
        targets: draw(ends.outputs()),
        weights: vec![1.0; count],
        rows: request.batch,
        len: request.seq,
        series: None,
    })
}

impl OfLayer {
    fn new(config: &RunConfig, request: &BenchRequest, device: &Device) -> Self {
        let mut spec = config.model.clone();
        spec.config.layers = 1;
        let with_gradients = device.clone().autodiff();
        let model = LanguageModel::new(&spec, 1, config.train.seed, &with_gradients);
        let mixer = model.blocks()[0].mixer().clone();

        let shape = [request.batch, request.seq, spec.config.dim];
        let mut stream = Stream::new(0, "bench", &[]);
        let values = (0..shape.iter().product()).map(|_| stream.normal() as f32);
        let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
        let frozen = Tensor::from_data(data.clone(), device);
        let input = Tensor::from_data(data, &with_gradients).require_grad();
        Self {
            forward: (mixer.valid(), frozen),
            both: (mixer, input),
        }
    }

    fn forward(&self) -> Result<(), TrainError> {
        let (mixer, x) = &self.forward;
        read(through(mixer, x.clone()).mean())?;
        Ok(())
    }

    /// The gradient of a sum of squares, for all weights and for the input.
    fn both(&self) -> Result<(), TrainError> {
        let (mixer, x) = &self.both;
        let gradients = through(mixer, x.clone()).square().sum().backward();
        // The input's gradient is the last to be known.
        let gradient = x.grad(&gradients).expect("the output depends on the input");
        read(gradient.mean())?;
        Ok(())
    }
}

fn through(mixer: &Mixer, x: Tensor<3>) -> Tensor<3> {
    mixer.forward(x, None, Pass::default()).0
}
