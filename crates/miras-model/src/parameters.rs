//! The parameters of a model by name.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::{LanguageModel, ParameterGroups};

/// A tensor of one parameter, in a row and outside any graph.
pub struct Parameter {
    /// As in `model.safetensors`, for example `blocks.0.mixer.q.weight`.
    pub name: String,
    /// What burn knows it by.
    pub id: ParamId,
    /// The shape of the tensor.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Tensor<1>,
}

/// Which tensor of a parameter is asked for: its values, its gradient.
pub trait TensorOf {
    /// The tensor; none if this parameter has none.
    fn tensor<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Option<Tensor<D>>;
}

/// The values of all parameters, in the order of construction.
pub fn parameters(model: &LanguageModel) -> Vec<Parameter> {
    tensors_of(model, &Values)
}

/// One tensor of each parameter that has it, in the order of construction.
pub fn tensors_of(model: &LanguageModel, which: &impl TensorOf) -> Vec<Parameter> {
    let mut collector = Collector {
        path: Vec::new(),
        which,
        found: Vec::new(),
    };
    model.visit(&mut collector);
    collector.found
}

/// The name of the first parameter that no module put into a group: nothing would say whether
/// weight decay acts on it.
pub fn ungrouped(model: &LanguageModel, groups: &ParameterGroups) -> Option<String> {
    let mut parameters = parameters(model).into_iter();
    let found = parameters.find(|one| groups.of(one.id).is_none())?;
    Some(found.name)
}

struct Values;

impl TensorOf for Values {
    fn tensor<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Option<Tensor<D>> {
        Some(parameter.val().inner())
    }
}

struct Collector<'a, W> {
    path: Vec<String>,
    which: &'a W,
    found: Vec<Parameter>,
}

impl<W: TensorOf> ModuleVisitor for Collector<'_, W> {
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
        let tensor = self.which.tensor(param);
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
