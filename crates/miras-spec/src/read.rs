//! Between the device and numbers: batches go there, results come back.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_data::Batch;

use crate::SpecError;

/// The values of a tensor; waits for the device.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, SpecError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| SpecError::Compute(error.to_string()))
}

/// The most elements that are summed in one operation. burn's CPU backend adds up 4 Mi elements
/// and more in an order that depends on the number of threads.
pub const PIECE: usize = 1 << 21;

/// The sum of a tensor, whose bits do not depend on the number of threads.
pub fn sum(x: Tensor<2>) -> Tensor<1> {
    if x.shape().num_elements() <= PIECE {
        x.sum()
    } else {
        // Sums along a dimension have one order.
        x.sum_dim(1).sum_dim(0).reshape([1])
    }
}

/// Numbers that are read from the device all at once, because each read waits for the device.
#[derive(Default)]
pub struct ReadBack {
    tensors: Vec<Tensor<1>>,
    len: usize,
}

/// Where a tensor of a [`ReadBack`] is in its [`Numbers`].
#[derive(Debug, Clone)]
pub struct Slot(Range<usize>);

impl ReadBack {
    /// One more tensor to read.
    pub fn add(&mut self, tensor: Tensor<1>) -> Slot {
        let start = self.len;
        self.len += tensor.dims()[0];
        self.tensors.push(tensor);
        Slot(start..self.len)
    }

    /// Waits for the device.
    pub fn read(self) -> Result<Numbers, SpecError> {
        if self.tensors.is_empty() {
            return Ok(Numbers(Vec::new()));
        }
        read(Tensor::cat(self.tensors, 0)).map(Numbers)
    }
}

/// What a [`ReadBack`] read.
pub struct Numbers(Vec<f32>);

impl Numbers {
    /// The values of one tensor.
    pub fn of(&self, slot: &Slot) -> &[f32] {
        &self.0[slot.0.clone()]
    }

    /// The sum over tensors.
    pub fn sum(&self, slots: &[Slot]) -> f64 {
        let values = slots.iter().flat_map(|slot| self.of(slot));
        values.copied().map(f64::from).sum()
    }
}

/// A batch on the device, `[rows, len]` each.
pub struct Tokens {
    /// Tokens that are read.
    pub inputs: Tensor<2, Int>,
    /// The token after each of them.
    pub targets: Tensor<2, Int>,
    /// How much each target counts.
    pub weights: Tensor<2>,
}

impl Tokens {
    /// Puts a batch on the device.
    pub fn new(batch: &Batch, device: &Device) -> Self {
        let shape = [batch.rows, batch.len];
        let ints =
            |values: &[i32]| Tensor::from_data(TensorData::new(values.to_vec(), shape), device);
        Self {
            inputs: ints(&batch.inputs),
            targets: ints(&batch.targets),
            weights: Tensor::from_data(TensorData::new(batch.weights.clone(), shape), device),
        }
    }
}

/// How much a batch counts.
pub fn weight_of(batch: &Batch) -> f64 {
    batch.weights.iter().copied().map(f64::from).sum()
}
