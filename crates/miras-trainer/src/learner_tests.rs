use miras_config::Layers;
use miras_data::Dataset;

use miras_spec::read::{Tokens, read};

use super::*;

const SMALL: &str = "[model]\nlayers = 1\ndim = 8\nffn_dim = 8\n\
    tie_head = false\n[mixer]\nheads = 2\n[memory]\nnorm = true\n[algorithm]\nchunk = 4\n\
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
        Learner::new(&config, data.vocab(), &Device::flex()).unwrap(),
        data,
        config,
    )
}

fn values(list: Vec<Parameter>) -> Vec<(String, Vec<f32>)> {
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
        norm: Norm {
            value: 0.0,
            nonfinite: None,
            huge: None,
        },
        accuracy: None,
        scale: None,
        states: Vec::new(),
        has_finite_states: true,
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
        .map(|index| data.train_batch(index, 0..2).unwrap())
        .collect();
    // Parts that score different numbers of tokens must not count alike.
    parts[1].weights[..10].fill(0.0);
    let whole = Batch {
        inputs: parts.iter().flat_map(|part| part.inputs.clone()).collect(),
        targets: parts.iter().flat_map(|part| part.targets.clone()).collect(),
        weights: parts.iter().flat_map(|part| part.weights.clone()).collect(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        rows: 6,
        len: parts[0].len,
        series: None,
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
        (one.norm.value - sum.norm.value).abs() < 1e-5,
        "{:?} {:?}",
        one.norm,
        sum.norm
    );
    assert!((one.accuracy.unwrap() - sum.accuracy.unwrap()).abs() < 1e-6);
    let of = |gradients: &Gradients| values(super::gradients(&learner.model, &gradients.values));
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
        .gradients(&[data.train_batch(0, 0..2).unwrap()], false)
        .unwrap();
    let (norm, before) = (
        gradients.norm.value,
        values(super::gradients(&learner.model, &gradients.values)),
    );
    let scaled = scaled(&learner.model, gradients.values, 0.5 / norm);
    let after = values(super::gradients(&learner.model, &scaled));
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
        .gradients(&[data.train_batch(0, 0..2).unwrap()], false)
        .unwrap();
    let all = values(super::gradients(&learner.model, &gradients.values));
    let square: f64 = all
        .iter()
        .flat_map(|(_, one)| one)
        .map(|v| f64::from(*v).powi(2))
        .sum();
    assert!((square.sqrt() - gradients.norm.value).abs() < 1e-6);
    assert_eq!(
        all.len(),
        parameters(&learner.model).len(),
        "every parameter has a gradient"
    );
}

/// The losses of steps that carry their memories, without changing any weight.
fn carried_losses(learner: &mut Learner, steps: &[Vec<Batch>]) -> Vec<f64> {
    (steps.iter())
        .map(|batches| {
            let gradients = learner.gradients(batches, false).unwrap();
            assert!(gradients.is_finite());
            let loss = gradients.loss;
            learner.update(gradients, 0.0, 1.0);
            loss
        })
        .collect()
}

/// Three steps of two micro-batches of two rows.
fn stream(data: &dyn Dataset) -> Vec<Vec<Batch>> {
    let batch = |step, rows| data.stream_batch(step, rows, 4).unwrap();
    (0..3)
        .map(|step| vec![batch(step, 0..2), batch(step, 2..4)])
        .collect()
}

const CARRY: [&str; 3] = ["train.state=carry", "train.batch=2", "train.accumulate=2"];

#[test]
fn steps_that_carry_are_one_long_sequence_wherever_chunks_end() {
    for changes in [
        &["data.seq_len=16"][..],
        &["data.seq_len=18"],
        &["data.seq_len=7", "model.layers=2"],
        &["data.seq_len=3"],
        &["data.seq_len=7", "mixer.conv=0", "retention.anchored=true"],
        &["data.seq_len=7", "memory={ kind = 'matrix' }"],
    ] {
        let (mut learner, data, _) = small(&[&CARRY[..], changes].concat());
        let steps = stream(data.as_ref());
        let losses = carried_losses(&mut learner, &steps);
        let model = learner.inference_model();
        let mut expected = vec![0.0; steps.len()];
        for at in 0..2 {
            let parts: Vec<Tokens> = (steps.iter())
                .map(|batches| Tokens::new(&batches[at], &Device::flex()))
                .collect();
            let join = |of: &dyn Fn(&Tokens) -> Tensor<2, burn::tensor::Int>| {
                Tensor::cat(parts.iter().map(of).collect(), 1)
            };
            let inputs = join(&|tokens| tokens.inputs.clone());
            let targets = join(&|tokens| tokens.targets.clone());
            let logits = model.forward(inputs, None, Pass::default()).logits;
            let all = LanguageModel::token_losses(logits, targets);
            for (part, sum) in all.chunk(steps.len(), 1).into_iter().zip(&mut expected) {
                *sum += f64::from(read(part.mean()).unwrap()[0]) / 2.0;
            }
        }
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            let gap = (loss - expected).abs();
            assert!(
                gap < 1e-4,
                "{changes:?}, step {step}: {loss}, not {expected}"
            );
        }
    }
}

