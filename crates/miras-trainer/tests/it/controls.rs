//! The trained model with something taken away.

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
