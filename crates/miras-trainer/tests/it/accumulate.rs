//! Micro-batches are parts of a larger batch.

use crate::support::{ATTENTION, Bench, MEMORY, RECALL, config};
use crate::tokens::TOKENIZER;

/// What is measured, but for the clock.
fn measured(bench: &Bench, name: &str) -> Vec<(u64, String, f64)> {
    let mut found = Vec::new();
    for line in bench.lines(name) {
        let step = line["step"].as_u64().unwrap();
        for (tag, value) in &line {
            if !tag.starts_with("perf/") && tag != "step" {
                found.push((step, tag.clone(), value.as_f64().unwrap()));
            }
        }
    }
    found
}

#[test]
fn a_batch_is_its_micro_batches_on_every_kind_of_data() {
    let files = Bench::new();
    let text = files.path("corpus.txt");
    let lines = |n: u32| format!("On day {n} Anna put the {} key under the lamp.\n", n * n);
    std::fs::write(&text, (0..400).map(lines).collect::<String>()).unwrap();
    let of_text = |tokenizer: &str| {
        format!(
            "data={{ kind = 'text', path = '{}', tokenizer = '{tokenizer}', seq_len = 16 }}",
            text.display()
        )
    };
    let (bytes, tokens) = (of_text("bytes"), of_text(TOKENIZER));
    let cases: [(&str, &[&str]); 9] = [
        (MEMORY, &[]),
        (MEMORY, &["train.state=carry", "data.seq_len=21"]),
        (MEMORY, &[&bytes]),
        (MEMORY, &[&bytes, "train.state=carry"]),
        (MEMORY, &[&tokens]),
        (MEMORY, &[&tokens, "train.state=carry"]),
        (MEMORY, RECALL),
        (ATTENTION, &[]),
        (ATTENTION, RECALL),
    ];
    for (text, sets) in cases {
        let bench = Bench::new();
        let with = |size: [&str; 2]| {
            let common = ["train.steps=3", "log.surprise_threshold=0.5"];
            let of_memory = usize::from(text == MEMORY);
            config(text, &[sets, &common[..=of_memory], &size].concat())
        };
        bench.run("whole", with(["train.batch=6", "train.accumulate=1"]));
        let whole = measured(&bench, "whole");
        for tag in ["train/loss", "optim/grad_norm", "eval/loss"] {
            assert!(whole.iter().any(|(_, other, _)| other == tag), "{tag}");
        }
        for (name, size) in [
            ("threes", ["train.batch=2", "train.accumulate=3"]),
            ("ones", ["train.batch=1", "train.accumulate=6"]),
        ] {
            bench.run(name, with(size));
            let parts = measured(&bench, name);
            assert_eq!(parts.len(), whole.len(), "{sets:?} {name}");
            for ((step, tag, value), (_, other, expected)) in parts.iter().zip(&whole) {
                assert_eq!(tag, other);
                let gap = (value - expected).abs();
                let allowed = 1e-4 * expected.abs().max(0.1);
                assert!(
                    gap <= allowed,
                    "{sets:?} {name}, step {step}, {tag}: {value}, not {expected}"
                );
            }
        }
    }
}
