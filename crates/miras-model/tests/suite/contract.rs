//! What every mixer of the list holds, in every configuration that it names for this.

use std::collections::BTreeSet;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, TensorData, s},
};
use miras_config::Layers;
use miras_model::{
    Ablation, LanguageModel, Mixer, ModelSpec, ParameterGroups, Pass, StateTree, TokenMixer,
};
use miras_random::Stream;
use miras_registry::Registry;

/// Sizes of the models that mixers are taken from.
const SIZE: &str = "[model]\ndim = 12\nlayers = 2\nffn_dim = 20\n[mixer]\nheads = 2";
const DIM: usize = 12;
const ROWS: usize = 3;
/// Tokens: two chunks of the configurations' four, and one more.
const LENGTH: usize = 9;

/// Every mixer in every configuration that it names, each with a description.
pub(crate) fn specs() -> Vec<(String, ModelSpec)> {
    let mut specs = Vec::new();
    for (name, variants) in Mixer::LIST {
        assert!(!variants.is_empty(), "{name} is never tested");
        for variant in *variants {
            let mut layers = Layers::new();
            let size = format!("{SIZE}\nkind = '{name}'");
            layers.text("size", &size).unwrap();
            layers.text("variant", variant).unwrap();
            let spec = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin());
            specs.push((format!("{name} with {variant:?}"), spec.unwrap()));
        }
    }
    specs
}

/// The mixers of the first layers of these models.
fn mixers(device: &Device) -> Vec<(String, Mixer)> {
    let mixer = |(name, spec)| {
        let model = LanguageModel::new(&spec, 7, 1, device);
        (name, model.blocks()[0].mixer().clone())
    };
    specs().into_iter().map(mixer).collect()
}

fn features(rows: usize, length: usize, device: &Device) -> Tensor<3> {
    let mut stream = Stream::new(3, "features", &[]);
    let values: Vec<f64> = (0..rows * length * DIM).map(|_| stream.normal()).collect();
    let data = TensorData::new(values, [rows, length, DIM]).convert::<f32>();
    Tensor::from_data(data, device)
}

fn forward(mixer: &Mixer, x: Tensor<3>, state: Option<StateTree>) -> (Tensor<3>, StateTree) {
    let (y, state, _) = mixer.forward(x, state, Pass::default());
    (y, state)
}

fn largest(x: Tensor<3>) -> f64 {
    x.abs().max().into_scalar::<f64>()
}

fn assert_close(what: &str, found: Tensor<3>, truth: Tensor<3>) {
    let (gap, size) = (largest(found - truth.clone()), largest(truth));
    assert!(gap < 1e-4 * size, "{what}: {gap:e} of {size:e}");
}

/// Names, shapes and values of a state.
fn values(state: &StateTree) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    (state.iter())
        .map(|(name, tensor)| {
            let values = tensor.values().into_data().try_into_vec().unwrap();
            (name.to_owned(), tensor.shape().dims().to_vec(), values)
        })
        .collect()
}

