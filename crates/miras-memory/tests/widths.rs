//! Widths of keys and values that a memory has no program for.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use miras_config::{Layers, Tree};
use miras_registry::{Choice, Registry};

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
            "= help: use values as wide as keys (memory.value_dim = 8)",
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
