#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use burn::tensor::{Device, Tensor, TensorData};

use super::*;

const D: usize = 3;

/// Numbers in (−1, 1) that look random.
fn noise(seed: usize, count: usize) -> Vec<f64> {
    (0..count)
        .map(|at| ((seed * 7919 + at * 104_729) as f64).sin())
        .collect()
}

fn tensor(values: &[f64], [rows, columns]: [usize; 2]) -> Tensor<4> {
    let data = TensorData::new(values.to_vec(), [1, 1, rows, columns]);
    Tensor::from_data(data, (&Device::flex(), burn::tensor::DType::F64))
}

fn numbers(x: Tensor<4>) -> Vec<f64> {
    x.into_data().try_into_vec().unwrap()
}

/// `∏ a_s` over the tokens between write `i` and the state asked for at `t`, as the definition says.
fn weight(log: &[f64], before: Option<Order>, t: usize, i: usize, k: usize) -> f64 {
    let (is_written, last) = match before {
        None => (i <= t, t),
        Some(Order::Before) => (i < t, t),
        Some(Order::After) => (i < t, t.saturating_sub(1)),
    };
    if !is_written {
        return 0.0;
    }
    (i + 1..=last).map(|s| log[s * D + k]).sum::<f64>().exp()
}

/// Decays of all sizes: near 1, near 0 and far below the smallest number.
fn decays(c: usize) -> Vec<f64> {
    let size = |x: f64| match (x.abs() * 10.0) as usize {
        0..=3 => -1e-3 * x.abs(),
        4..=7 => -x.abs(),
        _ => -30.0,
    };
    noise(5, c * D).into_iter().map(size).collect()
}

#[test]
fn overlaps_and_sums_are_those_of_the_definition() {
    for c in [1, 2, 3, 5, 8, 13] {
        let log = decays(c);
        let [z, x, u] = [1, 2, 3].map(|seed| noise(seed, c * D));
        let pairs = noise(4, c * c);
        for before in [None, Some(Order::After), Some(Order::Before)] {
            let all = |side| ChannelDecay {
                before,
                ..ChannelDecay::new(side, tensor(&log, [c, D]))
            };
            for first in 0..c {
                let rows = |values: &[f64], width: usize| {
                    tensor(&values[first * width..], [c - first, width])
                };
                let decay = all(Side::Key).starting_at(first);
                let overlap = numbers(decay.overlap(rows(&z, D), tensor(&x, [c, D])));
                let decay = all(Side::Value).starting_at(first);
                let sum = numbers(decay.sum(rows(&pairs, c), tensor(&u, [c, D])));
                for t in first..c {
                    for i in 0..c {
                        let expected: f64 = (0..D)
                            .map(|k| z[t * D + k] * x[i * D + k] * weight(&log, before, t, i, k))
                            .sum();
                        let found = overlap[(t - first) * c + i];
                        assert!((found - expected).abs() < 1e-12, "{c} {before:?} {t} {i}");
                    }
                    for k in 0..D {
                        let expected: f64 = (0..c)
                            .map(|i| {
                                pairs[t * c + i] * u[i * D + k] * weight(&log, before, t, i, k)
                            })
                            .sum();
                        let found = sum[(t - first) * D + k];
                        assert!((found - expected).abs() < 1e-12, "{c} {before:?} {t} {k}");
                    }
                }
            }
        }
    }
}

#[test]
fn writes_have_factors_of_their_own() {
    let c = 5;
    let by = noise(6, c);
    let (z, x) = (noise(1, c * D), noise(2, c * D));
    let plain = ChannelDecay::new(Side::Key, tensor(&decays(c), [c, D]));
    let weighted = plain.clone().weighted(&tensor(&by, [c, 1]));
    let overlap =
        |decay: ChannelDecay| numbers(decay.overlap(tensor(&z, [c, D]), tensor(&x, [c, D])));
    for (at, (plain, weighted)) in (overlap(plain).iter().zip(overlap(weighted))).enumerate() {
        assert!((plain * by[at % c] - weighted).abs() < 1e-12);
    }
}
