//! The gradients of a model by name.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use miras_model::{LanguageModel, Parameter, TensorOf, tensors_of};

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
