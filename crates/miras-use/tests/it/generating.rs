//! Reading and going on, against the full forward pass.

use burn::tensor::{Tensor, TensorData};
use miras_model::Pass;
use miras_use::{Generator, Memory, Sampler, Trained};

use crate::support::{Bench, presets, text};

/// The logits at every position of one pass over the whole text.
fn whole(trained: &Trained, text: &[i32]) -> Vec<Vec<f32>> {
    let data = TensorData::new(text.to_vec(), [1, text.len()]);
    let inputs = Tensor::from_data(data, &trained.device);
    let logits = trained.model.forward(inputs, None, Pass::default()).logits;
    let values: Vec<f32> = logits.into_data().try_into_vec().unwrap();
    values
        .chunks(trained.ends.vocab())
        .map(<[f32]>::to_vec)
        .collect()
}

fn argmax(logits: &[f32]) -> i32 {
    let mut best = 0;
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = at;
        }
    }
    best as i32
}

#[track_caller]
fn assert_equal(a: &[f32], b: &[f32], what: &str) {
    let scale = b.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 2e-4 * scale, "{what}: {a} and {b}");
    }
}

#[test]
fn a_prompt_and_then_token_by_token_is_the_full_pass_for_every_preset() {
    let bench = Bench::new();
    for (name, config) in presets() {
        bench.train(&name, config);
        let trained = bench.open(&name);
        let text = text(30);
        let expected = whole(&trained, &text);
        for prompt in [1, 8, 13] {
            let mut generator = Generator::new(&trained, Memory::Live).unwrap();
            generator.read(&text[..prompt]).unwrap();
            for at in prompt..=text.len() {
                let logits = generator.logits().unwrap();
                assert_equal(logits, &expected[at - 1], &format!("{name} at {at}"));
                assert_eq!(generator.position(), at);
                if let Some(next) = text.get(at) {
                    generator.read(&[*next]).unwrap();
                }
            }
        }
    }
}

#[test]
fn the_greedy_text_is_the_argmax_of_the_full_pass() {
    let bench = Bench::new();
    for (name, config) in presets() {
        bench.train(&name, config);
        let trained = bench.open(&name);
        let mut said = text(7);
        let mut generator = Generator::new(&trained, Memory::Live).unwrap();
        generator.read(&said).unwrap();
        for _ in 0..12 {
            said.push(generator.next(&Sampler::GREEDY).unwrap().unwrap());
        }
        let logits = whole(&trained, &said);
        for at in 7..said.len() {
            let before = &logits[at - 1];
            // Two logits may be equal but for rounding.
            let (chosen, best) = (before[said[at] as usize], before[argmax(before) as usize]);
            assert!(best - chosen < 1e-3, "{name} at {at}");
        }
    }
}

#[test]
fn the_state_of_a_memory_does_not_grow_and_that_of_attention_does() {
    let bench = Bench::new();
    for (name, config) in presets() {
        let (grows, layers) = (config.model.growing().is_some(), config.model.config.layers);
        bench.train(&name, config);
        let trained = bench.open(&name);
        let mut generator = Generator::new(&trained, Memory::Live).unwrap();
        assert_eq!(generator.size(), 0);
        // At the same place of a chunk and of a segment, behind a whole window.
        generator.read(&text(160)).unwrap();
        let early = generator.size();
        generator.read(&text(128)).unwrap();
        let late = generator.size();
        assert_eq!(early < late, grows, "{name}: {early}, then {late}");
        let norms = generator.norms().unwrap();
        assert_eq!(norms.len(), layers);
        assert!(
            norms
                .iter()
                .all(|one| one.norm.is_finite() && one.norm > 0.0)
        );
    }
}

#[test]
fn a_frozen_memory_stays_what_it_was_whatever_is_read() {
    let bench = Bench::new();
    for (name, config) in presets() {
        // Attention looks back, too.
        let is_alone = (config.model.mixers()).all(|(_, mixer)| mixer.kind() == "memory");
        if !is_alone {
            continue;
        }
        bench.train(&name, config);
        let trained = bench.open(&name);
        let mut live = Generator::new(&trained, Memory::Live).unwrap();
        live.read(&text(21)).unwrap();
        let stored = live.store().unwrap().unwrap();
        let size = live.size();
        let after = |pieces: &[&[i32]]| {
            let mut frozen = Generator::resume(&trained, Memory::Frozen, stored.clone()).unwrap();
            for piece in pieces {
                frozen.read(piece).unwrap();
            }
            assert_eq!(frozen.size(), size, "{name}");
            frozen.logits().unwrap().to_vec()
        };
        // Convolutions look back three tokens a layer, and nothing else looks back.
        let end = &text(8)[..];
        let (short, long) = (text(3), text(40));
        assert_equal(&after(&[&short, end]), &after(&[&long, end]), &name);
        assert_equal(
            &after(&[&long, end]),
            &after(&[&[&long[..], end].concat()]),
            &name,
        );

        let mut further = Generator::resume(&trained, Memory::Live, stored.clone()).unwrap();
        let mut read = |text: &[i32]| {
            further.read(text).unwrap();
            further.logits().unwrap().to_vec()
        };
        read(&short);
        assert!(read(end) != after(&[&short, end]), "{name}");
        let error = Generator::resume(&trained, Memory::Frozen, stored.clone())
            .unwrap()
            .store();
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("nothing of the text")
        );
    }
}

#[test]
fn a_frozen_memory_counts_an_open_chunk_up_to_its_last_token() {
    let bench = Bench::new();
    // Gradients are all taken at the beginning: 8 tokens are the same memory in a chunk of 8 that
    // is closed and in one of 16 that is open.
    let mut seen = Vec::new();
    for (name, chunk) in [
        ("closed", "algorithm.chunk=8"),
        ("open", "algorithm.chunk=16"),
    ] {
        let (trained, _) = bench.trained(name, &[chunk, "train.steps=1", "optim.lr=1e-12"]);
        let mut live = Generator::new(&trained, Memory::Live).unwrap();
        live.read(&text(8)).unwrap();
        let stored = live.store().unwrap().unwrap();
        let mut frozen = Generator::resume(&trained, Memory::Frozen, stored).unwrap();
        frozen.read(&text(5)).unwrap();
        seen.push(frozen.logits().unwrap().to_vec());
    }
    assert_equal(&seen[0], &seen[1], "closed and open");
}

#[test]
fn a_seed_decides_and_a_reset_begins_again() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    assert_eq!(generator.next(&Sampler::GREEDY).unwrap(), None);
    let mut say = |seed| -> Vec<i32> {
        let sampler = Sampler {
            temperature: 1.0,
            seed,
            ..Sampler::GREEDY
        };
        generator.reset();
        generator.read(&text(10)).unwrap();
        (0..20)
            .map(|_| generator.next(&sampler).unwrap().unwrap())
            .collect()
    };
    let first = say(1);
    assert_eq!(first, say(1));
    assert_ne!(first, say(2));
}
