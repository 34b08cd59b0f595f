//! What every valid combination of parts must hold, generated over the registry's lists.
//!
//! All in float64 on the CPU. A new part is tested here without a line of its own.

use crate::support::{
    FORMS, G, GATED, Inputs, all_ways, assert_same, cases, choose, combinations, difference, few,
    numbers, run_dual, run_recurrence,
};
use burn::tensor::{Tensor, s};
use miras_contract::{Case, Size, for_all, made_exact};
use miras_core::{Factor, Side, Weights};
use miras_engine::{Initial, Rule, State, Tokens, dual};
use miras_registry::Registry;

const TOLERANCE: f64 = 1e-9;

/// With `chunk` tokens a chunk.
fn with_chunk(rule: &Rule, chunk: usize) -> Rule {
    let mut rule = rule.clone();
    rule.settings.chunk = chunk;
    rule
}

/// Cases without noise, of which tests of single tokens know nothing.
fn without_noise(algorithm: &str) -> Vec<Case> {
    let cases = cases(algorithm).into_iter();
    cases
        .filter(|case| case.rule.noise_deviation() == 0.0)
        .collect()
}

/// A chunked run's values compare with a recurrence that ended at the same token; where the last
/// chunk is open the outputs and all gradients but the state's are compared.
fn same_as_recurrence(case: &Case, rule: &Rule, t: usize) {
    let inputs = Inputs::new(rule, t);
    let truth = run_recurrence(rule, &inputs);
    let run = run_dual(rule, &inputs, &[]);
    assert_same(&case.name, &run, &truth, TOLERANCE);
}

#[test]
fn chunk_start_form_equals_the_recurrence_anchored_at_chunk_starts() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 3\nload_cap = 0.3"),
        |case| {
            same_as_recurrence(case, &case.rule, 9);
        },
    );
}

/// A device's chunks are compared with these (`miras_contract::check`). Sums over 64 tokens round
/// more than those of the small cases.
#[test]
fn chunks_of_64_tokens_equal_the_recurrence_at_the_widths_of_models() {
    // A whole chunk: the state of an open one is not that of the recurrence, whose gradients cost
    // the square of the length. How chunks follow each other is seen at the small size.
    let [narrow, wide] = miras_contract::WIDE.map(|size| Size {
        memories: 1,
        tokens: 64,
        ..size
    });
    for_all(miras_contract::wide_cases(&Registry::builtin()), |case| {
        let inputs = Inputs::sized(&case.rule, narrow);
        let truth = run_recurrence(&case.rule, &inputs);
        let run = run_dual(&case.rule, &inputs, &[]);
        assert_same(&case.name, &run, &truth, 1e-7);
    });
    // One of each form at the other width: what depends on it is the memory's alone.
    for form in ["", "\npicard = 1\nread = 'exact'"] {
        let text = format!("[memory]\nexpansion = 2\n[algorithm]\nchunk = 64{form}");
        let rule = choose(&text).unwrap().rule;
        let inputs = Inputs::sized(&rule, wide);
        let truth = run_recurrence(&rule, &inputs);
        assert_same(&text, &run_dual(&rule, &inputs, &[]), &truth, 1e-7);
    }
}

#[test]
fn chunk_start_form_equals_the_recurrence_without_caps() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 4\nload_cap = 0"),
        |case| {
            same_as_recurrence(case, &case.rule, 8);
        },
    );
}

#[test]
fn chunk_start_form_equals_the_recurrence_with_all_caps_binding() {
    let caps = "form = 'chunk_start'\nchunk = 4\nimplicit = 0.5\nload_cap = 0.2\ngrad_cap = 0.5\nstate_cap = 0.6";
    for_all(cases(caps), |case| same_as_recurrence(case, &case.rule, 8));
}

#[test]
fn steps_gated_by_what_is_carried_equal_the_recurrence() {
    for form in GATED {
        for_all(cases(form), |case| same_as_recurrence(case, &case.rule, 9));
    }
}

/// The gradients of the last Picard iteration are those of the exact form, and so is what the rule makes
/// of them.
#[test]
fn a_gate_sees_exact_gradients_after_all_picard_iterations() {
    let form = "form = 'chunk_start'\nchunk = 4\npicard = 3\nread = 'exact'\nload_cap = 0\nsurprise_threshold = 0.4\nsurprise_average = 0.7";
    for_all(few(form), |case| {
        let exact = made_exact(&case.rule);
        let inputs = Inputs::new(&exact, 8);
        let truth = run_recurrence(&exact, &inputs);
        let run = run_dual(&case.rule, &inputs, &[]);
        assert_same(&case.name, &run, &truth, TOLERANCE);
    });
}

