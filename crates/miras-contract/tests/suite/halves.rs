//! Reading and writing on their own, against the joint pass.

use burn::tensor::{Tensor, s};
use miras_contract::for_all;
use miras_core::{STEP, Weights};
use miras_engine::{Read, Rule, State, Tokens, cost, dual, read, recurrence, write};

use crate::support::{FORMS, GATED, Inputs, all_ways, difference, few, numbers};

const TOLERANCE: f64 = 1e-9;

/// Chunks have three tokens: one that is open after the last token, and one that is full.
const LENGTHS: [usize; 2] = [8, 9];

/// Inputs without a graph: one that no backward pass ends is kept.
fn plain(rule: &Rule, length: usize) -> Inputs {
    Inputs::new(rule, length).map(Tensor::inner)
}

#[test]
fn a_read_is_that_of_the_recurrence_after_its_last_token() {
    for cases in all_ways() {
        for_all(cases, |case| {
            let rule = &case.rule;
            for length in LENGTHS {
                let Inputs { tokens, initial } = plain(rule, length);
                let start = State::new(rule, &initial);
                // An algorithm that acts at chunk ends is read as if the open chunk ended here.
                let open = length % rule.settings.chunk;
                let closed = if rule.acts_at_chunk_end() { open } else { 0 };
                let first = tokens.range(0, length - closed);
                let (_, mut state) = recurrence::forward(rule, &initial, &start, &first);
                if closed > 0 {
                    let mut last = rule.clone();
                    last.settings.chunk = closed;
                    let rest = tokens.range(length - closed, length);
                    (_, state) = recurrence::forward(&last, &initial, &state, &rest);
                }
                let weights = Weights {
                    maps: &recurrence::weights(rule, &initial, &state.maps),
                    gains: &initial.gains,
                };
                let truth = numbers(rule.memory.forward(
                    &initial.program,
                    &weights,
                    tokens.q.clone(),
                ));
                let state = dual::forward(rule, &initial, start, &tokens, false).state;
                let gap = difference(&numbers(read(rule, &initial, &state, tokens.q)), &truth);
                assert!(gap < TOLERANCE, "{} after {length}: {gap:e}", case.name);
            }
        });
    }
}

/// How far reads are from those of the initial memory, by the recurrence; and with steps of 0, which
/// change no read where decay leads back to the initial weights, and where nothing decays.
#[test]
fn the_change_of_reads_is_that_of_the_recurrence_and_none_without_steps() {
    let (mut still, mut moved, mut all) = (0, 0, 0);
    for way in FORMS.into_iter().chain(GATED) {
        for case in few(way) {
            let (rule, name) = (&case.rule, &case.name);
            let Inputs {
                mut tokens,
                initial,
            } = plain(rule, 8);
            let start = || State::new(rule, &initial);
            let weights = Weights {
                maps: &recurrence::weights(rule, &initial, &start().maps),
                gains: &initial.gains,
            };
            let q = tokens.q.clone();
            let unwritten = numbers(rule.memory.forward(&initial.program, &weights, q));
            for is_written in [true, false] {
                if !is_written {
                    let none = tokens.gates.get(STEP).zeros_like();
                    tokens.gates = tokens.gates.with(STEP, none);
                }
                let (y, _) = recurrence::forward(rule, &initial, &start(), &tokens);
                let width = y.dims()[3];
                let truth: Vec<f64> = (numbers(y).chunks(width))
                    .zip(unwritten.chunks(width))
                    .map(|(y, unwritten)| {
                        let norm =
                            |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
                        let change = norm(&mut y.iter().zip(unwritten).map(|(a, b)| a - b));
                        let norms = [y, unwritten].map(|x| norm(&mut x.iter().copied()));
                        change / norms.iter().sum::<f64>().max(1e-6)
                    })
                    .collect();
                let probe = dual::forward(rule, &initial, start(), &tokens, true).probe;
                let found = probe.unwrap().read_change;
                assert_eq!(found.len(), truth.len(), "{name}");
                for (found, truth) in found.iter().zip(&truth) {
                    let gap = (f64::from(*found) - truth).abs();
                    assert!(gap < 1e-5 * (1.0 + truth), "{name}: {found} {truth}");
                }
                let largest = found.iter().fold(0.0_f32, |all, one| all.max(*one));
                let is_still = rule.retention.is_anchored() || name.contains("| none");
                let stays = is_still && !name.contains("noise");
                if is_written {
                    // A gate by surprise may let nothing through.
                    assert!(largest > 1e-3 || name.contains("surprise"), "{name}");
                    all += 1;
                    moved += usize::from(largest > 1e-3);
                } else if stays {
                    // A norm that is kept is kept but for what is added to it.
                    assert!(largest < 1e-4, "{name}: {largest}");
                    still += 1;
                }
            }
        }
    }
    assert!(
        still > 0 && 10 * moved > 9 * all,
        "{still}, {moved} of {all}"
    );
}

