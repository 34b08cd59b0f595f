//! Training on a device: that of `MIRAS_TEST_DEVICE`, or the CPU.
//!
//! What compares a device with the CPU is ignored unless asked for, so that a run of the tests says
//! what it did not do; `scripts/test-device NAME` asks for it.

use std::sync::{PoisonError, RwLock};

use miras_model::Precision;
use miras_run::Status;
use miras_spec::{RunConfig, SpecError};
use miras_trainer::{BenchRequest, Launches, TrainError, bench};

use crate::support::{ATTENTION, Bench, MEMORY, config, presets};

/// Launches are counted for the whole process: who counts them writes, who launches reads.
static LAUNCHES: RwLock<()> = RwLock::new(());

/// On the device of tests.
fn here(config: RunConfig) -> RunConfig {
    let mut config = config;
    config.train.device = miras_device::name_for_tests();
    config
}

/// On the device of tests, which has to be another one than the CPU.
fn on_a_device(config: RunConfig) -> RunConfig {
    let config = here(config);
    assert_ne!(
        config.train.device, "cpu",
        "this compares a device with the CPU: run it by scripts/test-device NAME"
    );
    config
}

#[test]
fn the_cpu_is_not_compared_with_itself() {
    for (preset, mut config) in presets() {
        let bench = Bench::new();
        config.train.verify_device = 3;
        let error = bench.try_run("run", config, None).unwrap_err();
        assert!(
            matches!(error, TrainError::Spec(SpecError::VerifiesItself { .. })),
            "{preset}: {error}"
        );
        assert!(!bench.path("run").exists(), "a refused run leaves nothing");
    }
}

/// Whether its training is compared with the CPU's: not that of hybrids, which are layers of the
/// others in turn, nor that of `lact`, as Muon's step makes what rounding leaves hundreds of times
/// as large (its operations are compared in the contract, which knows by how much).
fn is_compared(preset: &str, config: &RunConfig) -> bool {
    config.model.layers.is_empty() && !preset.ends_with("lact.toml")
}

#[test]
#[ignore = "needs a device: scripts/test-device NAME"]
fn every_preset_trains_as_on_the_cpu() {
    let _launching = LAUNCHES.read().unwrap_or_else(PoisonError::into_inner);
    let all = presets().into_iter();
    let compared = all.filter(|(preset, config)| is_compared(preset, config));
    // Dimensions of 1 take other ways through a device's kernels.
    let batches = |(preset, config): (String, RunConfig)| {
        [config.train.batch, 1].map(|batch| (preset.clone(), batch, config.clone()))
    };
    for (preset, batch, config) in compared.flat_map(batches) {
        let bench = Bench::new();
        let mut config = on_a_device(config);
        config.train.batch = batch;
        config.train.steps = 4;
        config.train.verify_device = 3;
        let result = bench.try_run("run", config, None);
        let outcome = result.unwrap_or_else(|error| panic!("{preset} x {batch}: {error}"));
        assert_eq!((outcome.status, outcome.step), (Status::Finished, 4));
        let said = bench.said();
        assert!(said.contains("agrees with the CPU so far"), "{said}");
    }
}

#[test]
#[ignore = "needs a device: scripts/test-device NAME"]
fn a_resumed_run_is_compared_from_its_checkpoint_on() {
    let _launching = LAUNCHES.read().unwrap_or_else(PoisonError::into_inner);
    for sets in [&["train.state=carry"][..], &[]] {
        let bench = Bench::new();
        bench.run("run", on_a_device(config(MEMORY, sets)));
        let mut longer = on_a_device(config(MEMORY, sets));
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
    let _launching = LAUNCHES.read().unwrap_or_else(PoisonError::into_inner);
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

#[test]
#[ignore = "needs a device: scripts/test-device NAME"]
fn every_layer_adds_the_same_number_of_launches() {
    let _alone = LAUNCHES.write().unwrap_or_else(PoisonError::into_inner);
    let counted = |text: &str, layers: usize, layer: bool| {
        let config = on_a_device(config(text, &[&format!("model.layers={layers}")]));
        let request = BenchRequest {
            layer,
            batch: 2,
            seq: 32,
            repeats: 1,
            launches: true,
            device: config.train.device.clone(),
        };
        let vocab = config.data.vocab().unwrap();
        bench(&config, vocab, &request)
    };
    // LibTorch does not say what it launches.
    if on_a_device(config(MEMORY, &[]))
        .train
        .device
        .starts_with("tch")
    {
        let error = counted(MEMORY, 1, false).unwrap_err().to_string();
        assert!(
            error.contains("launches no kernels that could be counted"),
            "{error}"
        );
        return;
    }
    for text in [MEMORY, ATTENTION] {
        let launches = |layers, layer| counted(text, layers, layer).unwrap().launches.unwrap();
        let [one, two, three] = [1, 2, 3].map(|layers| launches(layers, false));
        for count in [
            |found: &Launches| found.forward,
            |found: &Launches| found.both,
            |found: &Launches| found.update.unwrap(),
        ] {
            let counts = [count(&one), count(&two), count(&three)];
            let by_layer = counts[1] - counts[0];
            assert!(0 < by_layer && by_layer < counts[0], "{counts:?}");
            assert_eq!(counts[2] - counts[1], by_layer, "{counts:?}");
        }
        assert!(one.forward < one.both, "{one:?}");
        let mixer = launches(1, true);
        assert!(
            0 < mixer.forward && mixer.forward < one.forward,
            "{mixer:?}"
        );
        assert_eq!(mixer.update, None);
    }
}
