//! The parameters of a model by name.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use miras_model::{LanguageModel, ParameterGroups};

use crate::{TrainError, read::read};

/// One parameter, its values in a row and outside any graph.
pub(crate) struct Parameter {
    /// As in `model.safetensors`, for example `blocks.0.mixer.q.weight`.
    pub(crate) name: String,
    pub(crate) id: ParamId,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Tensor<1>,
}

/// The group of every parameter, or an error that names one that no module put into a group:
/// nothing would say whether weight decay acts on it.
pub(crate) fn groups(model: &LanguageModel) -> Result<ParameterGroups, TrainError> {
    let groups = model.groups();
    check_groups(model, &groups)?;
    Ok(groups)
}

/// An error that names a parameter without a group, if there is one.
pub(crate) fn check_groups(
    model: &LanguageModel,
    groups: &ParameterGroups,
) -> Result<(), TrainError> {
    let ungrouped = parameters(model)
        .into_iter()
        .find(|one| groups.of(one.id).is_none());
    match ungrouped {
        Some(one) => Err(TrainError::NoGroup { name: one.name }),
        None => Ok(()),
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
