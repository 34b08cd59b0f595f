//! From the device to numbers.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_data::Batch;

use crate::TrainError;

/// The values of a tensor; waits for the device.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| TrainError::Compute(error.to_string()))
}

/// The most elements that are summed in one operation. burn's CPU backend adds up 4 Mi elements
/// and more in an order that depends on the number of threads.
pub(crate) const PIECE: usize = 1 << 21;

/// The sum of a tensor, whose bits do not depend on the number of threads.
pub(crate) fn sum(x: Tensor<2>) -> Tensor<1> {
    if x.shape().num_elements() <= PIECE {
        x.sum()
    } else {
        // Sums along a dimension have one order.
        x.sum_dim(1).sum_dim(0).reshape([1])
    }
}

/// Numbers that are read from the device all at once, because each read waits for the device.
#[derive(Default)]
pub(crate) struct ReadBack {
    tensors: Vec<Tensor<1>>,
    len: usize,
}

/// Where a tensor of a [`ReadBack`] is in its [`Numbers`].
#[derive(Debug, Clone)]
pub(crate) struct Slot(Range<usize>);

impl ReadBack {
    /// One more tensor to read.
    pub(crate) fn add(&mut self, tensor: Tensor<1>) -> Slot {
        let start = self.len;
        self.len += tensor.dims()[0];
        self.tensors.push(tensor);
        Slot(start..self.len)
    }

    /// Waits for the device.
    pub(crate) fn read(self) -> Result<Numbers, TrainError> {
        if self.tensors.is_empty() {
            return Ok(Numbers(Vec::new()));
        }
        read(Tensor::cat(self.tensors, 0)).map(Numbers)
    }
}

/// What a [`ReadBack`] read.
pub(crate) struct Numbers(Vec<f32>);

impl Numbers {
    /// The values of one tensor.
    pub(crate) fn of(&self, slot: &Slot) -> &[f32] {
        &self.0[slot.0.clone()]
    }

    /// The sum over tensors.
    pub(crate) fn sum(&self, slots: &[Slot]) -> f64 {
        let values = slots.iter().flat_map(|slot| self.of(slot));
        values.copied().map(f64::from).sum()
    }
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
        sum(first.equal(self.targets.clone()).float() * self.weights.clone())
    }
}

/// How much a batch counts.
pub(crate) fn weight_of(batch: &Batch) -> f64 {
    batch.weights.iter().copied().map(f64::from).sum()
}
