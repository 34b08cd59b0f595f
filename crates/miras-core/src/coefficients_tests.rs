use burn::tensor::{DType, TensorData};

use super::*;

/// `log r` of a chunk, and whether gates are near 0, near 1 or between.
fn chunks() -> Vec<(&'static str, Vec<f64>)> {
    let between = |t: usize| -0.1 - (t as f64 * 0.7).sin().abs();
    vec![
        ("one token", vec![-0.3]),
        ("two tokens", vec![-30.0, -1e-3]),
        ("between", (0..64).map(between).collect()),
        (
            "near 1",
            (0..64).map(|t| -1e-4 * between(t).abs()).collect(),
        ),
        (
            "near 0 now and then",
            (0..33)
                .map(|t| {
                    if t % 5 == 0 {
                        -30.0
                    } else {
                        -1e-3 * f64::from(t + 1)
                    }
                })
                .collect(),
        ),
        ("near 0", vec![-30.0; 16]),
    ]
}

fn placed(values: &[f64], shape: [usize; 4], dtype: DType) -> Tensor<4> {
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&device, dtype))
}

fn numbers(x: Tensor<4>) -> Vec<f64> {
    let data = x.into_data().convert::<f64>();
    data.try_into_vec().expect("converted to f64")
}

/// Two triangles of ones as factors of one product, of which the cumulative sum is the short way.
fn by_products(log_r: Tensor<4>) -> Tensor<4> {
    let c = log_r.dims()[2];
    let triangle = |k: i64| {
        let ones: Vec<f64> = (0..c * c)
            .map(|at| f64::from((at % c) as i64 <= (at / c) as i64 + k))
            .collect();
        placed(&ones, [1, 1, c, c], log_r.dtype())
    };
    let segments = (triangle(0) * log_r.clone().transpose()).matmul(triangle(-1));
    segments.exp() * triangle(0)
}

/// Value and gradient of a fixed functional of it.
fn with_gradient(matrix: fn(Tensor<4>) -> Tensor<4>, log_r: &[f64], dtype: DType) -> [Vec<f64>; 2] {
    let c = log_r.len();
    // Two memories, the second of which forgets half as fast.
    let both: Vec<f64> = (log_r.iter().copied())
        .chain(log_r.iter().map(|x| 0.5 * x))
        .collect();
    let log_r = placed(&both, [1, 2, c, 1], dtype).require_grad();
    let weights: Vec<f64> = (0..2 * c * c).map(|at| (at as f64 * 0.37).cos()).collect();
    let y = matrix(log_r.clone());
    assert_eq!(y.dims(), [1, 2, c, c]);
    let gradients = (y.clone() * placed(&weights, [1, 2, c, c], dtype))
        .sum()
        .backward();
    let gradient = log_r.grad(&gradients).expect("it plays a part");
    [numbers(y), numbers(gradient)]
}

#[test]
fn decays_and_their_gradients_are_those_of_a_product_of_triangles() {
    for (name, log_r) in chunks() {
        let truth = with_gradient(by_products, &log_r, DType::F64);
        for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
            let found = with_gradient(decay_matrix, &log_r, dtype);
            for (found, truth) in found.iter().zip(&truth) {
                let largest = truth.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                for (found, truth) in found.iter().zip(truth) {
                    let gap = (found - truth).abs();
                    assert!(
                        gap <= tolerance * largest,
                        "{name}, {dtype:?}: {found}, {truth}"
                    );
                }
            }
        }
    }
}

/// Every digit of a segment behind a gate near 0, which differences of cumulative sums would lose.
#[test]
fn segments_keep_their_digits_behind_a_gate_near_0() {
    for (name, log_r) in chunks() {
        let c = log_r.len();
        let [found, _] = with_gradient(decay_matrix, &log_r, DType::F32);
        for (t, j) in (0..c).flat_map(|t| (0..c).map(move |j| (t, j))) {
            let found = found[t * c + j];
            if j > t {
                assert_eq!(found.to_bits(), 0, "{name}, above the diagonal");
                continue;
            }
            let exponent: f64 = log_r[j + 1..=t].iter().sum();
            let truth = exponent.exp();
            // Rounding of the sum, and below the smallest normal number that of the result.
            let rounding = f64::from(f32::EPSILON) * (c as f64 * exponent.abs() + 4.0);
            let gap = (found - truth).abs();
            let least = f64::from(f32::MIN_POSITIVE);
            assert!(
                gap <= rounding * truth + least,
                "{name}, {t}, {j}: {found}, {truth}"
            );
        }
    }
}

#[test]
fn masks_are_true_above_their_diagonal() {
    for ([rows, columns], k) in [([4, 4], 0), ([4, 4], -1), ([3, 5], 2), ([1, 6], 5)] {
        let found = above([rows, columns], k, &Device::flex()).int();
        let found: Vec<i64> =
            (found.into_data().convert::<i64>().try_into_vec()).expect("integers");
        let expected: Vec<i64> = (0..rows * columns)
            .map(|at| i64::from((at % columns) as i64 > (at / columns) as i64 + k))
            .collect();
        assert_eq!(found, expected, "{rows} x {columns}, {k}");
    }
}
