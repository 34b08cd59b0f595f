//! What a configuration is said to take, and what is measured of it.

use miras_model::LanguageModel;
use miras_trainer::{BenchRequest, Estimate, RunConfig, bench};

use crate::support::{ATTENTION, MEMORY, RECALL, config};

fn estimate(config: &RunConfig) -> Estimate {
    miras_trainer::estimate(config, config.data.vocab().unwrap())
}

#[test]
fn weights_gradients_and_moments_are_numbers_a_parameter() {
    for text in [MEMORY, ATTENTION] {
        let once = estimate(&config(text, &[]));
        let bytes = 4 * once.parameters as u64;
        assert_eq!(once.train.weights, bytes);
        assert_eq!(once.train.gradients, bytes);
        assert_eq!(once.train.optimizer, 2 * bytes);
        // The sum of the micro-batches stands beside the gradient that is added to it.
        let summed = estimate(&config(text, &["train.accumulate=4"]));
        assert_eq!(summed.train.gradients, 2 * bytes);
        assert_eq!(summed.train.activations, once.train.activations);
    }
}

#[test]
fn carried_memories_are_two_states_for_every_sequence_of_a_step() {
    let reset = estimate(&config(MEMORY, &["train.accumulate=3"]));
    assert_eq!(reset.train.state, 0);
    let carry = ["train.accumulate=3", "train.state='carry'"];
    let carried = estimate(&config(MEMORY, &carry));
    assert_eq!(carried.train.state, 2 * carried.state_bytes * 2 * 3);
    let more = carried.train.peak() - reset.train.peak();
    assert_eq!(more, carried.train.state);
}

#[test]
fn activations_grow_with_the_batch_and_a_memorys_with_the_length() {
    let activations = |text: &str, sets: &[&str]| {
        let train = estimate(&config(text, sets)).train;
        assert!(train.peak() > train.activations + train.workspace);
        train.activations
    };
    for text in [MEMORY, ATTENTION] {
        let two = activations(text, &["train.batch=2"]);
        assert_eq!(activations(text, &["train.batch=6"]), 3 * two);
    }
    let at = |text: &str, length: usize| activations(text, &[&format!("data.seq_len={length}")]);
    assert_eq!(at(MEMORY, 128), 4 * at(MEMORY, 32));
    assert!(at(ATTENTION, 128) > 4 * at(ATTENTION, 32));
}

#[test]
fn what_is_done_twice_is_kept_twice() {
    let activations = |set: &str| {
        estimate(&config(MEMORY, &["algorithm.chunk=8", set]))
            .train
            .activations
    };
    let mut last = 0;
    for sweeps in 0..4 {
        let kept = activations(&format!("algorithm.sweeps={sweeps}"));
        assert!(kept > last, "{sweeps} sweeps");
        last = kept;
    }
    last = 0;
    for depth in 1..=4 {
        let kept = activations(&format!("memory.depth={depth}"));
        assert!(kept > last, "depth {depth}");
        last = kept;
    }
    let read = |read| {
        let sets = ["retention=kl", &format!("algorithm.read={read}")];
        estimate(&config(MEMORY, &sets)).train.activations
    };
    assert!(read("exact") > read("stale"));
}

#[test]
fn a_state_is_constant_for_a_memory_and_grows_under_attention() {
    let memory = estimate(&config(MEMORY, &[]));
    assert!(memory.state_bytes > 0 && memory.fast_weights > 0);
    assert_eq!(memory.state_bytes_per_token, 0);
    let attention = estimate(&config(ATTENTION, &[]));
    assert_eq!(attention.fast_weights, 0);
    // Keys and values of width 16 in two layers.
    assert_eq!(attention.state_bytes_per_token, 2 * 16 * 2 * 4);
}

#[test]
fn the_vocabulary_is_that_of_the_data() {
    let text = config(MEMORY, &[]);
    let recall = config(MEMORY, RECALL);
    let fewer = (256 - 32) * 16;
    assert_eq!(
        estimate(&text).parameters,
        estimate(&recall).parameters + fewer
    );
    for config in [text, recall] {
        let data = miras_data::open(&config.data, 1).unwrap();
        assert_eq!(data.vocab(), config.data.vocab().unwrap());
    }
}

fn measure(config: &RunConfig, layer: bool) -> miras_trainer::Bench {
    let request = BenchRequest {
        layer,
        batch: 3,
        seq: 11,
        repeats: 2,
        device: "cpu".into(),
    };
    bench(config, config.data.vocab().unwrap(), &request).unwrap()
}

#[test]
fn a_model_and_a_mixer_of_it_are_measured() {
    for text in [MEMORY, ATTENTION] {
        let config = config(text, RECALL);
        let model = measure(&config, false);
        assert_eq!(model.parameters, estimate(&config).parameters);
        let mixer = measure(&config, true);
        assert!(mixer.parameters < model.parameters);
        for measured in [model, mixer] {
            for speed in [measured.forward, measured.both] {
                assert!(0.0 < speed.min && speed.max.is_finite());
                assert!(speed.min <= speed.median && speed.median <= speed.max);
            }
            assert_eq!(measured.peak_bytes.is_some(), cfg!(target_os = "linux"));
        }
    }
}

#[test]
fn a_mixer_has_the_parameters_of_a_block_but_for_norms_and_feed_forward() {
    let config = config(MEMORY, &["model.ffn_dim=1"]);
    let device = burn::tensor::Device::flex();
    let model = LanguageModel::new(&config.model, 1, 1, &device);
    let blocks = burn::module::Module::num_params(&model);
    // The block's norms and feed-forward; the embedding of one token; the last norm.
    let around = 2 * 16 + 3 * 16 + 16 + 16;
    assert_eq!(measure(&config, true).parameters, blocks - around);
}

#[test]
fn a_device_that_does_not_exist_is_an_error() {
    let request = BenchRequest {
        layer: false,
        batch: 1,
        seq: 1,
        repeats: 1,
        device: "abacus".into(),
    };
    let error = bench(&config(MEMORY, &[]), 256, &request).unwrap_err();
    assert!(error.to_string().contains("abacus"), "{error}");
}
