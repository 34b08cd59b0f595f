//! The trained model with something taken away.

use std::collections::BTreeSet;

use miras_run::Memory;

use crate::support::{Bench, MEMORY, RECALL, config};

#[test]
fn controls_evaluate_another_function() {
    let bench = Bench::new();
    let sets = ["eval.controls=['read_zero', 'step_zero']"];
    bench.run("text", config(MEMORY, &sets));
    bench.run("recall", config(MEMORY, &[RECALL, &sets].concat()));
    for (name, beside) in [("text", "bits_per_byte"), ("recall", "accuracy")] {
        let last = |tag: &str| {
            bench
                .values(name, tag)
                .pop()
                .unwrap_or_else(|| panic!("{tag}"))
        };
        let whole = last("eval/loss");
        for control in ["read_zero", "step_zero"] {
            let without = last(&format!("control/{control}/loss"));
            assert_eq!(without.0, whole.0);
            assert!((without.1 - whole.1).abs() > 1e-6, "{name} {control}");
            last(&format!("control/{control}/{beside}"));
        }
        let summary = bench.json(name, "summary.json");
        assert!(summary["metrics"]["control/read_zero/loss"].is_number());
    }
}

/// Each way to train beside memories that learn is another function; the frozen one is that whose
/// step size is 0 where a memory decays towards its initial weights and so never leaves them.
#[test]
fn twins_are_trained_without_what_memories_do() {
    let bench = Bench::new();
    let loss = |name: &str, sets: &[&str]| {
        bench.run(name, config(MEMORY, sets));
        bench.values(name, "eval/loss").pop().unwrap().1
    };
    let ways = Memory::ALL.map(|way| loss(way.name(), &[&format!("train.memory={way}")]));
    let distinct: BTreeSet<u64> = ways.iter().map(|loss| loss.to_bits()).collect();
    assert_eq!(distinct.len(), ways.len(), "{ways:?}");
    let unwritten = loss("unwritten", &["algorithm.step_max=0"]);
    assert!((ways[1] - unwritten).abs() < 1e-5, "{ways:?} {unwritten}");
    // Of memories that do not learn there is nothing to see.
    assert!(bench.values("frozen", "memory/0/write_norm").is_empty());
    assert!(!bench.values("live", "memory/0/write_norm").is_empty());
}
