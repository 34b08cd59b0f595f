//! From the device to numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_data::Batch;

use crate::TrainError;

/// The values of a tensor; waits for the device.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| TrainError::Compute(error.to_string()))
}

/// A batch on the device, `[rows, len]` each.
pub(crate) struct Tokens {
    pub(crate) inputs: Tensor<2, Int>,
    pub(crate) targets: Tensor<2, Int>,
    pub(crate) weights: Tensor<2>,
}

impl Tokens {
    pub(crate) fn new(batch: &Batch, device: &Device) -> Self {
        let shape = [batch.rows, batch.len];
        let ints =
            |values: &[i32]| Tensor::from_data(TensorData::new(values.to_vec(), shape), device);
        Self {
            inputs: ints(&batch.inputs),
            targets: ints(&batch.targets),
            weights: Tensor::from_data(TensorData::new(batch.weights.clone(), shape), device),
        }
    }

    /// How much of the scored targets the logits rank first, in the sum of weights.
    pub(crate) fn hits(&self, logits: Tensor<3>) -> Tensor<1> {
        let [rows, len, _] = logits.dims();
        let first = logits.argmax(2).reshape([rows, len]);
        (first.equal(self.targets.clone()).float() * self.weights.clone()).sum()
    }
}

/// How much a batch counts.
pub(crate) fn weight_of(batch: &Batch) -> f64 {
    batch.weights.iter().copied().map(f64::from).sum()
}
