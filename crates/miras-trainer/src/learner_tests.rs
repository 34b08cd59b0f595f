use miras_config::Layers;
use miras_data::Dataset;

use super::*;

const SMALL: &str = "[model]\nlayers = 1\ndim = 8\nheads = 2\nffn_dim = 8\n\
    tie_head = false\n[memory]\nnorm = true\n[algorithm]\nchunk = 4\n\
    [retention]\ngate = 'rate'\n[data]\nseq_len = 16";

fn small(sets: &[&str]) -> (Learner, Box<dyn Dataset>, RunConfig) {
    let mut layers = Layers::new();
    layers.text("test", SMALL).unwrap();
    for set in sets {
        layers.set(set).unwrap();
    }
    let (config, _, data) =
        RunConfig::load_and_open(layers, &miras_registry::Registry::builtin()).unwrap();
    (
        Learner::new(&config, data.vocab(), &Device::flex()),
        data,
        config,
    )
}

fn values(list: Vec<parameters::Parameter>) -> Vec<(String, Vec<f32>)> {
    (list.into_iter())
        .map(|one| (one.name, read(one.values).unwrap()))
        .collect()
}

#[test]
fn weight_decay_acts_on_the_listed_parameters_alone() {
    let (mut learner, ..) = small(&["optim.weight_decay=0.5"]);
    let before = values(parameters(&learner.model));
    let mut zero = Zeros(GradientsParams::new());
    learner.model.visit(&mut zero);
    let gradients = Gradients {
        values: zero.0,
        loss: 0.0,
        norm: 0.0,
        accuracy: None,
        nonfinite: None,
    };
    learner.update(gradients, 0.1, 1.0);
    let mut decayed = Vec::new();
    let mut spared = Vec::new();
    for ((name, old), (_, new)) in before.into_iter().zip(values(parameters(&learner.model))) {
        if old == new {
            // A parameter that starts at 0 would hide a decay.
            assert!(
                old.iter().any(|value| *value != 0.0) || name.contains("rates"),
                "{name}"
            );
            spared.push(name);
        } else {
            let shrunk = old
                .iter()
                .zip(&new)
                .all(|(old, new)| (old * 0.95 - new).abs() < 1e-6);
            assert!(shrunk, "{name}");
            decayed.push(name);
        }
    }
    assert_eq!(
        decayed,
        [
            "embedding",
            "blocks.0.mixer.q.weight",
            "blocks.0.mixer.k.weight",
            "blocks.0.mixer.v.weight",
            "blocks.0.mixer.output_gate.weight",
            "blocks.0.mixer.output.weight",
            "blocks.0.ffn.gate.weight",
            "blocks.0.ffn.up.weight",
            "blocks.0.ffn.down.weight",
            "head.weight",
        ]
    );
    assert_eq!(
        spared,
        [
            "blocks.0.mixer_norm.gamma",
            "blocks.0.mixer.convs.0.taps",
            "blocks.0.mixer.convs.1.taps",
            "blocks.0.mixer.convs.2.taps",
            "blocks.0.mixer.gates.weight",
            "blocks.0.mixer.gates.bias",
            "blocks.0.mixer.rates.0",
            "blocks.0.mixer.initial.0",
            "blocks.0.mixer.initial.1",
            "blocks.0.mixer.gains.0",
            "blocks.0.mixer.norm.gamma",
            "blocks.0.ffn_norm.gamma",
            "norm.gamma",
        ]
    );
}

struct Zeros(GradientsParams);

impl ModuleVisitor for Zeros {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val().inner().zeros_like());
    }
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let (learner, data, _) = small(&[]);
    let mut parts: Vec<Batch> = (0..3)
        .map(|index| data.train_batch(index, 2).unwrap())
        .collect();
    // Parts that score different numbers of tokens must not count alike.
    parts[1].weights[..10].fill(0.0);
    let whole = Batch {
        inputs: parts.iter().flat_map(|part| part.inputs.clone()).collect(),
        targets: parts.iter().flat_map(|part| part.targets.clone()).collect(),
        weights: parts.iter().flat_map(|part| part.weights.clone()).collect(),
        rows: 6,
        len: parts[0].len,
    };
    let one = learner.gradients(&[whole], true).unwrap();
    let sum = learner.gradients(&parts, true).unwrap();
    assert!(
        (one.loss - sum.loss).abs() < 1e-6,
        "{} {}",
        one.loss,
        sum.loss
    );
    assert!(
        (one.norm - sum.norm).abs() < 1e-5,
        "{} {}",
        one.norm,
        sum.norm
    );
    assert!((one.accuracy.unwrap() - sum.accuracy.unwrap()).abs() < 1e-6);
    let of =
        |gradients: &Gradients| values(parameters::gradients(&learner.model, &gradients.values));
    for ((name, one), (_, sum)) in of(&one).into_iter().zip(of(&sum)) {
        let apart = one
            .iter()
            .zip(&sum)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(apart < 1e-5, "{name}: {apart}");
    }
}

#[test]
fn clipping_scales_the_whole_gradient() {
    let (learner, data, _) = small(&[]);
    let gradients = learner
        .gradients(&[data.train_batch(0, 2).unwrap()], false)
        .unwrap();
    let (norm, before) = (
        gradients.norm,
        values(parameters::gradients(&learner.model, &gradients.values)),
    );
    let scaled = scaled(&learner.model, gradients.values, 0.5 / norm);
    let after = values(parameters::gradients(&learner.model, &scaled));
    let square: f32 = after
        .iter()
        .flat_map(|(_, one)| one)
        .map(|value| value * value)
        .sum();
    assert!((square.sqrt() - 0.5).abs() < 1e-4, "{square}");
    let factor = (0.5 / norm) as f32;
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert!(
            before
                .iter()
                .zip(after)
                .all(|(b, a)| (b * factor - a).abs() < 1e-6),
            "{name}"
        );
    }
}

#[test]
fn the_norm_is_that_of_all_gradients() {
    let (learner, data, _) = small(&[]);
    let gradients = learner
        .gradients(&[data.train_batch(0, 2).unwrap()], false)
        .unwrap();
    let all = values(parameters::gradients(&learner.model, &gradients.values));
    let square: f64 = all
        .iter()
        .flat_map(|(_, one)| one)
        .map(|v| f64::from(*v).powi(2))
        .sum();
    assert!((square.sqrt() - gradients.norm).abs() < 1e-6);
    assert_eq!(
        all.len(),
        parameters(&learner.model).len(),
        "every parameter has a gradient"
    );
}
