//! `train.verify_device`: the first steps made on the CPU as well, and compared.
//!
//! Both sides begin each step with nearly equal weights: what is compared is one step, not two
//! runs that drift apart. The CPU's update takes the device's gradients, so that gradients and
//! optimiser are judged apart.

use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use miras_data::Batch;
use miras_model::{Parameter, Precision, parameters};
use miras_spec::TrainConfig;
use miras_spec::read::read;

use crate::TrainError;
use crate::learner::{Gradients, Learner, gradients};

/// The largest relative gap of a loss or a gradient in float32: sums in another order differ by
/// less, a wrong kernel by much more.
const F32: f64 = 2e-3;
/// The same for 8 and 11 bits of mantissa: products round to 1/256 at worst.
const HALF: f64 = 5e-2;
/// The largest gap of an update as a share of it, and of the weights for rounding.
const UPDATE: f64 = 2e-2;
const ROUNDING: f64 = 1e-6;
/// A parameter's gradient is compared with at least this share of the whole gradient.
const SHARE: f64 = 1e-2;

/// A learner whose steps are made on the CPU as well and compared, while `train.verify_device`
/// asks for it. Without it, a learner and nothing more.
pub(crate) struct VerifiedLearner {
    /// The learner of the run.
    pub(crate) on_device: Learner,
    reference: Option<CpuReference>,
    /// What comparisons took so far.
    pub(crate) comparing: Duration,
}

impl VerifiedLearner {
    pub(crate) fn new(on_device: Learner, reference: Option<CpuReference>) -> Self {
        Self {
            on_device,
            reference,
            comparing: Duration::ZERO,
        }
    }

    /// The next step starts from the initial memory.
    pub(crate) fn reset_state(&mut self) {
        self.on_device.reset_state();
        if let Some(reference) = &mut self.reference {
            reference.learner.reset_state();
        }
    }

    /// The gradients of the learner; an error if the CPU has others.
    pub(crate) fn gradients(
        &mut self,
        step: u64,
        batches: &[Batch],
        wants_accuracy: bool,
    ) -> Result<Gradients, TrainError> {
        let found = self.on_device.gradients(batches, wants_accuracy)?;
        if let Some(reference) = &mut self.reference {
            let begun = Instant::now();
            let gap = reference.compare_gradients(&self.on_device, &found, batches)?;
            self.comparing += begun.elapsed();
            reference.refuse(step, gap)?;
        }
        Ok(found)
    }

    /// The update of the learner, after the gradients of the same step; an error if the CPU makes
    /// another one. After the last comparison, what there is to say of them.
    pub(crate) fn update(
        &mut self,
        step: u64,
        gradients: Gradients,
        lr: f64,
        clip: f64,
    ) -> Result<Option<String>, TrainError> {
        self.on_device.update(gradients, lr, clip);
        let Some(reference) = &mut self.reference else {
            return Ok(None);
        };
        let begun = Instant::now();
        let gap = reference.compare_update(&self.on_device, lr, clip)?;
        self.comparing += begun.elapsed();
        reference.refuse(step, gap)?;
        if reference.left > 0 {
            return Ok(None);
        }
        let device = &reference.device_name;
        let note = format!("step {step}  the device `{device}` agrees with the CPU so far");
        self.reference = None;
        Ok(Some(note))
    }
}

/// The CPU's side.
pub(crate) struct CpuReference {
    learner: Learner,
    /// What it is compared with, by name.
    device_name: String,
    /// Steps that are still to be compared.
    left: u64,
    tolerance: f64,
    /// The device's gradients of this step, for the update of this side.
    gradients: Option<Gradients>,
}

impl CpuReference {
    /// For the first steps of a run whose learner is where this one is.
    pub(crate) fn new(learner: Learner, train: &TrainConfig) -> Self {
        let tolerance = match train.precision {
            Precision::F32 => F32,
            Precision::Bf16 | Precision::F16 => HALF,
        };
        Self {
            learner,
            device_name: train.device.clone(),
            left: train.verify_device,
            tolerance,
            gradients: None,
        }
    }

