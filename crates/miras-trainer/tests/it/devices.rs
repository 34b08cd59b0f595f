//! Training on a device: that of `MIRAS_TEST_DEVICE`, or the CPU.

use miras_model::Precision;
use miras_run::Status;
use miras_trainer::{RunConfig, TrainError};

use crate::support::{ATTENTION, Bench, MEMORY, config, presets};

/// On the device of tests.
fn here(config: RunConfig) -> RunConfig {
    let mut config = config;
    config.train.device = miras_device::name_for_tests();
    config
}

#[test]
fn every_preset_trains_as_on_the_cpu() {
    for (preset, config) in presets() {
        let bench = Bench::new();
        let mut config = here(config);
        config.train.steps = 4;
        config.train.verify_device = 3;
        let result = bench.try_run("run", config, None);
        if miras_device::name_for_tests() == "cpu" {
            let error = result.unwrap_err();
            assert!(matches!(error, TrainError::VerifiesItself { .. }));
            assert!(!bench.path("run").exists(), "a refused run leaves nothing");
            continue;
        }
        let outcome = result.unwrap_or_else(|error| panic!("{preset}: {error}"));
        assert_eq!((outcome.status, outcome.step), (Status::Finished, 4));
        let said = bench.said();
        assert!(said.contains("agrees with the CPU so far"), "{said}");
    }
}

#[test]
fn a_resumed_run_is_compared_from_its_checkpoint_on() {
    if miras_device::name_for_tests() == "cpu" {
        return;
    }
    for sets in [&["train.state=carry"][..], &[]] {
        let bench = Bench::new();
        bench.run("run", here(config(MEMORY, sets)));
        let mut longer = here(config(MEMORY, sets));
        longer.train.steps = 6;
        longer.train.verify_device = 2;
        let outcome = bench.resume("run", longer);
        assert_eq!((outcome.status, outcome.step), (Status::Finished, 6));
        assert!(
            bench.said().contains("step 6  the device"),
            "{}",
            bench.said()
        );
    }
}

/// Rounding to 8 or 11 bits of mantissa moves a loss, but not far.
#[test]
fn mixed_precision_stays_near_float32_where_the_device_has_it() {
    let device = miras_device::for_tests();
    for text in [MEMORY, ATTENTION] {
        let bench = Bench::new();
        let exact = bench.run("f32", here(config(text, &[])));
        for precision in [Precision::Bf16, Precision::F16] {
            let name = precision.name();
            let set = format!("train.precision={name}");
            let result = bench.try_run(name, here(config(text, &[&set])), None);
            if !device.supports_dtype(precision.dtype()) {
                let error = result.unwrap_err().to_string();
                let expected = format!("train.precision = \"{name}\": the device `");
                assert!(error.starts_with(&expected), "{error}");
                assert!(
                    error.contains("it has f") || error.contains("f32"),
                    "{error}"
                );
                continue;
            }
            let rounded = result.unwrap();
            let (exact, rounded) = (exact.eval_loss.unwrap(), rounded.eval_loss.unwrap());
            let gap = (rounded / exact - 1.0).abs();
            assert!(gap < 0.01, "{name}: {rounded}, in float32 {exact}");
            assert!(gap > 0.0, "{name} changes nothing");
        }
    }
}
