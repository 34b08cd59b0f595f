//! Runs that start with the weights of others.

use std::fs;

use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

use crate::support::{Bench, MEMORY, config};

const FILE: &str = "model.safetensors";

#[test]
fn a_run_without_a_checkpoint_starts_again_with_the_same_weights() {
    let bench = Bench::new();
    bench.run("first", config(MEMORY, &[]));
    let from = bench.path("first").join("checkpoints/step-00000004");
    let from = format!("train.init_from={}", from.display());
    let settings = config(MEMORY, &["train.seed=2", &from]);
    bench.run("second", settings.clone());
    assert!(bench.said().contains("start    with the weights of "));
    let whole = bench.file("second", 4, FILE);

    fs::remove_dir_all(bench.path("second").join("checkpoints")).unwrap();
    bench.resume("second", settings.clone());
    assert!(whole == bench.file("second", 4, FILE));

    bench.run("random", config(MEMORY, &["train.seed=2"]));
    assert!(whole != bench.file("random", 4, FILE));

    // A run that goes on at a checkpoint needs the weights no more.
    fs::remove_dir_all(bench.path("first")).unwrap();
    let longer = config(MEMORY, &["train.seed=2", &from, "train.steps=5"]);
    bench.resume("second", longer);
    let error = bench.try_run("third", settings, None).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("cannot use the weights in "), "{error}");
    assert!(!bench.path("third").exists(), "nothing is left of it");
}

#[test]
fn weights_of_another_type_are_refused_by_name() {
    let bench = Bench::new();
    bench.run("first", config(MEMORY, &[]));
    let good = bench.file("first", 4, FILE);
    let file = SafeTensors::deserialize(&good).unwrap();
    let from = bench.path("other.safetensors");
    let set = format!("train.init_from={}", from.display());
    for (dtype, width) in [(Dtype::F16, 2), (Dtype::BF16, 2), (Dtype::F64, 8)] {
        let shape = file.tensor("embedding").unwrap().shape().to_vec();
        let zeros = vec![0; shape.iter().product::<usize>() * width];
        let tensors = file.iter().map(|(name, view)| match name {
            "embedding" => (name, TensorView::new(dtype, shape.clone(), &zeros).unwrap()),
            _ => (name, view),
        });
        fs::write(&from, serialize(tensors, None).unwrap()).unwrap();
        let error = bench.try_run("second", config(MEMORY, &[&set]), None);
        assert_eq!(
            error.unwrap_err().to_string(),
            format!(
                "cannot use the weights in {}: `embedding` is {dtype:?} where the model has F32",
                from.display()
            )
        );
    }
}
