//! The classes of exactness, against what chunks compute.

use std::{collections::BTreeSet, sync::Mutex};

use miras_contract::{
    Inputs, cases, combinations, difference, for_all, made_chunk_start, made_exact, numbers,
    run_dual, run_recurrence,
};
use miras_engine::{Form, Read, Rule};
use miras_registry::{Exactness, Registry, exactness};

/// Larger than rounding, smaller than what a chunk's start is off by.
const OFF: f64 = 1e-7;

/// What is between `rule` in chunks of four and the recurrence with every gradient and every read
/// at its own token, as a share.
fn gap(rule: &Rule) -> f64 {
    let mut rule = rule.clone();
    rule.settings.chunk = 4;
    if let Form::ChunkStart { rules, .. } = &mut rule.settings.form {
        rules.retain(|rule| rule.is_local());
    }
    let exact = made_exact(&rule);
    let inputs = Inputs::new(&rule, 8);
    let truth = numbers(run_recurrence(&exact, &inputs).y);
    difference(&numbers(run_dual(&rule, &inputs, &[]).y), &truth)
}

#[test]
fn the_exact_form_exists_where_the_class_is_exact() {
    let exact = combinations(&Registry::builtin(), "form = 'exact'");
    let (mut forms, mut refused) = (0, 0);
    for (with_form, case) in exact
        .into_iter()
        .zip(combinations(&Registry::builtin(), ""))
    {
        let Ok(case) = case else { continue };
        let class = exactness(&case.rule);
        assert_eq!(class.is_exact(), with_form.is_ok(), "{}", case.name);
        assert_eq!(
            class.is_exact(),
            case.rule.settings.is_exact(),
            "{}",
            case.name
        );
        match with_form {
            Ok(_) => forms += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(forms > 0 && refused > 0);
}

#[test]
fn classes_are_as_exact_as_they_say() {
    let seen = Mutex::new(BTreeSet::new());
    // Noise is added at the ends of chunks, which that recurrence does not have.
    let mut cases = cases(&Registry::builtin(), "");
    cases.retain(|case| case.rule.noise_deviation() == 0.0);
    for_all(cases, |case| {
        let (class, name) = (exactness(&case.rule), &case.name);
        seen.lock().unwrap().insert(class);
        let by_default = gap(&case.rule);
        // Where no gradient depends on the weights, those of the chunk's start are exact too.
        let rule = &case.rule;
        let is_fixed = rule.memory.is_linear_in_weights()
            && rule.bias.slope() == Some(0.0)
            && rule.settings.read() == Read::Exact;
        let is_exact = class.is_exact() || is_fixed;
        assert_eq!(by_default < OFF, is_exact, "{name}: {by_default:e}");
        let has_iterations = rule.algorithm.window() == 1 && !rule.acts_at_chunk_end();
        if class.is_exact() || !has_iterations {
            return;
        }
        // Three iterations are all that a chunk of four needs; what is left is in the reads.
        let read = case.rule.settings.read();
        let left = gap(&made_chunk_start(&case.rule, 3, read));
        assert_eq!(
            left < OFF,
            class == Exactness::ChunkStart,
            "{name}: {left:e}"
        );
        let left = gap(&made_chunk_start(&case.rule, 3, Read::Exact));
        assert!(left < OFF, "{name}: {left:e}");
    });
    let seen = seen.into_inner().unwrap();
    for class in Exactness::ALL {
        assert!(seen.contains(&class), "no combination is {class}");
    }
}
