//! What is measured of a configuration.

use miras_model::LanguageModel;
use miras_spec::{RunConfig, estimate};
use miras_trainer::{BenchRequest, bench};

use crate::support::{ATTENTION, MEMORY, RECALL, config};

fn measure(config: &RunConfig, layer: bool) -> miras_trainer::Bench {
    let request = BenchRequest {
        layer,
        batch: 3,
        seq: 11,
        repeats: 2,
        launches: false,
        device: "cpu".into(),
    };
    bench(config, config.data.vocab().unwrap(), &request).unwrap()
}

#[test]
fn a_model_and_a_mixer_of_it_are_measured() {
    for text in [MEMORY, ATTENTION] {
        let config = config(text, RECALL);
        let model = measure(&config, false);
        assert_eq!(
            model.parameters,
            estimate(&config, config.data.vocab().unwrap()).parameters
        );
        let mixer = measure(&config, true);
        assert!(mixer.parameters < model.parameters);
        for measured in [model, mixer] {
            for speed in [measured.forward, measured.both] {
                assert!(0.0 < speed.min && speed.max.is_finite());
                assert!(speed.min <= speed.median && speed.median <= speed.max);
            }
            assert_eq!(measured.peak_bytes.is_some(), cfg!(target_os = "linux"));
            assert_eq!(measured.launches, None);
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
        launches: true,
        device: "abacus".into(),
    };
    let error = bench(&config(MEMORY, &[]), 256, &request).unwrap_err();
    assert!(error.to_string().contains("abacus"), "{error}");
}
