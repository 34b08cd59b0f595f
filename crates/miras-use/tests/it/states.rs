//! States in files.

use std::fs;

use miras_use::{EvalRequest, Generator, Memory, Sampler, Stored, Trained, evaluate};

use crate::support::{Bench, presets, text};

const SAMPLER: Sampler = Sampler {
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
    seed: 1,
};

fn say(generator: &mut Generator<'_>, count: usize, seed: u64) -> Vec<i32> {
    let sampler = Sampler { seed, ..SAMPLER };
    (0..count)
        .map(|_| generator.next(&sampler).unwrap().unwrap())
        .collect()
}

fn resumed<'a>(trained: &'a Trained, path: &std::path::Path) -> Generator<'a> {
    Generator::resume(trained, Memory::Live, Stored::read(path).unwrap()).unwrap()
}

#[test]
fn a_text_that_was_stopped_goes_on_as_if_it_had_not_been() {
    let bench = Bench::new();
    for (name, config) in presets() {
        bench.train(&name, config);
        let trained = bench.open(&name);
        let mut generator = Generator::new(&trained, Memory::Live).unwrap();
        generator.read(&text(9)).unwrap();
        let first = say(&mut generator, 6, 1);
        let path = bench.path().join(format!("{name}.safetensors"));
        generator.store().unwrap().unwrap().write(&path).unwrap();
        let rest = say(&mut generator, 10, 1);
        assert_eq!(say(&mut resumed(&trained, &path), 10, 1), rest, "{name}");

        let bytes = fs::read(&path).unwrap();
        assert_ne!(say(&mut resumed(&trained, &path), 10, 2), rest, "{name}");
        assert!(
            bytes == fs::read(&path).unwrap(),
            "branches leave the file as it is"
        );
        assert_eq!(first.len(), 6);
    }
}

#[test]
fn an_evaluation_goes_on_from_a_state() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let loss = |state| {
        let request = EvalRequest {
            state,
            ..EvalRequest::default()
        };
        let report = evaluate(&trained, &request).unwrap();
        (
            report.measured.loss.to_bits(),
            report.state.map(|used| used.position),
        )
    };
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    generator.read(&text(21)).unwrap();
    let path = bench.path().join("s.safetensors");
    generator.store().unwrap().unwrap().write(&path).unwrap();
    let (with, position) = loss(Some(path.clone()));
    let (without, none) = loss(None);
    assert_ne!(with, without);
    assert_eq!((position, none), (Some(21), None));

    let request = EvalRequest {
        state: Some(path),
        memory: Some(Memory::Reset),
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(
        error.contains("memories that are reset depend on"),
        "{error}"
    );
}

#[test]
fn a_state_of_other_weights_and_a_damaged_one_are_refused_by_name() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("mine", &[]);
    let (other, _) = bench.trained("other", &["train.seed=2"]);
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    generator.read(&text(21)).unwrap();
    let path = bench.path().join("s.safetensors");
    generator.store().unwrap().unwrap().write(&path).unwrap();

    let stored = Stored::read(&path).unwrap();
    stored.check(&trained).unwrap();
    let error = stored.check(&other).unwrap_err();
    let weights = |trained: &Trained| trained.origin.weights[..12].to_owned();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot go on from {}: the state was made by step 3 of run `mine` (weights {}), not \
             by these weights ({})",
            path.display(),
            weights(&trained),
            weights(&other)
        )
    );
    assert!(error.is_usage());

    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, expected) in [
        (
            flipped,
            "the file of the state is damaged: its values are not those that were saved",
        ),
        (
            good[..good.len() - 1].to_vec(),
            "this is not the file of a state: ",
        ),
        (b"text".to_vec(), "this is not the file of a state: "),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = Stored::read(&path).unwrap_err().to_string();
        let start = format!("cannot go on from {}: {expected}", path.display());
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn a_state_that_does_not_say_what_made_it_is_refused() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    generator.read(&text(21)).unwrap();
    let stored = generator.store().unwrap().unwrap();
    assert_eq!(stored.origin, trained.origin);
    assert_eq!(stored.named.origin, None);
    let path = bench.file("s.safetensors", stored.named.to_bytes().unwrap());
    let error = Stored::read(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot go on from {}: the state does not say which weights made it",
            path.display()
        )
    );
    assert!(error.is_usage());
}
