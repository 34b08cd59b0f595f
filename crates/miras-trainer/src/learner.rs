//! A model and its optimiser: gradients of a step, then the update.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use miras_data::Batch;
use miras_model::{LanguageModel, ModelState, Pass, Precision};

use crate::carried::Carried;
use crate::parameters::{self, Group, parameters};
use crate::read::{Tokens, read, weight_of};
use crate::{OptimConfig, RunConfig, TrainError};

/// A model and its optimiser.
pub(crate) struct Learner {
    pub(crate) model: LanguageModel,
    pub(crate) optimizer: ModuleOptimizer,
    /// What memories keep from step to step, if they do.
    pub(crate) carried: Option<Carried>,
    precision: Precision,
    truncate: Option<usize>,
    device: Device,
}

/// What a loss is multiplied with so that its gradients are numbers of float16, whose smallest
/// is 6e-8. A step whose gradients are too large for it is made again with a smaller one.
const LOSS_SCALE: f64 = 16_384.0;
const SMALLER: f64 = 16.0;

/// What the batches of one step say about the weights.
pub(crate) struct Gradients {
    pub(crate) values: GradientsParams,
    /// Mean over the scored tokens of the step, in nats.
    pub(crate) loss: f64,
    /// Norm of the whole gradient.
    pub(crate) norm: f64,
    /// Share of scored targets ranked first, if it was asked for.
    pub(crate) accuracy: Option<f64>,
    /// The parameter nearest to the loss whose gradient has no finite norm.
    pub(crate) nonfinite: Option<String>,
    /// The states behind the batches, cut off from the graph, if they are to be carried.
    pub(crate) states: Vec<ModelState>,
    /// Whether these are finite.
    pub(crate) has_finite_states: bool,
}

impl Gradients {
    pub(crate) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.norm.is_finite() && self.has_finite_states
    }
}

impl Learner {
    /// Initial weights and a fresh optimiser.
    pub(crate) fn new(config: &RunConfig, vocab: usize, device: &Device) -> Self {
        let with_gradients = device.clone().autodiff();
        let model = LanguageModel::new(&config.model, vocab, config.train.seed, &with_gradients);
        Self {
            optimizer: optimizer(&config.optim, &model),
            model,
            carried: Carried::new(&config.train),
            precision: config.train.precision,
            truncate: config.train.truncate,
            device: device.clone(),
        }
    }

    /// The model without gradients.
    pub(crate) fn frozen(&self) -> LanguageModel {
        self.model.valid()
    }

    /// What a micro-batch of the next step goes on from, for [`frozen`](Self::frozen).
    pub(crate) fn frozen_state(&self, micro_batch: usize) -> Option<ModelState> {
        let state = self.carried.as_ref()?.state(micro_batch)?;
        Some(state.inner())
    }

    /// The next step starts from the initial memory.
    pub(crate) fn forget(&mut self) {
        if let Some(carried) = &mut self.carried {
            carried.forget();
        }
    }

    /// The gradient of the mean loss over all scored tokens of `batches`, from the carried
    /// states on.
    pub(crate) fn gradients(
        &self,
        batches: &[Batch],
        wants_accuracy: bool,
    ) -> Result<Gradients, TrainError> {
        let scale = match self.precision {
            Precision::F32 | Precision::Bf16 => None,
            Precision::F16 => Some(LOSS_SCALE),
        };
        self.with_scale(batches, wants_accuracy, scale)
    }

    /// The gradients by way of a scaled loss; the scale falls until they are finite.
    fn with_scale(
        &self,
        batches: &[Batch],
        wants_accuracy: bool,
        mut scale: Option<f64>,
    ) -> Result<Gradients, TrainError> {
        loop {
            let gradients = self.scaled_gradients(batches, wants_accuracy, scale)?;
            let is_too_large = gradients.loss.is_finite() && !gradients.norm.is_finite();
            match scale {
                Some(now) if is_too_large && now > 1.0 => scale = Some(now / SMALLER),
                _ => return Ok(gradients),
            }
        }
    }

