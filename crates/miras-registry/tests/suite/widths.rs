//! Keys and values of different widths.

use std::collections::BTreeSet;

use miras_config::{Layers, Tree};
use miras_contract::Size;
use miras_registry::{Choice, Registry};

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

fn choose(text: &str) -> (Tree, Choice) {
    let mut layers = Layers::new();
    layers.text("case", text).unwrap();
    let mut tree = layers.merge().unwrap();
    let choice = Choice::take(&mut tree, &Registry::builtin()).unwrap();
    (tree, choice)
}

#[track_caller]
fn assert_refused(text: &str, widths: (usize, usize), pieces: &[&str]) {
    let (tree, choice) = choose(text);
    assert!(choice.program(&tree, "", 8, 8).is_ok());
    let error = choice.program(&tree, "", widths.0, widths.1).unwrap_err();
    let error = error.to_string();
    for piece in pieces {
        assert!(error.contains(piece), "{piece}\n{error}");
    }
}

#[test]
fn a_memory_without_a_program_of_these_widths_is_refused_with_the_operation() {
    assert_refused(
        "[memory]\nkind = 'mlp'\nresidual = true",
        (8, 4),
        &[
            "memory `mlp` cannot have keys of 8 features and values of 4",
            "there is no sum of x of 8 features and h3 of 4 features",
            "case:2:",
            "= help: use other widths",
        ],
    );
    assert_refused(
        "[memory]\nkind = 'conv'",
        (8, 4),
        &["the output is h9 of 8 features, and values have 4"],
    );
}

#[test]
fn maps_of_one_column_are_refused_where_rows_have_a_fixed_sum() {
    let pieces = &[
        "(retention.kind)",
        "the map `w2` of this memory gives 1 feature",
    ];
    assert_refused("[retention]\nkind = 'kl'", (1, 1), pieces);
    let text = "[memory]\nkind = 'conv'\n[retention]\nkind = 'kl'";
    let error = Choice::from_toml(text, &Registry::builtin()).unwrap_err();
    assert!(error.to_string().contains("the map `w3`"), "{error}");
}