    /// Compares loss and gradients of a step; what they differ in, if they do.
    fn compare_gradients(
        &mut self,
        device: &Learner,
        theirs: &Gradients,
        batches: &[Batch],
    ) -> Result<Option<String>, TrainError> {
        self.gradients = None;
        let ours = self.learner.gradients(batches, false)?;
        if !ours.is_finite() && !theirs.is_finite() {
            // They agree that this step cannot be made.
            return Ok(None);
        }
        let gap = (theirs.loss - ours.loss).abs() / ours.loss.abs().max(1.0);
        if let Some(gap) = beyond(gap, self.tolerance) {
            return Ok(Some(format!(
                "the loss is {}, on the CPU {} ({gap})",
                theirs.loss, ours.loss
            )));
        }
        let floor = SHARE * ours.norm.value;
        let found = numbers(gradients(&device.model, &theirs.values))?;
        let expected = numbers(gradients(&self.learner.model, &ours.values))?;
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            let gap = distance(found, expected) / norm(expected).max(floor).max(f64::MIN_POSITIVE);
            if let Some(gap) = beyond(gap, self.tolerance) {
                return Ok(Some(format!("the gradient of `{name}` is another ({gap})")));
            }
        }
        let mut values = found.into_iter().map(|(_, values)| values);
        let mut carry_over = CarryOver {
            values: &mut values,
            gradients: GradientsParams::new(),
            held: &ours.values,
        };
        self.learner.model.visit(&mut carry_over);
        self.gradients = Some(Gradients {
            values: carry_over.gradients,
            norm: theirs.norm.clone(),
            ..ours
        });
        Ok(None)
    }

    /// Makes the update of the step whose gradients were compared, and compares the weights after
    /// it; what they differ in, if they do.
    fn compare_update(
        &mut self,
        device: &Learner,
        lr: f64,
        clip: f64,
    ) -> Result<Option<String>, TrainError> {
        let gradients = self.gradients.take();
        let gradients = gradients.expect("an update follows gradients that were compared");
        let before = numbers(parameters(&self.learner.model))?;
        self.learner.update(gradients, lr, clip);
        self.left -= 1;
        let found = numbers(parameters(&device.model))?;
        let expected = numbers(parameters(&self.learner.model))?;
        for (((name, found), (_, expected)), (_, before)) in
            found.iter().zip(&expected).zip(&before)
        {
            let allowed = UPDATE * distance(expected, before) + ROUNDING * norm(expected);
            let gap = distance(found, expected);
            let is_fine = gap <= allowed;
            if !is_fine {
                return Ok(Some(format!(
                    "the update of `{name}` is another (off by {gap:.2e}, at most {allowed:.2e} is rounding)"
                )));
            }
        }
        Ok(None)
    }

    /// An error if the sides differ.
    fn refuse(&self, step: u64, gap: Option<String>) -> Result<(), TrainError> {
        let device = self.device_name.clone();
        match gap {
            Some(gap) => Err(TrainError::Disagrees { step, device, gap }),
            None => Ok(()),
        }
    }
}

/// The gap in words, if it is too large or no number.
fn beyond(gap: f64, tolerance: f64) -> Option<String> {
    let is_fine = gap <= tolerance;
    (!is_fine).then(|| format!("a relative gap of {gap:.2e}, at most {tolerance:.0e} is rounding"))
}

fn numbers(list: Vec<Parameter>) -> Result<Vec<(String, Vec<f32>)>, TrainError> {
    (list.into_iter())
        .map(|one| Ok((one.name, read(one.values)?)))
        .collect()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = (a.iter().zip(b)).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>().sqrt()
}

fn norm(a: &[f32]) -> f64 {
    distance(a, &vec![0.0; a.len()])
}

/// Gradients of numbers, in the order of the parameters that have one.
struct CarryOver<'a, I> {
    values: &'a mut I,
    held: &'a GradientsParams,
    gradients: GradientsParams,
}

impl<I: Iterator<Item = Vec<f32>>> ModuleVisitor for CarryOver<'_, I> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(like) = self.held.get::<D>(param.id) else {
            return;
        };
        let values = self.values.next().expect("both sides have these gradients");
        let data = TensorData::new(values, like.shape());
        let tensor = Tensor::<D>::from_data(data, &like.device());
        self.gradients.register(param.id, tensor);
    }
}

#[cfg(test)]
mod tests {
    use miras_config::Layers;
    use miras_data::Dataset;
    use miras_registry::Registry;
    use miras_spec::RunConfig;

    use super::*;