#[test]
fn what_is_carried_changes_the_loss_behind_the_first_step() {
    let (mut learner, data, _) = small(&CARRY);
    let steps = stream(data.as_ref());
    let carried = carried_losses(&mut learner, &steps);
    let fresh: Vec<f64> = (steps.iter())
        .map(|batches| {
            learner.reset_state();
            learner.gradients(batches, false).unwrap().loss
        })
        .collect();
    assert!((carried[0] - fresh[0]).abs() < 1e-9);
    for step in 1..steps.len() {
        let gap = (carried[step] - fresh[step]).abs();
        assert!(gap > 1e-5, "step {step}: {carried:?} {fresh:?}");
    }
}

#[test]
fn gradients_do_not_go_back_to_the_step_before() {
    let of_initial = |learner: &Learner, batches: &[Batch]| {
        let gradients = learner.gradients(batches, false).unwrap();
        (super::gradients(&learner.model, &gradients.values).iter())
            .filter(|one| one.name.contains("initial"))
            .count()
    };
    // A decay towards the initial memory meets it at every step.
    for (anchored, count) in [
        ("retention.anchored=false", 0),
        ("retention.anchored=true", 2),
    ] {
        let (mut learner, data, _) = small(&[&CARRY[..], &[anchored]].concat());
        let steps = stream(data.as_ref());
        assert_eq!(of_initial(&learner, &steps[0]), 2);
        carried_losses(&mut learner, &steps[..1]);
        assert_eq!(of_initial(&learner, &steps[1]), count, "{anchored}");
    }
}

#[test]
fn a_memory_that_is_not_finite_makes_the_step_so() {
    let (learner, data, _) = small(&CARRY);
    let steps = stream(data.as_ref());
    let mut gradients = learner.gradients(&steps[0], false).unwrap();
    assert!(gradients.has_finite_states && gradients.is_finite());
    gradients.has_finite_states = false;
    assert!(!gradients.is_finite());
}

