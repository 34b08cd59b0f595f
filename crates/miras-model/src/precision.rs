//! Mixed precision: the number type of the large products.

use burn::{
    module::{Module, Param},
    tensor::{DType, Tensor, module::linear},
};
use serde::{Deserialize, Serialize};

use crate::{ParameterGroup, ParameterGroups};

/// The number type in which projections, the head and attention multiply.
///
/// Weights are kept in float32 and rounded for each product, whose result is float32 again;
/// norms, softmaxes, gates, the inner loop with its solves and its state, and the loss are
/// float32 throughout. Gradients of weights come out in float32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16: the range of float32 with 8 bits of mantissa.
    Bf16,
    /// float16: 11 bits of mantissa, and nothing above 65,504.
    F16,
}

impl Precision {
    /// The number type.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        }
    }

    /// As it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }

    /// The tensor as a factor of a product.
    fn round<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self == Precision::F32 {
            x
        } else {
            x.cast(self.dtype())
        }
    }

    /// `a b` in this precision, as what `a` is.
    pub(crate) fn product<const D: usize>(self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        let kept = a.dtype();
        let product = self.round(a).matmul(self.round(b));
        if self == Precision::F32 {
            product
        } else {
            product.cast(kept)
        }
    }
}

/// A projection without bias, `x W`.
#[derive(Module, Debug)]
pub(crate) struct Projection {
    /// `[d_in, d_out]`.
    weight: Param<Tensor<2>>,
    #[module(skip)]
    precision: Precision,
}

impl Projection {
    pub(crate) fn new(weight: Param<Tensor<2>>, precision: Precision) -> Self {
        Self { weight, precision }
    }

    pub(crate) fn group(&self, group: ParameterGroup, groups: &mut ParameterGroups) {
        groups.put(group, &self.weight);
    }

    pub(crate) fn weight(&self) -> Tensor<2> {
        self.weight.val()
    }

    /// `[b, t, d_in] → [b, t, d_out]`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (kept, weight) = (x.dtype(), self.weight.val());
        let (x, weight) = (self.precision.round(x), self.precision.round(weight));
        let y = linear(x, weight, None);
        if self.precision == Precision::F32 {
            y
        } else {
            y.cast(kept)
        }
    }
}