#[test]
fn the_list_is_what_configurations_can_name() {
    for (name, spec) in specs() {
        let model = LanguageModel::new(&spec, 7, 1, &Device::flex());
        let mixer = model.blocks()[0].mixer().name();
        assert!(name.starts_with(mixer), "{name} is {mixer}");
    }
    let mut layers = Layers::new();
    layers.text("case", "[mixer]\nkind = 'none'").unwrap();
    let error = ModelSpec::take(&mut layers.merge().unwrap(), &Registry::builtin()).unwrap_err();
    for (name, _) in Mixer::LIST {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn its_tables_read_back_as_the_same_mixer() {
    for (name, spec) in specs() {
        let stored = spec.to_table();
        let mut layers = Layers::new();
        layers.text("stored", &stored.to_string()).unwrap();
        let mut tree = layers.merge().unwrap();
        let again = ModelSpec::take(&mut tree, &Registry::builtin());
        let (again, _) = tree.conclude(again).unwrap();
        assert_eq!(again.to_table(), stored, "{name}");
        assert_eq!(again.mixer.kind(), spec.mixer.kind(), "{name}");
    }
}

#[test]
fn any_two_pieces_and_single_tokens_are_the_whole() {
    let device = Device::flex();
    let x = features(ROWS, LENGTH, &device);
    for (name, mixer) in mixers(&device) {
        let (whole, end) = forward(&mixer, x.clone(), None);
        for cut in 1..LENGTH {
            let (first, state) = forward(&mixer, x.clone().slice(s![.., ..cut, ..]), None);
            let (second, state) = forward(&mixer, x.clone().slice(s![.., cut.., ..]), Some(state));
            let y = Tensor::cat(vec![first, second], 1);
            assert_close(&format!("{name}, cut at {cut}"), y, whole.clone());
            for (found, truth) in values(&state).into_iter().zip(values(&end)) {
                assert_eq!((&found.0, &found.1), (&truth.0, &truth.1), "{name}");
                for (a, b) in found.2.iter().zip(&truth.2) {
                    assert!((a - b).abs() < 1e-4, "{name}: {}: {a}, {b}", truth.0);
                }
            }
        }
        let mut state = None;
        let tokens = (0..LENGTH).map(|t| {
            let (y, next) = forward(&mixer, x.clone().slice(s![.., t..=t, ..]), state.take());
            state = Some(next);
            y
        });
        assert_close(&name, Tensor::cat(tokens.collect(), 1), whole);
    }
}

/// Later tokens change nothing before them, bit for bit.
#[test]
fn no_output_depends_on_a_later_token() {
    let device = Device::flex();
    let x = features(ROWS, LENGTH, &device);
    for (name, mixer) in mixers(&device) {
        let (truth, _) = forward(&mixer, x.clone(), None);
        for from in 1..LENGTH {
            let others = x.clone().slice(s![.., from.., ..]).mul_scalar(-3.0);
            let changed = Tensor::cat(vec![x.clone().slice(s![.., ..from, ..]), others], 1);
            let (found, _) = forward(&mixer, changed, None);
            let before = |y: &Tensor<3>| y.clone().slice(s![.., ..from, ..]);
            let gap = largest(before(&found) - before(&truth));
            assert!(gap == 0.0, "{name}, token {from}: {gap:e}");
        }
    }
}

/// Reads change where something is written, and not with steps of 0: none of these configurations
/// forgets what its memories begin with, but for those with noise.
#[test]
fn reads_change_by_what_is_written_in_every_mixer() {
    let device = Device::flex();
    let x = features(ROWS, LENGTH, &device);
    let mut probed = 0;
    for (name, mixer) in mixers(&device) {
        let change = |ablation| {
            let pass = Pass {
                probe: true,
                ablation,
                ..Pass::default()
            };
            let (_, _, probe) = mixer.forward(x.clone(), None, pass);
            let probe = probe?;
            assert_eq!(probe.read_change.len(), probe.surprise.len(), "{name}");
            Some(probe.read_change.into_iter().fold(0.0, f32::max))
        };
        let Some(live) = change(Ablation::None) else {
            continue;
        };
        let without = change(Ablation::StepZero).expect("it has a probe");
        let is_still = without < 1e-4 || name.contains("noise");
        assert!(live > 1e-3 && is_still, "{name}: {live} {without}");
        probed += 1;
    }
    assert!(probed > 0, "no mixer has a memory");
}

#[test]
fn rows_are_independent_selected_and_joined() {
    let device = Device::flex();
    let x = features(ROWS, LENGTH, &device);
    for (name, mixer) in mixers(&device) {
        for length in 1..LENGTH {
            let (_, whole) = forward(&mixer, x.clone().slice(s![.., ..length, ..]), None);
            let parts = [0..1, 1..3].map(|rows| whole.clone().select_rows(rows, ROWS));
            let joined = StateTree::cat(&parts.each_ref());
            assert!(values(&joined) == values(&whole), "{name} at {length}");

            let more = x.clone().slice(s![.., length.., ..]);
            let (truth, _) = forward(&mixer, more.clone(), Some(whole));
            let [_, last] = parts;
            let (found, _) = forward(&mixer, more.slice(s![1..3]), Some(last));
            assert_close(&name, found, truth.slice(s![1..3]));
        }
    }
}

#[test]
fn a_state_has_the_tensors_of_its_layout() {
    let device = Device::flex();
    for (name, mixer) in mixers(&device) {
        for rows in [1, ROWS] {
            for length in 1..=LENGTH {
                let (_, state) = forward(&mixer, features(rows, length, &device), None);
                let found: Vec<_> = state.iter().map(|(name, x)| (name, x.shape())).collect();
                let layout = mixer.state_layout(rows, length);
                let mut needed: Vec<_> = layout.iter().collect();
                needed.sort_by_key(|(name, _)| *name);
                assert_eq!(found, needed, "{name}, {rows} rows at {length}");
                for tensor in mixer.memory() {
                    assert!(state.get(&tensor).is_some(), "{name} has no `{tensor}`");
                }
                if let Some(chunks) = mixer.chunks(Some(&state)) {
                    let open_after = |state| mixer.chunks(state).unwrap().open;
                    let (_, one) = forward(&mixer, features(rows, 1, &device), None);
                    let first = open_after(None);
                    // More than one where a token writes several times.
                    let each = (open_after(Some(&one)) + chunks.len - first) % chunks.len;
                    let open = (first + each * length) % chunks.len;
                    assert!([0, open].contains(&chunks.open), "{name} at {length}");
                }
            }
        }
    }
}

/// Two calls in a row: the gradient of the second's output reaches the first's input, unless the
/// state between them is detached, which changes no value.
#[test]
fn a_detached_state_ends_the_graph_and_changes_no_value() {
    let device = Device::flex().autodiff();
    for (name, mixer) in mixers(&device) {
        let run = |detach: bool| {
            let x = features(ROWS, LENGTH, &device);
            let first = x.clone().slice(s![.., ..5, ..]).detach().require_grad();
            let (_, state) = forward(&mixer, first.clone(), None);
            let state = if detach { state.detach() } else { state };
            let (y, _) = forward(&mixer, x.slice(s![.., 5.., ..]), Some(state));
            let gradients = y.clone().powi_scalar(2).sum().backward();
            (y.inner(), first.grad(&gradients).map_or(0.0, largest))
        };
        let ((whole, reached), (detached, cut)) = (run(false), run(true));
        assert!(reached > 0.0 && reached.is_finite(), "{name}: {reached}");
        assert!(cut == 0.0, "{name}: {cut}");
        assert!(largest(whole - detached) == 0.0, "{name}");
    }
}

/// The gradients of a mixer's parameters, in their order.
struct GradientsOf<'a>(&'a Gradients, Vec<Vec<f64>>);

impl ModuleVisitor for GradientsOf<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.0).expect("every parameter has one");
        let values = gradient.into_data().convert::<f64>().try_into_vec();
        self.1.push(values.unwrap());
    }
}

