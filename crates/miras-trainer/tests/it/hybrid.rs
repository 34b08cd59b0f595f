//! A model of memories and attention, from TOML to a run that goes on.

use std::collections::BTreeSet;

use crate::support::{Bench, MEMORY, config};

const LAYERS: &str = "
[[layers]]
at = [1]
mixer.kind = 'attention'
";

#[test]
fn a_hybrid_trains_logs_its_memories_alone_and_goes_on() {
    let text = format!("{MEMORY}{LAYERS}");
    let config = |sets: &[&str]| config(&text, &[&["model.layers=2"], sets].concat());
    let bench = Bench::new();
    bench.run("whole", config(&["train.steps=4"]));
    let tags: BTreeSet<String> = (bench.lines("whole").iter())
        .flat_map(|line| line.keys().cloned().collect::<Vec<_>>())
        .collect();
    assert!(tags.contains("memory/0/surprise"), "{tags:?}");
    assert!(
        !tags.iter().any(|tag| tag.starts_with("memory/1/")),
        "{tags:?}"
    );
    let listed: BTreeSet<String> = config(&[]).metrics().into_iter().collect();
    let of_memories = |tags: &BTreeSet<String>| -> Vec<String> {
        let tags = tags.iter().filter(|tag| tag.starts_with("memory/"));
        tags.cloned().collect()
    };
    assert_eq!(of_memories(&tags), of_memories(&listed));
    bench.run("parts", config(&["train.steps=2"]));
    bench.resume("parts", config(&["train.steps=4"]));
    let weights = |name: &str| bench.file(name, 4, "model.safetensors");
    assert!(weights("parts") == weights("whole"), "a run in two parts");
}