    /// A learner at step 0, its data, and `[train]` as it would be on a device.
    fn learner(sets: &[&str]) -> (Learner, Box<dyn Dataset>, TrainConfig) {
        let mut layers = Layers::new();
        let text = "[model]\nlayers = 1\ndim = 8\nffn_dim = 8\n[mixer]\nheads = 2\n[algorithm]\nchunk = 4\n[data]\nseq_len = 12";
        layers.text("test", text).unwrap();
        for set in sets {
            layers.set(set).unwrap();
        }
        let (config, _, data) = RunConfig::load_and_open(layers, &Registry::builtin()).unwrap();
        let device = miras_device::open("cpu").unwrap();
        let learner = Learner::new(&config, data.vocab(), &device).unwrap();
        (learner, data, config.train)
    }

    /// A learner, beside a reference that two steps are compared with.
    fn verified(sets: &[&str]) -> (VerifiedLearner, Box<dyn Dataset>) {
        let (reference, _, mut train) = learner(&[]);
        train.verify_device = 2;
        let (on_device, data, _) = learner(sets);
        let reference = CpuReference::new(reference, &train);
        (VerifiedLearner::new(on_device, Some(reference)), data)
    }

    /// A step of both sides; the device takes `lr` and the CPU 0.01.
    fn step(
        learner: &mut VerifiedLearner,
        data: &dyn Dataset,
        lr: f64,
    ) -> Result<Option<String>, TrainError> {
        let batches = [data.train_batch(0, 0..2).unwrap()];
        let gradients = learner.gradients(1, &batches, false)?;
        learner.on_device.update(gradients, lr, 0.5);
        let reference = learner.reference.as_mut().unwrap();
        let gap = reference.compare_update(&learner.on_device, 0.01, 0.5)?;
        reference.refuse(1, gap)?;
        Ok(None)
    }

    #[test]
    fn equal_sides_agree_step_after_step() {
        let (mut learner, data) = verified(&[]);
        for step in 1..=4 {
            let batches = [data.train_batch(step, 0..2).unwrap()];
            let gradients = learner.gradients(step, &batches, false).unwrap();
            let said = learner.update(step, gradients, 0.01, 0.5).unwrap();
            // The last comparison says so, and the steps after it are not compared.
            let expected = "step 2  the device `cpu` agrees with the CPU so far";
            assert_eq!(said.as_deref(), (step == 2).then_some(expected));
            assert_eq!(learner.reference.is_some(), step < 2);
        }
    }

    #[test]
    fn another_loss_gradient_or_update_is_named() {
        let one = |sets: &[&str], lr| {
            let (mut learner, data) = verified(sets);
            match step(&mut learner, &*data, lr) {
                Err(TrainError::Disagrees { gap, .. }) => gap,
                other => panic!("{other:?}"),
            }
        };
        // Other weights stand for a device that computes something else: those behind a step that
        // moves each by 0.1.
        let (mut learner, data) = verified(&[]);
        let batches = [data.train_batch(0, 0..2).unwrap()];
        let gradients = learner.on_device.gradients(&batches, false).unwrap();
        learner.on_device.update(gradients, 0.1, 0.5);
        let Err(TrainError::Disagrees { gap: loss, .. }) = step(&mut learner, &*data, 0.01) else {
            panic!("the loss is another");
        };
        assert!(loss.starts_with("the loss is "), "{loss}");
        let gradient = one(&["retention.decay=0.95"], 0.01);
        assert!(gradient.starts_with("the gradient of `"), "{gradient}");
        for lr in [0.011, f64::NAN] {
            let update = one(&[], lr);
            assert!(update.starts_with("the update of `"), "{update}");
        }
    }

    #[test]
    fn a_step_that_neither_side_can_make_is_left_out() {
        let (mut learner, data) = verified(&[]);
        let mut batches = [data.train_batch(0, 0..2).unwrap()];
        let fine = batches[0].weights[0];
        batches[0].weights[0] = f32::NAN;
        let gradients = learner.gradients(1, &batches, false).unwrap();
        assert!(!gradients.is_finite());
        batches[0].weights[0] = fine;
        let gradients = learner.gradients(2, &batches, false).unwrap();
        assert_eq!(learner.update(2, gradients, 0.01, 0.5).unwrap(), None);
    }
}