#[test]
fn stale_reads_equal_the_recurrence() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 3\nread = 'stale'"),
        |case| {
            same_as_recurrence(case, &case.rule, 6);
        },
    );
}

#[test]
fn frozen_reads_equal_the_recurrence() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 3\nread = 'frozen'"),
        |case| {
            same_as_recurrence(case, &case.rule, 6);
        },
    );
}

#[test]
fn refined_gradients_with_exact_reads_equal_the_recurrence() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 4\npicard = 2\nread = 'exact'"),
        |case| same_as_recurrence(case, &case.rule, 8),
    );
}

#[test]
fn as_many_picard_iterations_as_a_chunk_has_later_tokens_are_the_exact_recurrence() {
    for_all(
        cases("form = 'chunk_start'\nchunk = 4\npicard = 3\nread = 'exact'\nload_cap = 0"),
        |case| {
            let exact = made_exact(&case.rule);
            let inputs = Inputs::new(&exact, 8);
            let truth = run_recurrence(&exact, &inputs);
            let run = run_dual(&case.rule, &inputs, &[]);
            assert_same(&case.name, &run, &truth, TOLERANCE);
        },
    );
}

#[test]
fn the_first_tokens_of_a_chunk_are_exact_after_as_many_picard_iterations_less_one() {
    for picard in [1, 2] {
        let form = format!(
            "form = 'chunk_start'\nchunk = 8\npicard = {picard}\nread = 'exact'\nload_cap = 0"
        );
        for_all(cases(&form), |case| {
            let exact = made_exact(&case.rule);
            let inputs = Inputs::new(&exact, 8);
            let first = |y: Tensor<4>| numbers(y.slice(s![.., .., 0..picard + 1, ..]));
            let truth = first(run_recurrence(&exact, &inputs).y);
            let refined = first(run_dual(&case.rule, &inputs, &[]).y);
            let gap = difference(&refined, &truth);
            assert!(gap < TOLERANCE, "{}: {gap:e}", case.name);
        });
    }
}

#[test]
fn exact_form_under_the_gradient_cap_equals_the_recurrence() {
    for_all(cases("form = 'exact'\nchunk = 5\ngrad_cap = 0.4"), |case| {
        same_as_recurrence(case, &case.rule, 8);
    });
}

#[test]
fn exact_form_with_implicit_steps_equals_the_recurrence() {
    for_all(cases("form = 'exact'\nchunk = 5\nimplicit = 0.5"), |case| {
        same_as_recurrence(case, &case.rule, 8);
    });
}

#[test]
fn exact_form_equals_the_recurrence_at_any_chunk_size() {
    for_all(cases("form = 'exact'"), |case| {
        // Chunks play no part in this recurrence.
        let inputs = Inputs::new(&case.rule, 8);
        let truth = run_recurrence(&case.rule, &inputs);
        for chunk in [1, 2, 5, 8] {
            let run = run_dual(&with_chunk(&case.rule, chunk), &inputs, &[]);
            assert_same(&case.name, &run, &truth, TOLERANCE);
        }
    });
}

