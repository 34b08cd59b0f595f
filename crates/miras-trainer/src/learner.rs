//! A model and its optimiser: gradients of a step, then the update.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use miras_data::Batch;
use miras_model::{
    Ends, LanguageModel, ModelState, Parameter, ParameterGroup, ParameterGroups, Pass, Precision,
    TensorOf, parameters, tensors_of, ungrouped,
};
use miras_spec::read::{ReadBack, weight_of};
use miras_spec::{OptimConfig, RunConfig, TaskConfig, memory_pass};

use crate::TrainError;
use crate::adamw::AdamW;
use crate::carried::Carried;
use crate::loss_scale::{LossScale, SMALLEST};
use crate::norm::{Huge, Norm, Squares};

/// A model and its optimiser.
pub(crate) struct Learner {
    pub(crate) task: TaskConfig,
    pub(crate) model: LanguageModel,
    pub(crate) optimizer: ModuleOptimizer,
    /// What memories keep from step to step, if they do.
    pub(crate) carried: Option<Carried>,
    /// The group of every parameter.
    pub(crate) groups: ParameterGroups,
    /// What the loss is multiplied with, in float16 alone.
    pub(crate) loss_scale: Option<LossScale>,
    /// What memories do in training, and where gradients are cut off.
    pub(crate) pass: Pass,
    /// Where it computes.
    pub(crate) device: Device,
}

/// What the batches of one step say about the weights.
pub(crate) struct Gradients {
    pub(crate) values: GradientsParams,
    /// Mean over the scored targets of the step.
    pub(crate) loss: f64,
    /// Norm of the whole gradient.
    pub(crate) norm: Norm,
    /// Share of scored targets that are right, if it was asked for and the task has any.
    pub(crate) accuracy: Option<f64>,
    /// The loss scale that they were made with.
    pub(crate) scale: Option<f64>,
    /// The states after the batches, cut off from the graph, if they are to be carried.
    pub(crate) states: Vec<ModelState>,
    /// Whether these are finite.
    pub(crate) has_finite_states: bool,
}

/// Why a step with certain gradients cannot be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// The loss is NaN or infinite.
    Loss,
    /// The gradient is.
    Gradient,
    /// The carried memory is.
    Memory,
    /// The square of an entry, clipped as it would be, is too large for the optimiser.
    Huge(Huge),
}

impl Gradients {
    /// Whether loss, gradient and carried memories are.
    pub(crate) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.norm.value.is_finite() && self.has_finite_states
    }

    /// Why a step that is clipped to norm `clip` (0 = off) cannot be made, if so.
    pub(crate) fn fault(&self, clip: f64) -> Option<Fault> {
        let factor = self.factor(clip);
        let is_huge = |huge: &Huge| huge.overflows_at(factor);
        if !self.loss.is_finite() {
            Some(Fault::Loss)
        } else if !self.norm.value.is_finite() {
            Some(Fault::Gradient)
        } else if !self.has_finite_states {
            Some(Fault::Memory)
        } else {
            self.norm.huge.clone().filter(is_huge).map(Fault::Huge)
        }
    }

    /// What the gradient is multiplied with to have at most the norm `clip` (0 = off).
    fn factor(&self, clip: f64) -> f64 {
        if clip > 0.0 && self.norm.value > clip {
            clip / self.norm.value
        } else {
            1.0
        }
    }
}

impl Learner {
    /// Initial weights and a fresh optimiser.
    pub(crate) fn new(
        config: &RunConfig,
        ends: impl Into<Ends>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let with_gradients = device.clone().autodiff();
        let model = LanguageModel::new(&config.model, ends, config.train.seed, &with_gradients);
        let groups = groups(&model)?;
        Ok(Self {
            task: config.task.clone(),
            optimizer: optimizer(&config.optim, &model, &groups),
            model,
            carried: Carried::new(&config.train),
            groups,
            loss_scale: match config.train.precision {
                Precision::F32 | Precision::Bf16 => None,
                Precision::F16 => Some(LossScale::new()),
            },
            pass: Pass {
                truncate: config.train.truncate,
                ..memory_pass(config.train.memory, Some(config.data.seq_len()))
            },
            device: device.clone(),
        })
    }

    /// The model without gradients.
    pub(crate) fn inference_model(&self) -> LanguageModel {
        self.model.valid()
    }

    /// What a micro-batch of the next step goes on from, for [`inference_model`](Self::inference_model).
    pub(crate) fn inference_state(&self, micro_batch: usize) -> Option<ModelState> {
        let state = self.carried.as_ref()?.state(micro_batch)?;
        Some(state.inner())
    }

    /// The next step starts from the initial memory.
    pub(crate) fn reset_state(&mut self) {
        if let Some(carried) = &mut self.carried {
            carried.reset();
        }
    }

    /// The gradient of the mean loss over all scored tokens of `batches`, from the carried
    /// states on.
    pub(crate) fn gradients(
        &self,
        batches: &[Batch],
        wants_accuracy: bool,
    ) -> Result<Gradients, TrainError> {
        self.with_scale(
            batches,
            wants_accuracy,
            self.loss_scale.map(LossScale::scale),
        )
    }