/// What `write` leaves is what a joint pass leaves, in one piece (bit for bit) or in several. Names
/// and shapes of its tensors follow from the rule and the position, and make the state again.
#[test]
fn written_tokens_leave_the_state_of_a_joint_pass() {
    for cases in all_ways() {
        for_all(cases, |case| {
            let (rule, name) = (&case.rule, &case.name);
            for length in LENGTHS {
                let Inputs { tokens, initial } = plain(rule, length);
                let start = || State::new(rule, &initial);
                let joint = dual::forward(rule, &initial, start(), &tokens, false).state;
                let truth = joint.named();

                let Tokens { k, v, gates, .. } = &tokens;
                let whole = write(rule, &initial, start(), k.clone(), v.clone(), gates);
                assert_named(name, &whole, &truth, 0.0);

                let mut pieces = start();
                for (from, to) in [(0, 1), (1, 2), (2, 7), (7, length)] {
                    let part = |x: Tensor<4>| x.slice(s![.., .., from..to, ..]);
                    let (k, v) = (part(k.clone()), part(v.clone()));
                    pieces = write(rule, &initial, pieces, k, v, &gates.map(part));
                }
                assert_named(name, &pieces, &truth, TOLERANCE);

                let g = k.dims()[1];
                let mut layout = State::layout(rule, &initial.program, g, length);
                let found = truth.iter().map(|(name, x)| (name.clone(), x.dims()));
                let mut found: Vec<_> = found.collect();
                layout.sort();
                found.sort();
                assert_eq!(found, layout, "{name}");
                let numbers: usize = (layout.iter())
                    .map(|(_, shape)| shape.iter().product::<usize>())
                    .sum();
                let open = State::open_after(rule, length);
                let counted = cost::state(rule, &initial.program, open).total();
                assert_eq!(numbers, g * counted, "{name}");
                let again = State::from_named(rule, &initial.program, length, |wanted| {
                    let (_, tensor) = truth.iter().find(|(name, _)| name == wanted).unwrap();
                    tensor.clone()
                });
                assert_named(name, &again, &truth, 0.0);
                for state in [joint, whole, pieces, again] {
                    assert_eq!(state.tokens(), length, "{name}");
                    assert_eq!(state.position, length - open, "{name}");
                }
            }
        });
    }
}

fn assert_named(case: &str, found: &State, truth: &[(String, Tensor<4>)], tolerance: f64) {
    let found = found.named();
    assert_eq!(found.len(), truth.len(), "{case}");
    for ((name, found), (of_truth, truth)) in found.into_iter().zip(truth) {
        assert_eq!(name, *of_truth, "{case}");
        let gap = difference(&numbers(found), &numbers(truth.clone()));
        assert!(gap <= tolerance, "{case}: {name}: {gap:e}");
    }
}

/// Where a token reads what it wrote, a read after all writes is the last output of the joint pass, unless
/// noise was added behind it.
#[test]
fn a_read_after_writes_is_the_last_output_of_a_joint_pass() {
    for cases in all_ways() {
        let cases = cases.into_iter().filter(|case| {
            case.rule.settings.read() == Read::Exact && !case.rule.acts_at_chunk_end()
        });
        for_all(cases.collect(), |case| {
            let rule = &case.rule;
            let is_noisy = rule.noise_deviation() > 0.0;
            let lengths = LENGTHS.into_iter();
            for length in lengths.filter(|length| !is_noisy || length % rule.settings.chunk > 0) {
                let Inputs { tokens, initial } = plain(rule, length);
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
