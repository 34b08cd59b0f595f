//! To the device and back.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::UseError;

/// Tokens on a device, `[rows, len]`.
pub(crate) fn tokens(values: &[i32], rows: usize, device: &Device) -> Tensor<2, Int> {
    let shape = [rows, values.len() / rows];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// The values of a tensor; waits for the device.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, UseError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| UseError::Compute(error.to_string()))
}
