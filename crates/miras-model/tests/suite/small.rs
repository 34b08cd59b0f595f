//! Small models with their weights as numbers, for the readable formulas to be compared with.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, TensorData},
};
use miras_config::Layers;
use miras_model::{LanguageModel, ModelSpec};
use miras_random::Stream;
use miras_registry::Registry;

use crate::naive::{Params, Rows};

pub(crate) const VOCAB: usize = 11;
pub(crate) const DIM: usize = 12;
pub(crate) const HEADS: usize = 2;
pub(crate) const BATCH: usize = 2;

pub(crate) fn spec(text: &str) -> ModelSpec {
    let mut layers = Layers::new();
    layers.text("case", text).unwrap();
    ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin()).unwrap()
}

/// A small model: keys of `[mixer]`, then other tables.
pub(crate) fn small(keys: &str, tables: &str) -> ModelSpec {
    let size = format!("model = {{ dim = {DIM}, layers = 2, ffn_dim = 20 }}");
    spec(&format!(
        "{size}\n[mixer]\nheads = {HEADS}\n{keys}\n{tables}"
    ))
}

pub(crate) fn noise(name: &str, count: usize, scale: f64) -> Vec<f64> {
    let mut stream = Stream::new(7, name, &[]);
    (0..count)
        .map(|_| (2.0 * stream.unit() - 1.0) * scale)
        .collect()
}

/// The names of parameters as a model is walked through; those of enum variants are left out.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.into());
        }
    }

    fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }
}

/// Puts random numbers in place of all initial weights, so that zeros, ones and
/// equal weights hide nothing.
struct Perturb(Path);

impl ModuleMapper for Perturb {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.0.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.0.0.join(".");
        param.map(|old| {
            let shape = old.shape();
            let mut values = noise(&name, shape.num_elements(), 0.6);
            if name.ends_with("gamma") {
                for value in &mut values {
                    *value += 1.0;
                }
            }
            let data = TensorData::new(values, shape).convert::<f32>();
            Tensor::from_data(data, &old.device())
        })
    }
}

struct Collect<'a> {
    path: Path,
    found: BTreeMap<String, Vec<f64>>,
    /// What is collected in the place of values.
    gradients: Option<&'a Gradients>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.0.join(".");
        let found = match self.gradients {
            None => numbers(param.val()),
            // Parameters that the loss does not depend on have none.
            Some(gradients) => param.val().grad(gradients).map_or(Vec::new(), numbers),
        };
        let earlier = self.found.insert(name.clone(), found);
        assert!(earlier.is_none(), "two parameters are named {name}");
    }
}

pub(crate) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

pub(crate) fn initial(spec: &ModelSpec) -> (LanguageModel, Params) {
    let model = LanguageModel::new(spec, VOCAB, 1, &Device::flex());
    let params = parameters(&model);
    (model, params)
}

pub(crate) fn perturbed(spec: &ModelSpec) -> (LanguageModel, Params) {
    let model = initial(spec).0.map(&mut Perturb(Path::default()));
    let params = parameters(&model);
    (model, params)
}

/// Puts values in the place of the parameters of these names, which have their number.
struct Put<'a>(Path, &'a Params);

impl ModuleMapper for Put<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.0.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.1.get(&self.0.0.join(".")).to_vec();
        param.map(|old| {
            let data = TensorData::new(values, old.shape()).convert::<f32>();
            let device = old.device();
            Tensor::from_data(data, &device).set_require_grad(device.is_autodiff())
        })
    }
}

/// The model with these parameters.
pub(crate) fn with_parameters(spec: &ModelSpec, params: &Params) -> LanguageModel {
    with_parameters_on(&Device::flex(), spec, params)
}

/// The same on a device, with gradients if that has them.
pub(crate) fn with_parameters_on(
    device: &Device,
    spec: &ModelSpec,
    params: &Params,
) -> LanguageModel {
    let model = LanguageModel::new(spec, VOCAB, 1, device);
    model.map(&mut Put(Path::default(), params))
}

pub(crate) fn parameters(model: &LanguageModel) -> Params {
    collected(model, None)
}

/// The gradients of all parameters by name, empty for those that the loss does not depend on.
pub(crate) fn gradients_of(model: &LanguageModel, gradients: &Gradients) -> Params {
    collected(model, Some(gradients))
}

fn collected(model: &LanguageModel, gradients: Option<&Gradients>) -> Params {
    let mut collect = Collect {
        path: Path::default(),
        found: BTreeMap::new(),
        gradients,
    };
    model.visit(&mut collect);
    Params(collect.found)
}

/// Random features for every batch row, and as a tensor.
pub(crate) fn features(t: usize, scale: f64) -> (Vec<Rows>, Tensor<3>) {
    let values = noise("features", BATCH * t * DIM, scale);
    let rows: Vec<Vec<f64>> = values.chunks(DIM).map(<[f64]>::to_vec).collect();
    let data = TensorData::new(values, [BATCH, t, DIM]).convert::<f32>();
    let batch = rows.chunks(t).map(<[Vec<f64>]>::to_vec).collect();
    (batch, Tensor::from_data(data, &Device::flex()))
}

/// The largest gap as a share of the largest number, which must not be tiny by chance.
pub(crate) fn assert_close(what: &str, got: Tensor<3>, expected: &[Rows]) {
    let got = numbers(got);
    let expected: Vec<f64> = expected.iter().flatten().flatten().copied().collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let gap = (got - expected).abs() / size;
        assert!(
            gap < 3e-5,
            "{what} at {at}: {got}, expected {expected} (largest {size})"
        );
    }
}
