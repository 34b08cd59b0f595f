//! `train.verify_device`: the first steps made on the CPU as well, and compared.
//!
//! Both sides begin each step with nearly equal weights: what is compared is one step, not two
//! runs that drift apart. The CPU's update takes the device's gradients, so that gradients and
//! optimiser are judged apart.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use miras_data::Batch;
use miras_model::{Parameter, Precision, parameters};
use miras_spec::read::read;

use crate::TrainError;
use crate::gradients::gradients;
use crate::learner::{Gradients, Learner};

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

/// The CPU's side.
pub(crate) struct Twin {
    learner: Learner,
    /// Steps that are still to be compared.
    left: u64,
    tolerance: f64,
}

impl Twin {
    /// For the next `steps` steps of a learner that is where this one is.
    pub(crate) fn new(learner: Learner, steps: u64, precision: Precision) -> Self {
        let tolerance = match precision {
            Precision::F32 => F32,
            Precision::Bf16 | Precision::F16 => HALF,
        };
        Self {
            learner,
            left: steps,
            tolerance,
        }
    }

    /// Whether all steps are compared.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The next step starts from the initial memory.
    pub(crate) fn forget(&mut self) {
        self.learner.forget();
    }

    /// Compares loss and gradients of a step; what they differ in, if they do. Gives the
    /// gradients with which [`Twin::update`] follows.
    pub(crate) fn gradients(
        &self,
        device: &Learner,
        theirs: &Gradients,
        batches: &[Batch],
    ) -> Result<Result<Gradients, String>, TrainError> {
        let ours = self.learner.gradients(batches, false)?;
        if !ours.is_finite() && !theirs.is_finite() {
            // They agree that this step cannot be made.
            return Ok(Ok(ours));
        }
        let gap = (theirs.loss - ours.loss).abs() / ours.loss.abs().max(1.0);
        if let Some(gap) = beyond(gap, self.tolerance) {
            return Ok(Err(format!(
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
                return Ok(Err(format!("the gradient of `{name}` is another ({gap})")));
            }
        }
        let mut values = found.into_iter().map(|(_, values)| values);
        let mut carry_over = CarryOver {
            values: &mut values,
            gradients: GradientsParams::new(),
            held: &ours.values,
        };
        self.learner.model.visit(&mut carry_over);
        Ok(Ok(Gradients {
            values: carry_over.gradients,
            norm: theirs.norm.clone(),
            ..ours
        }))
    }

    /// Makes the update of a step and compares the weights behind it; what they differ in, if
    /// they do.
    pub(crate) fn update(
        &mut self,
        device: &Learner,
        gradients: Gradients,
        lr: f64,
        clip: f64,
    ) -> Result<Option<String>, TrainError> {
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

    fn learner(sets: &[&str]) -> (Learner, Box<dyn Dataset>) {
        let mut layers = Layers::new();
        let text = "[model]\nlayers = 1\ndim = 8\nheads = 2\nffn_dim = 8\n[algorithm]\nchunk = 4\n[data]\nseq_len = 12";
        layers.text("test", text).unwrap();
        for set in sets {
            layers.set(set).unwrap();
        }
        let (config, _, data) = RunConfig::load_and_open(layers, &Registry::builtin()).unwrap();
        let device = miras_device::open("cpu").unwrap();
        let learner = Learner::new(&config, data.vocab(), &device).unwrap();
        (learner, data)
    }

    /// A step of both; what they differ in.
    fn compared(
        twin: &mut Twin,
        device: &mut Learner,
        data: &dyn Dataset,
        lr: f64,
    ) -> Option<String> {
        let batches = [data.train_batch(0, 0..2).unwrap()];
        let gradients = device.gradients(&batches, false).unwrap();
        let ours = match twin.gradients(device, &gradients, &batches).unwrap() {
            Ok(ours) => ours,
            Err(gap) => return Some(gap),
        };
        device.update(gradients, lr, 0.5);
        twin.update(device, ours, 0.01, 0.5).unwrap()
    }

    #[test]
    fn equal_sides_agree_step_after_step() {
        let ((mut device, data), (learner, _)) = (learner(&[]), learner(&[]));
        let mut twin = Twin::new(learner, 2, Precision::F32);
        for _ in 0..2 {
            assert!(!twin.is_done());
            assert_eq!(compared(&mut twin, &mut device, &*data, 0.01), None);
        }
        assert!(twin.is_done());
    }

    #[test]
    fn another_loss_gradient_or_update_is_named() {
        let one = |sets: &[&str], lr| {
            let ((mut device, data), (learner, _)) = (learner(sets), learner(&[]));
            let mut twin = Twin::new(learner, 2, Precision::F32);
            compared(&mut twin, &mut device, &*data, lr).unwrap()
        };
        // Other weights stand for a device that computes something else.
        let loss = one(&["train.seed=2"], 0.01);
        assert!(loss.starts_with("the loss is "), "{loss}");
        let gradient = one(&["retention.decay=0.95"], 0.01);
        assert!(gradient.starts_with("the gradient of `"), "{gradient}");
        for lr in [0.011, f64::NAN] {
            let update = one(&[], lr);
            assert!(update.starts_with("the update of `"), "{update}");
        }
    }
}