    /// The gradients, by way of a loss that is `scale` times as large if there is a scale.
    fn scaled_gradients(
        &self,
        batches: &[Batch],
        wants_accuracy: bool,
        scale: Option<f64>,
    ) -> Result<Gradients, TrainError> {
        let total: f64 = batches.iter().map(weight_of).sum();
        // Nothing scored gives no gradient, not 0/0.
        let total = if total > 0.0 { total } else { 1.0 };
        let pass = Pass {
            truncate: self.truncate,
            ..Pass::default()
        };
        let mut sum = GradientsAccumulator::new();
        let mut numbers = Vec::new();
        let mut states = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let tokens = Tokens::new(batch, &self.device.clone().autodiff());
            let earlier = (self.carried.as_ref()).and_then(|carried| carried.state(at));
            let output = self.model.forward(tokens.inputs.clone(), earlier, pass);
            if self.carried.is_some() {
                states.push(output.state.detach());
            }
            if wants_accuracy {
                numbers.push(tokens.hits(output.logits.clone()).inner().div_scalar(total));
            }
            let losses = LanguageModel::token_losses(output.logits, tokens.targets);
            let loss = (losses * tokens.weights).sum().div_scalar(total);
            numbers.push(loss.clone().inner());
            let gradients = match scale {
                None => loss.backward(),
                Some(scale) => loss.mul_scalar(scale).backward(),
            };
            let gradients = GradientsParams::from_grads(gradients, &self.model);
            sum.accumulate(&self.model, gradients);
        }
        let mut values = sum.grads();
        if let Some(scale) = scale {
            values = scaled(&self.model, values, scale.recip());
        }
        let gradients = parameters::gradients(&self.model, &values);
        let squares = gradients
            .iter()
            .map(|one| one.values.clone().square().sum());
        numbers.extend(squares);
        numbers.extend(states.iter().map(|state| state.finiteness().inner()));

        // One read-back a step: each waits for the device.
        let numbers = read(Tensor::cat(numbers, 0))?;
        let (numbers, of_states) = numbers.split_at(numbers.len() - states.len());
        let (of_batches, squares) = numbers.split_at(numbers.len() - gradients.len());
        let every = if wants_accuracy { 2 } else { 1 };
        let sum_of = |at: usize| -> f64 {
            let values = of_batches.iter().skip(at).step_by(every);
            values.copied().map(f64::from).sum()
        };
        // The backward pass comes from the last parameter to the first.
        let first = squares.iter().rposition(|square| !square.is_finite());
        Ok(Gradients {
            values,
            loss: sum_of(every - 1),
            accuracy: wants_accuracy.then(|| sum_of(0)),
            norm: squares.iter().copied().map(f64::from).sum::<f64>().sqrt(),
            nonfinite: first.map(|at| gradients[at].name.clone()),
            has_finite_states: of_states.iter().all(|value| value.is_finite()),
            states,
        })
    }

    /// One step of the optimiser, the whole gradient clipped to norm `clip` (0 = off); the next
    /// step goes on from the states behind this one.
    pub(crate) fn update(&mut self, gradients: Gradients, lr: f64, clip: f64) {
        let Gradients {
            values,
            norm,
            states,
            ..
        } = gradients;
        if let Some(carried) = &mut self.carried {
            carried.set(states);
        }
        let values = if clip > 0.0 && norm > clip {
            scaled(&self.model, values, clip / norm)
        } else {
            values
        };
        self.model = self.optimizer.step(lr, self.model.clone(), values);
    }
}

/// `AdamW` without weight decay where [`Group::decays`] says so.
pub(crate) fn optimizer(config: &OptimConfig, model: &LanguageModel) -> ModuleOptimizer {
    let with_decay = |weight_decay: f64| {
        AdamWConfig::new()
            .with_beta_1(config.beta1 as f32)
            .with_beta_2(config.beta2 as f32)
            .with_epsilon(config.epsilon as f32)
            .with_weight_decay(weight_decay as f32)
    };
    let spared = (parameters(model).into_iter())
        .filter(|parameter| !Group::of(&parameter.name).decays())
        .map(|parameter| parameter.id);
    with_decay(config.weight_decay).init().with_group(
        ParamGroup::from_ids(spared.collect()),
        with_decay(0.0).build(),
        None,
    )
}

fn scaled(model: &LanguageModel, values: GradientsParams, by: f64) -> GradientsParams {
    let mut scaler = Scaler { values, by };
    model.visit(&mut scaler);
    scaler.values
}

struct Scaler {
    values: GradientsParams,
    by: f64,
}

impl ModuleVisitor for Scaler {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.values.remove::<D>(param.id) {
            self.values.register(param.id, gradient.mul_scalar(self.by));
        }
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
