//! Reading and writing on their own, against the joint pass.

use burn::tensor::{Tensor, s};
use miras_core::Weights;
use miras_engine::{Read, State, Tokens, dual, read, recurrence, write};

use crate::contract::for_all;
use crate::support::{FORMS, Inputs, cases, difference, numbers};

const TOLERANCE: f64 = 1e-9;

/// Chunks have three tokens: one that is open after the last token, and one that is full.
const LENGTHS: [usize; 2] = [8, 9];

#[test]
fn a_read_is_that_of_the_recurrence_after_its_last_token() {
    for form in FORMS {
        for_all(cases(form), |case| {
            let rule = &case.rule;
            for length in LENGTHS {
                let Inputs { tokens, initial } = Inputs::new(rule, length);
                let start = State::new(rule, &initial);
                let (_, maps) = recurrence::forward(rule, &initial, &start, &tokens);
                let weights = Weights {
                    maps: &rule.weights(&maps, &initial),
                    gains: &initial.gains,
                };
                let truth = numbers(rule.memory.forward(&weights, tokens.q.clone()));
                let state = dual::forward(rule, &initial, start, &tokens, false).state;
                let gap = difference(&numbers(read(rule, &initial, &state, tokens.q)), &truth);
                assert!(gap < TOLERANCE, "{} after {length}: {gap:e}", case.name);
            }
        });
    }
}

/// What `write` leaves is what a joint pass leaves, in one piece (bit for bit) or in several.
#[test]
fn written_tokens_leave_the_state_of_a_joint_pass() {
    for form in FORMS {
        for_all(cases(form), |case| {
            let rule = &case.rule;
            for length in LENGTHS {
                let Inputs { tokens, initial } = Inputs::new(rule, length);
                let start = || State::new(rule, &initial);
                let joint = dual::forward(rule, &initial, start(), &tokens, false).state;
                let Tokens { k, v, gates, .. } = &tokens;
                let written = write(rule, &initial, start(), k.clone(), v.clone(), gates);
                let mut pieces = start();
                for (from, to) in [(0, 1), (1, 2), (2, 7), (7, length)] {
                    let part = |x: Tensor<4>| x.slice(s![.., .., from..to, ..]);
                    let (k, v) = (part(k.clone()), part(v.clone()));
                    pieces = write(rule, &initial, pieces, k, v, &gates.map(part));
                }
                for ((name, truth), (of_whole, whole), (of_pieces, pieces)) in
                    zip(joint.named(), written.named(), pieces.named())
                {
                    assert_eq!((&of_whole, &of_pieces), (&name, &name), "{}", case.name);
                    let truth = numbers(truth);
                    assert!(numbers(whole) == truth, "{}: {name}", case.name);
                    let gap = difference(&numbers(pieces), &truth);
                    assert!(gap < TOLERANCE, "{}: {name}: {gap:e}", case.name);
                }
            }
        });
    }
}

fn zip<T>(a: Vec<T>, b: Vec<T>, c: Vec<T>) -> impl Iterator<Item = (T, T, T)> {
    assert_eq!((a.len(), a.len()), (b.len(), c.len()));
    (a.into_iter().zip(b).zip(c)).map(|((a, b), c)| (a, b, c))
}

/// Where a token reads what it wrote, a read after all writes is the last output of the joint pass.
#[test]
fn a_read_after_writes_is_the_last_output_of_a_joint_pass() {
    for form in FORMS {
        let cases = cases(form).into_iter().filter(|case| {
            case.rule.settings.read == Read::Exact && !case.rule.algorithm.acts_at_chunk_end()
        });
        for_all(cases.collect(), |case| {
            let rule = &case.rule;
            for length in LENGTHS {
                let Inputs { tokens, initial } = Inputs::new(rule, length);
                let start = || State::new(rule, &initial);
                let y = dual::forward(rule, &initial, start(), &tokens, false).y;
                let last = |x: Tensor<4>| x.slice(s![.., .., length - 1.., ..]);
                let Tokens { q, k, v, gates } = tokens;
                let state = write(rule, &initial, start(), k, v, &gates);
                let found = numbers(read(rule, &initial, &state, last(q)));
                let gap = difference(&found, &numbers(last(y)));
                assert!(gap < TOLERANCE, "{} after {length}: {gap:e}", case.name);
            }
        });
    }
}

/// Names and shapes of a state follow from its rule and its position, and it can be put together
/// from its tensors.
#[test]
fn states_have_the_tensors_of_their_layout() {
    for form in FORMS {
        for_all(cases(form), |case| {
            let rule = &case.rule;
            for length in LENGTHS {
                let Inputs { tokens, initial } = Inputs::new(rule, length);
                let [_, g, _, d] = tokens.k.dims();
                let state = State::new(rule, &initial);
                let state = dual::forward(rule, &initial, state, &tokens, false).state;
                let named = state.named();
                let mut layout = State::layout(rule, d, g, length);
                layout.sort();
                let mut found: Vec<_> = (named.iter())
                    .map(|(name, tensor)| (name.clone(), tensor.dims()))
                    .collect();
                found.sort();
                assert_eq!(found, layout, "{}", case.name);

                let open = state.open.is_some();
                let again = State::from_named(rule, d, open, |wanted| {
                    let (_, tensor) = named.iter().find(|(name, _)| name == wanted).unwrap();
                    tensor.clone()
                });
                for ((name, tensor), (of_again, again)) in named.iter().zip(again.named()) {
                    assert_eq!(*name, of_again, "{}", case.name);
                    assert!(numbers(again) == numbers(tensor.clone()), "{name}");
                }
            }
        });
    }
}