/// However a sequence is cut, gradients go through the state to all that it was made of.
#[test]
fn gradients_through_pieces_are_those_of_the_whole() {
    let device = Device::flex().autodiff();
    for (name, mixer) in mixers(&device) {
        let x = features(ROWS, LENGTH, &device);
        let run = |cuts: &[usize]| {
            let (mut state, mut from, mut outputs) = (None, 0, Vec::new());
            for to in cuts.iter().copied().chain([LENGTH]) {
                let part = x.clone().slice(s![.., from..to, ..]);
                let (y, next) = forward(&mixer, part, state.take());
                (state, from) = (Some(next), to);
                outputs.push(y);
            }
            let loss = Tensor::cat(outputs, 1).powi_scalar(2).sum();
            let gradients = loss.backward();
            let mut found = GradientsOf(&gradients, Vec::new());
            mixer.visit(&mut found);
            found.1
        };
        let whole = run(&[]);
        for cuts in [&[4][..], &[5], &[2, 4, 8], &[3, 7]] {
            for (found, truth) in run(cuts).iter().zip(&whole) {
                let size = truth.iter().fold(0.0_f64, |all, x| all.max(x.abs()));
                let gaps = found.iter().zip(truth).map(|(a, b)| (a - b).abs());
                let gap = gaps.fold(0.0, f64::max);
                assert!(gap < 1e-3 * size, "{name}, {cuts:?}: {gap:e} of {size:e}");
            }
        }
    }
}

/// Checks every parameter of a mixer.
struct Check<'a> {
    mixer: &'a str,
    path: Vec<String>,
    gradients: &'a Gradients,
    groups: ParameterGroups,
    ids: BTreeSet<u64>,
}

impl ModuleVisitor for Check<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let what = format!("{}: {}", self.mixer, self.path.join("."));
        assert!(self.groups.of(param.id).is_some(), "{what} is in no group");
        assert!(self.ids.insert(param.id.val()), "{what} is there twice");
        let gradient = param.val().grad(self.gradients);
        let gradient = gradient.unwrap_or_else(|| panic!("no gradient reaches {what}"));
        let size = gradient.abs().max().into_scalar::<f64>();
        assert!(size > 0.0 && size.is_finite(), "{what} has gradient {size}");
    }
}

#[test]
fn every_parameter_has_a_group_and_a_gradient() {
    let device = Device::flex().autodiff();
    for (name, mixer) in mixers(&device) {
        let (y, _) = forward(&mixer, features(ROWS, LENGTH, &device), None);
        let gradients = y.powi_scalar(2).sum().backward();
        let mut groups = ParameterGroups::default();
        mixer.groups(&mut groups);
        let mut check = Check {
            mixer: &name,
            path: Vec::new(),
            gradients: &gradients,
            groups,
            ids: BTreeSet::new(),
        };
        mixer.visit(&mut check);
        assert!(check.ids.len() > 3, "{name} has {:?}", check.ids);
    }
}

/// The states of other mixers are refused, whichever tensor is the first that does not fit.
#[test]
fn the_state_of_another_mixer_is_refused() {
    let device = Device::flex();
    let mixers = mixers(&device);
    let x = features(ROWS, LENGTH, &device);
    let mut refused = 0;
    for (name, mixer) in &mixers {
        for (other, from) in &mixers {
            if mixer.name() == from.name() {
                continue;
            }
            let (_, state) = forward(from, x.clone(), None);
            let message = crate::state::said(|| drop(forward(mixer, x.clone(), Some(state))));
            let fits = message.ends_with("so it is that of another mixer");
            assert!(fits, "{name} from {other}: {message}");
            refused += 1;
        }
    }
    assert!(refused > 0);
}