#[test]
fn a_stored_memory_of_other_rows_or_another_model_is_refused() {
    let (mut learner, data, _) = small(&CARRY);
    let stored = |learner: &Learner| learner.carried.as_ref().unwrap().to_bytes().unwrap();
    assert_eq!(stored(&learner), None);
    carried_losses(&mut learner, &stream(data.as_ref()));
    let bytes = stored(&learner).unwrap();
    for (change, expected) in [
        ("train.accumulate=3", "the state has 4 rows instead of 6"),
        (
            "model.layers=2",
            "the state lacks the tensor `layers.1.tails.q`",
        ),
    ] {
        let (other, ..) = small(&[&CARRY[..], &[change]].concat());
        let error = other.carried.unwrap().load(&bytes, &other.model);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let (mut again, ..) = small(&CARRY);
    let model = again.model.clone();
    again
        .carried
        .as_mut()
        .unwrap()
        .load(&bytes, &model)
        .unwrap();
    assert_eq!(stored(&again).unwrap(), bytes);
}

/// Through the head and every projection: gradients of float16 are those of float32 but for
/// rounding, whatever the loss was multiplied with on the way.
#[test]
fn a_scaled_loss_has_the_gradients_of_the_loss() {
    let (exact, data, _) = small(&[]);
    let (rounded, ..) = small(&["train.precision=f16"]);
    let batch = [data.train_batch(0, 0..2).unwrap()];
    let truth = exact.gradients(&batch, false).unwrap();
    let found = rounded.gradients(&batch, false).unwrap();
    let (truth, found) = (truth.norm.value, found.norm.value);
    let gap = (found / truth - 1.0).abs();
    assert!(gap < 0.02, "{found} instead of {truth}");
    assert!(gap > 0.0, "nothing is rounded");

    // A scale at which gradients overflow is found out, and a smaller one taken.
    let overflown = rounded.scaled_gradients(&batch, false, Some(1e12)).unwrap();
    assert!(overflown.loss.is_finite() && !overflown.norm.value.is_finite());
    let again = rounded.with_scale(&batch, false, Some(1e12)).unwrap();
    let gap = (again.norm.value / truth - 1.0).abs();
    assert!(gap < 0.02, "{} instead of {truth}", again.norm.value);
    assert!(again.scale.unwrap() < 1e12, "{:?}", again.scale);
}

#[test]
fn a_loss_scale_is_remembered_after_a_step() {
    let (mut learner, data, _) = small(&["train.precision=f16"]);
    let batch = [data.train_batch(0, 0..2).unwrap()];
    let gradients = |learner: &Learner| learner.gradients(&batch, false).unwrap();
    let start = learner.loss_scale.unwrap();
    assert_eq!(gradients(&learner).scale, Some(start.scale()));
    // As a step whose gradients overflow at the first scale leaves it.
    let mut lowered = gradients(&learner);
    lowered.scale = Some(start.scale() / 256.0);
    learner.update(lowered, 0.0, 1.0);
    assert_eq!(gradients(&learner).scale, Some(start.scale() / 256.0));

    let folder = tempfile::tempdir().unwrap();
    let state = crate::snapshot::State {
        step: 1,
        tokens: 0,
        skipped: 0,
        skipped_in_a_row: 0,
        best: None,
        seconds: 0.0,
        data: String::new(),
        loss_scale: None,
    };
    crate::snapshot::save(folder.path(), &learner, &state).unwrap();
    let (fresh, ..) = small(&["train.precision=f16"]);
    let (again, _) = crate::snapshot::load(folder.path(), fresh).unwrap();
    assert_eq!(again.loss_scale, learner.loss_scale);
    assert_ne!(again.loss_scale, Some(start));
}

#[test]
fn gradients_do_not_depend_on_the_number_of_threads() {
    // Each feed-forward matrix has exactly as many values as burn adds up in parallel.
    let sets = ["model.dim=64", "model.ffn_dim=65536"];
    let (learner, data, _) = small(&sets);
    let largest = parameters(&learner.model).into_iter().map(|one| one.shape);
    let largest = largest.map(|shape| shape.iter().product::<usize>()).max();
    assert_eq!(largest, Some(4 << 20));
    let batch = [data.train_batch(0, 0..1).unwrap()];
    let in_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let found = learner.gradients(&batch, false).unwrap();
            let values = values(gradients(&learner.model, &found.values));
            (found.loss.to_bits(), found.norm.value.to_bits(), values)
        })
    };
    let one = in_threads(1);
    for threads in [2, 3] {
        let other = in_threads(threads);
        assert_eq!((one.0, one.1), (other.0, other.1), "{threads} threads");
        assert!(one.2 == other.2, "{threads} threads");
    }
}

#[test]
fn every_parameter_has_a_group_and_one_without_is_named() {
    let of = |sets: &[&str]| {
        let (learner, ..) = small(sets);
        let groups = groups(&learner.model).unwrap();
        (parameters(&learner.model).into_iter())
            .map(|one| (groups.of(one.id).unwrap().name(), one.name))
            .collect::<Vec<_>>()
    };
    let attention = "mixer.kind='attention'";
    for sets in [&[][..], &["model.tie_head=true", "mixer.conv=0"]] {
        for (group, name) in of(sets) {
            let expected = match name.as_str() {
                "embedding" => "embedding",
                "head.weight" => "head",
                _ if name.rsplit('.').next() == Some("gamma") => "norm",
                _ if name.rsplit('.').next() == Some("taps") => "convolution",
                _ if name.contains(".ffn.") => "feed_forward",
                _ if name.contains(".gates.") || name.contains(".rates.") => "gate",
                _ if name.contains(".initial.") || name.contains(".gains.") => "memory",
                _ => "projection",
            };
            assert_eq!(group, expected, "{name}");
        }
    }
    let mut layers = Layers::new();
    layers
        .text(
            "test",
            "[model]\nlayers = 1\ndim = 8\n[mixer]\nheads = 2\n[data]\nseq_len = 16",
        )
        .unwrap();
    layers.set(attention).unwrap();
    let registry = miras_registry::Registry::builtin();
    let (config, _, data) = RunConfig::load_and_open(layers, &registry).unwrap();
    assert!(Learner::new(&config, data.vocab(), &Device::flex()).is_ok());

    let (learner, ..) = small(&[]);
    let other = ParameterGroups::default();
    let error = check_groups(&learner.model, &other).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("the parameter `embedding` is in no group"),
        "{error}"
    );
}