#[test]
fn chunk_start_form_at_chunk_one_is_the_exact_recurrence() {
    let mut compared = 0;
    let form = "form = 'chunk_start'\nchunk = 1\nload_cap = 0\nread = 'exact'";
    for case in without_noise(form) {
        let exact = made_exact(&case.rule);
        let inputs = Inputs::new(&exact, 6);
        let truth = run_recurrence(&exact, &inputs);
        assert_same(
            &case.name,
            &run_dual(&case.rule, &inputs, &[]),
            &truth,
            TOLERANCE,
        );
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn any_split_with_carried_state_equals_one_pass() {
    for cases in all_ways() {
        for_all(cases, |case| {
            let inputs = Inputs::new(&case.rule, 9);
            let whole = run_dual(&case.rule, &inputs, &[]);
            for pieces in [&[1, 1, 5, 2][..], &[4, 5]] {
                let split = run_dual(&case.rule, &inputs, pieces);
                assert_same(
                    &format!("{} in {pieces:?}", case.name),
                    &split,
                    &whole,
                    TOLERANCE,
                );
            }
        });
    }
}

#[test]
fn open_chunks_continue_token_by_token() {
    for cases in [cases("form = 'chunk_start'\nchunk = 4"), few(GATED[0])] {
        for_all(cases, |case| {
            let inputs = Inputs::new(&case.rule, 7);
            let whole = run_dual(&case.rule, &inputs, &[]);
            let split = run_dual(&case.rule, &inputs, &[1; 7]);
            assert_same(&case.name, &split, &whole, TOLERANCE);
        });
    }
}

#[test]
fn every_input_and_parameter_gets_a_finite_nonzero_gradient_over_three_chunks() {
    for form in FORMS {
        for_all(cases(form), |case| {
            let inputs = Inputs::new(&case.rule, 9);
            for (name, gradient) in run_dual(&case.rule, &inputs, &[]).gradients {
                let Some(gradient) = gradient else {
                    panic!("{}: no gradient reaches {name}", case.name);
                };
                assert!(
                    gradient.iter().all(|x| x.is_finite()),
                    "{}: {name}",
                    case.name
                );
                assert!(
                    gradient.iter().any(|x| *x != 0.0),
                    "{}: {name} gets 0",
                    case.name
                );
            }
        });
    }
}

#[test]
fn memories_do_not_see_each_other() {
    for cases in all_ways() {
        for_all(cases, |case| {
            let inputs = Inputs::new(&case.rule, 7);
            let changed = inputs.map(|x| {
                let first = x.clone().slice(s![.., 0..1, .., ..]).mul_scalar(0.7);
                Tensor::cat(vec![first, x.slice(s![.., 1..G, .., ..])], 1)
            });
            let other = |inputs: &Inputs| {
                numbers(
                    run_dual(&case.rule, inputs, &[])
                        .y
                        .slice(s![.., 1..G, .., ..]),
                )
            };
            assert!(other(&inputs) == other(&changed), "{}", case.name);
        });
    }
}

#[test]
fn nothing_leaks_from_the_future() {
    for cases in all_ways() {
        for_all(cases, |case| {
            let t = 7;
            // Without a graph: one that no backward pass ends is kept.
            let inputs = Inputs::new(&case.rule, t).map(Tensor::inner);
            let outputs = |inputs: &Inputs| {
                let state = State::new(&case.rule, &inputs.initial);
                dual::forward(&case.rule, &inputs.initial, state, &inputs.tokens, false).y
            };
            let whole = outputs(&inputs);
            for from in 1..t {
                let mut changed = inputs.clone();
                let edit = |x: Tensor<4>| {
                    let later = x.clone().slice(s![.., .., from.., ..]).mul_scalar(0.9);
                    Tensor::cat(vec![x.slice(s![.., .., 0..from, ..]), later], 2)
                };
                changed.tokens.q = edit(changed.tokens.q);
                changed.tokens.k = edit(changed.tokens.k);
                changed.tokens.v = edit(changed.tokens.v);
                changed.tokens.gates = changed.tokens.gates.map(edit);
                let before = |y: Tensor<4>| numbers(y.slice(s![.., .., 0..from, ..]));
                // Shapes are equal in both runs, so earlier rows go through the same arithmetic.
                assert!(
                    before(whole.clone()) == before(outputs(&changed)),
                    "{} at {from}",
                    case.name
                );
            }
        });
    }
}

#[test]
fn inner_gradients_equal_finite_differences_of_the_inner_loss() {
    let mut compared = 0;
    for case in cases("form = 'chunk_start'") {
        // Retention and algorithm play no part in the gradient.
        if case.rule.retention.forgets() || case.rule.algorithm.slots() > 0 {
            continue;
        }
        let Inputs { tokens, initial } = Inputs::new(&case.rule, 1);
        let program = &*initial.program;
        let at = |initial: &Initial| {
            let weights = Weights {
                maps: &initial.maps,
                gains: &initial.gains,
            };
            let keys = case.rule.key_rows(tokens.k.clone());
            let y = case.rule.memory.forward(program, &weights, keys);
            (case.rule.loss(y, tokens.v.clone(), &tokens.gates)).map(numbers)
        };
        if at(&initial).is_none() {
            continue;
        }
        let weights = Weights {
            maps: &initial.maps,
            gains: &initial.gains,
        };
        let Tokens { k, v, gates, .. } = &tokens;
        let factors = case.rule.factors(program, &weights, k.clone(), v, gates);
        for (l, Factor { x, d }) in factors.into_iter().enumerate() {
            let gradient = numbers(x.transpose().matmul(d));
            let values = numbers(initial.maps[l].clone());
            let shape = initial.maps[l].dims();
            for i in 0..values.len() {
                let memory_of_entry = i / (shape[2] * shape[3]);
                let shifted = |by: f64| {
                    let mut values = values.clone();
                    values[i] += by;
                    let mut initial = initial.clone();
                    initial.maps[l] = crate::support::tensor(values, shape);
                    at(&initial).unwrap()[memory_of_entry]
                };
                let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                let gap = (slope - gradient[i]).abs();
                assert!(
                    gap < 1e-7,
                    "{}: map {l} entry {i} differs by {gap:e}",
                    case.name
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 100);
}

#[test]
fn a_zero_step_size_leaves_only_decay() {
    for_all(
        without_noise("form = 'chunk_start'\nchunk = 3\nload_cap = 0"),
        |case| {
            let mut inputs = Inputs::new(&case.rule, 6);
            let zero = inputs.tokens.gates.get(miras_core::STEP).zeros_like();
            inputs.tokens.gates = inputs.tokens.gates.with(miras_core::STEP, zero);
            let run = run_dual(&case.rule, &inputs, &[]);
            let log_decay = (case.rule.retention).log_decay(
                &inputs.tokens.gates,
                &inputs.tokens.gates.get(miras_core::STEP),
            );
            let kept = Side::on_state(case.rule.decay_channels(), log_decay.sum_dim(2)).exp();
            // Where lengths are kept nothing is left of a decay but what is added to them.
            let (kept, tolerance) = if case.rule.keeps_lengths() {
                (kept.ones_like(), 1e-4)
            } else {
                (kept, TOLERANCE)
            };
            for (l, map) in inputs.initial.maps.iter().enumerate() {
                let start = if case.rule.retention.is_anchored() {
                    map.zeros_like()
                } else {
                    case.rule.retention.initial_state(map.clone())
                };
                let expected = numbers(start * kept.clone());
                let state = run
                    .values
                    .iter()
                    .find(|(name, _)| *name == format!("state {l}"));
                assert!(
                    difference(&state.unwrap().1, &expected) < tolerance,
                    "{}",
                    case.name
                );
            }
        },
    );
}

#[test]
fn refused_combinations_say_why_and_what_to_choose() {
    for form in [
        "",
        "form = 'exact'",
        "form = 'chunk_start'",
        "form = 'chunk_start'\nread = 'frozen'",
        "form = 'exact'\npicard = 1",
    ] {
        let refusals = combinations(form).into_iter().filter_map(Result::err);
        let texts: Vec<_> = refusals.map(|refusal| refusal.to_string()).collect();
        assert!(!texts.is_empty(), "nothing is refused with `{form}`");
        for text in texts {
            assert!(text.contains("= help: "), "{text}");
        }
    }
}

#[test]
fn every_kind_is_named_once_and_documented() {
    for axis in miras_core::Axis::ALL {
        let mut kinds = Registry::builtin().kinds(axis);
        let count = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), count, "{axis:?}");
        for part in Registry::builtin().parts(axis) {
            for text in [part.summary, part.formula, part.reference] {
                assert!(!text.is_empty(), "{}", part.kind);
            }
            assert!(!part.variants.is_empty(), "{} is never tested", part.kind);
            assert!(
                is_citation(part.reference),
                "{} is from no paper: {}",
                part.kind,
                part.reference
            );
        }
    }
}

/// "Titans, arXiv 2501.00663, Eq. 12", or what says that there is no paper.
fn is_citation(reference: &str) -> bool {
    let named = reference.split_once(", arXiv ");
    let is_name = |name: &str| name.starts_with(char::is_uppercase) && !name.contains("not ");
    reference == "this project" || named.is_some_and(|(name, _)| is_name(name))
}

#[test]
fn the_paper_that_a_part_is_not_from_is_no_citation() {
    assert!(is_citation("Titans, arXiv 2501.00663, Eq. 12"));
    assert!(is_citation("this project"));
    for text in [
        "not in MIRAS, arXiv 2504.13173, which uses it for retention",
        "arXiv 2504.13173",
        "ours",
    ] {
        assert!(!is_citation(text), "{text}");
    }
}
