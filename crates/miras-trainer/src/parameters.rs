//! The parameters of a model by name, and the groups they fall into.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use miras_model::LanguageModel;

use crate::{TrainError, read::read};

/// One parameter, its values in a row and outside any graph.
pub(crate) struct Parameter {
    /// As in `model.safetensors`, for example `blocks.0.mixer.q.weight`.
    pub(crate) name: String,
    pub(crate) id: ParamId,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Tensor<1>,
}

/// What a parameter is to the optimiser and to histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Embedding,
    Projection,
    FeedForward,
    Head,
    Norm,
    Bias,
    Gate,
    Memory,
    Convolution,
}

impl Group {
    /// The group of the parameter with this name.
    pub(crate) fn of(name: &str) -> Self {
        let parts: Vec<&str> = name.split('.').collect();
        let has = |part: &str| parts.contains(&part);
        let last = parts.last().copied().unwrap_or_default();
        if has("gates") || has("rates") {
            Self::Gate
        } else if has("initial") || has("gains") {
            Self::Memory
        } else if last == "taps" {
            Self::Convolution
        } else if last == "gamma" {
            Self::Norm
        } else if last == "bias" {
            Self::Bias
        } else if has("embedding") {
            Self::Embedding
        } else if has("ffn") {
            Self::FeedForward
        } else if parts[0] == "head" {
            Self::Head
        } else {
            Self::Projection
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Projection => "projection",
            Self::FeedForward => "feed_forward",
            Self::Head => "head",
            Self::Norm => "norm",
            Self::Bias => "bias",
            Self::Gate => "gate",
            Self::Memory => "memory",
            Self::Convolution => "convolution",
        }
    }

    /// Whether weight decay acts on it.
    pub(crate) fn decays(self) -> bool {
        match self {
            Self::Embedding | Self::Projection | Self::FeedForward | Self::Head => true,
            Self::Norm | Self::Bias | Self::Gate | Self::Memory | Self::Convolution => false,
        }
    }
}

/// All parameters, in the order of construction.
pub(crate) fn parameters(model: &LanguageModel) -> Vec<Parameter> {
    collect(model, None)
}

/// The gradients of the parameters that have one, in the order of the parameters.
pub(crate) fn gradients(model: &LanguageModel, gradients: &GradientsParams) -> Vec<Parameter> {
    collect(model, Some(gradients))
}

/// The name of the first that holds NaN or infinity.
pub(crate) fn first_nonfinite(list: &[Parameter]) -> Result<Option<String>, TrainError> {
    // 0 times NaN or infinity is NaN; a plain sum of large finite values could overflow.
    let probes = (list.iter()).map(|one| one.values.clone().mul_scalar(0.0).sum());
    let probes = read(Tensor::cat(probes.collect(), 0))?;
    let first = probes.iter().position(|value| !value.is_finite());
    Ok(first.map(|at| list[at].name.clone()))
}

fn collect(model: &LanguageModel, gradients: Option<&GradientsParams>) -> Vec<Parameter> {
    let mut collector = Collector {
        path: Vec::new(),
        gradients,
        found: Vec::new(),
    };
    model.visit(&mut collector);
    collector.found
}

struct Collector<'a> {
    path: Vec<String>,
    gradients: Option<&'a GradientsParams>,
    found: Vec<Parameter>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if !is_variant(container_type) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if !is_variant(container_type) {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(param.id),
            None => Some(param.val().inner()),
        };
        self.found.extend(tensor.map(|tensor| {
            let count = tensor.shape().num_elements();
            Parameter {
                name: self.path.join("."),
                id: param.id,
                shape: tensor.dims().to_vec(),
                values: tensor.reshape([count]),
            }
        }));
    }
}

/// Names of enum variants are no part of the names in `model.safetensors` either.
fn is_variant(container_type: &str) -> bool {
    container_type.starts_with("Enum:")
}
