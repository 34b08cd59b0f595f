//! Keys and values of different widths.

use std::collections::BTreeSet;

use miras_contract::Size;

use crate::support::{FORMS, Inputs, assert_same, cases, run_dual, run_recurrence};

#[test]
fn chunks_equal_the_recurrence_with_keys_and_values_of_two_widths() {
    let size = Size {
        d_k: 4,
        d_v: 2,
        ..Size::small(6)
    };
    let mut seen = BTreeSet::new();
    let mut memories = BTreeSet::new();
    for form in FORMS {
        for case in cases(form) {
            // Widths are the business of memory and bias: one retention and algorithm for each two.
            let parts: Vec<_> = case.name.split(" | ").take(2).map(str::to_owned).collect();
            let fits = case.rule.memory.program(size.d_k, size.d_v).is_ok();
            if fits && seen.insert((form, parts.clone())) {
                memories.insert(parts[0].clone());
                let inputs = Inputs::sized(&case.rule, size);
                let truth = run_recurrence(&case.rule, &inputs);
                let run = run_dual(&case.rule, &inputs, &[]);
                assert_same(&case.name, &run, &truth, 1e-9);
            }
        }
    }
    for memory in ["matrix ", "mlp depth = 1", "mlp depth = 2, expansion = 2"] {
        assert!(memories.contains(memory), "{memory:?} not in {memories:?}");
    }
}