    /// The gradients by way of a scaled loss; the scale falls until they are finite, if any does
    /// it.
    fn with_scale(
        &self,
        batches: &[Batch],
        wants_accuracy: bool,
        scale: Option<f64>,
    ) -> Result<Gradients, TrainError> {
        let pass = |scale| self.scaled_gradients(batches, wants_accuracy, scale);
        let overflows = |found: &Gradients| found.loss.is_finite() && !found.norm.value.is_finite();
        let mut found = pass(scale)?;
        let Some(mut scale) = scale else {
            return Ok(found);
        };
        if overflows(&found) && scale > SMALLEST {
            // What the smallest scale does not make finite, none does.
            let smallest = pass(Some(SMALLEST))?;
            if overflows(&smallest) {
                return Ok(smallest);
            }
        }
        while overflows(&found) && scale > SMALLEST {
            scale = LossScale::below(scale);
            found = pass(Some(scale))?;
        }
        Ok(found)
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
        let device = self.device.clone().autodiff();
        let mut sum = GradientsAccumulator::new();
        let mut numbers = ReadBack::default();
        let (mut losses, mut hits) = (Vec::new(), Vec::new());
        let mut states = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let earlier = (self.carried.as_ref()).and_then(|carried| carried.state(at));
            let found = (self.task).train(
                &self.model,
                batch,
                &device,
                earlier,
                self.pass,
                wants_accuracy,
            );
            if self.carried.is_some() {
                states.push(found.state.detach());
            }
            if let Some(found) = found.hits {
                hits.push(numbers.add(found.inner().div_scalar(total)));
            }
            let loss = found.loss.div_scalar(total);
            losses.push(numbers.add(loss.clone().inner()));
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
        let gradients = gradients(&self.model, &values);
        let squares = Squares::of(&gradients, &mut numbers);
        let finiteness: Vec<_> = (states.iter())
            .map(|state| numbers.add(state.finiteness().inner()))
            .collect();

        let numbers = numbers.read()?;
        Ok(Gradients {
            loss: numbers.sum(&losses),
            accuracy: (!hits.is_empty()).then(|| numbers.sum(&hits)),
            norm: squares.norm(&numbers, &gradients)?,
            scale,
            has_finite_states: numbers.sum(&finiteness).is_finite(),
            values,
            states,
        })
    }

    /// One step of the optimiser, the whole gradient clipped to norm `clip` (0 = off); the next
    /// step goes on from the states after this one.
    pub(crate) fn update(&mut self, gradients: Gradients, lr: f64, clip: f64) {
        let factor = gradients.factor(clip);
        let Gradients {
            values,
            scale,
            states,
            ..
        } = gradients;
        if let Some(carried) = &mut self.carried {
            carried.set(states);
        }
        self.loss_scale = (self.loss_scale.zip(scale)).map(|(before, used)| before.after(used));
        let values = if factor < 1.0 {
            scaled(&self.model, values, factor)
        } else {
            values
        };
        self.model = self.optimizer.step(lr, self.model.clone(), values);
    }
}

/// The group of every parameter, or an error that names one that no module put into a group.
fn groups(model: &LanguageModel) -> Result<ParameterGroups, TrainError> {
    let groups = model.groups();
    check_groups(model, &groups)?;
    Ok(groups)
}

/// An error that names a parameter without a group, if there is one.
fn check_groups(model: &LanguageModel, groups: &ParameterGroups) -> Result<(), TrainError> {
    match ungrouped(model, groups) {
        Some(name) => Err(TrainError::NoGroup { name }),
        None => Ok(()),
    }
}

/// `AdamW`, with weight decay on the groups that
/// [decay](miras_model::ParameterGroup::decays) alone.
fn optimizer(
    config: &OptimConfig,
    model: &LanguageModel,
    groups: &ParameterGroups,
) -> ModuleOptimizer {
    let decays =
        |parameter: &Parameter| groups.of(parameter.id).is_some_and(ParameterGroup::decays);
    let spared = (parameters(model).into_iter())
        .filter(|parameter| !decays(parameter))
        .map(|parameter| parameter.id);
    ModuleOptimizer::from(AdamW::new(config, config.weight_decay)).with_group(
        ParamGroup::from_ids(spared.collect()),
        AdamW::new(config, 0.0),
        None,
    )
}

/// The gradients of the parameters that have one, in the order of the parameters.
pub(crate) fn gradients(model: &LanguageModel, gradients: &GradientsParams) -> Vec<Parameter> {
    tensors_of(model, &Gradient(gradients))
}

struct Gradient<'a>(&'a GradientsParams);

impl TensorOf for Gradient<'_> {
    fn tensor<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Option<Tensor<D>> {
        self.0.get::<D>(parameter.id)
    }
}

fn scaled(model: &LanguageModel, values: GradientsParams, by: f64) -> GradientsParams {
    // A factor below the smallest float32 with all its digits is applied in two parts.
    let parts = if by < f64::from(f32::MIN_POSITIVE) {
        vec![by.sqrt(), by.sqrt()]
    } else {
        vec![by]
    };
    parts.into_iter().fold(values, |values, by| {
        let mut scaler = Scaler { values, by };
        model.visit(&mut scaler);
        scaler.values
    })
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
