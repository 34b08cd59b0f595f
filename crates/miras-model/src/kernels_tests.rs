//! What has kernels on the CPU in float32 against the same on tensors in float64.

use burn::{
    module::{Param, ParamId},
    nn::{RmsNorm, RmsNormConfig},
    tensor::{DType, Device, Int, Tensor, TensorData},
};
use miras_kernels::Gate;
use miras_random::Stream;

use crate::{
    ConvActivation, LanguageModel, Precision,
    attend::attend,
    conv::convolved,
    gate::gated,
    norm::{rms_norm, unit_rows},
    rope::Angles,
};

/// The result and the gradients at all that goes in, of `f` in float32 and in float64; the gradient
/// at the result is made of cosines.
fn compare<const D: usize>(
    name: &str,
    shapes: &[Vec<usize>],
    f: impl Fn(&[Tensor<4>]) -> Tensor<D>,
) {
    let mut found = [DType::F32, DType::F64].map(|dtype| {
        let device = Device::flex().autodiff();
        let inputs: Vec<Tensor<4>> = (shapes.iter().enumerate())
            .map(|(at, shape)| {
                let shape: [usize; 4] = shape.clone().try_into().unwrap();
                let mut stream = Stream::new(at as u64, name, &[]);
                let count = shape.iter().product::<usize>();
                let values: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
                Tensor::from_data(TensorData::new(values, shape), (&device, dtype)).require_grad()
            })
            .collect();
        let y = f(&inputs);
        let count = y.shape().num_elements();
        let of: Vec<f64> = (0..count).map(|at| (at as f64).cos()).collect();
        let of = Tensor::<D>::from_data(TensorData::new(of, y.dims()), (&device, dtype));
        let gradients = (y.clone() * of).sum().backward();
        let gradients = inputs
            .iter()
            .map(|x| x.grad(&gradients).unwrap().into_data());
        std::iter::once(y.into_data())
            .chain(gradients)
            .map(|data| data.iter::<f64>().collect::<Vec<f64>>())
            .collect::<Vec<_>>()
    });
    let [ours, right] = &mut found;
    for (at, (ours, right)) in ours.iter().zip(right).enumerate() {
        assert_eq!(ours.len(), right.len());
        let square = |x: &f64| x * x;
        let error: f64 = ours
            .iter()
            .zip(right.iter())
            .map(|(a, b)| square(&(a - b)))
            .sum();
        let size: f64 = right.iter().map(square).sum();
        // Some hundred terms of order 1, each rounded at 6e-8, and functions with errors of 4e-7; what
        // is 0 in float64, as the gradient at a lone query, is that much off.
        assert!(
            error <= 4e-12 * size + 1e-13 * right.len() as f64,
            "{name}, {at}: {} of {}",
            error.sqrt(),
            size.sqrt()
        );
    }
}

#[test]
fn gates() {
    for gate in [Gate::Silu, Gate::Sigmoid] {
        // Several pieces, the last of them not a whole vector.
        for shape in [[1, 1, 1, 3], [2, 5, 7, 501]] {
            compare("gate", &[shape.into(), shape.into()], |x| {
                gated(gate, x[0].clone() * 4.0, x[1].clone())
            });
        }
    }
}

#[test]
fn norms() {
    for width in [1, 5, 32, 300] {
        let shape = vec![2, 3, 40, width];
        compare("unit", std::slice::from_ref(&shape), |x| {
            unit_rows(x[0].clone())
        });
        compare("rms", &[shape, vec![1, 1, 1, width]], |x| {
            let mut norm: RmsNorm = RmsNormConfig::new(width).init(&x[0].device());
            let gain = x[1].clone().reshape([width]);
            norm.gamma = Param::initialized(ParamId::new(), gain);
            rms_norm(&norm, x[0].clone())
        });
    }
}

#[test]
fn attention() {
    // Less than a block, exactly one, several with a rest; heads with keys of their own and shared
    // ones; widths that fill no vector.
    // Behind earlier keys: so many that blocks of keys end with blocks of queries, and not.
    for (t, earlier, heads, groups, d) in [
        (1, 0, 2, 2, 4),
        (64, 0, 4, 2, 16),
        (150, 0, 3, 1, 10),
        (200, 0, 2, 2, 32),
        (64, 64, 2, 2, 8),
        (130, 70, 2, 1, 8),
        (40, 300, 2, 2, 4),
        (5, 90, 2, 2, 4),
    ] {
        let [q, k, v] = [(t, heads), (earlier + t, groups), (earlier + t, groups)]
            .map(|(tokens, heads)| vec![2, tokens, heads, d]);
        compare("attention", &[q, k, v], |x| {
            let kv = [x[1].clone(), x[2].clone()];
            attend(x[0].clone() * 2.0, kv, Precision::F32)
        });
    }
}

#[test]
fn rotations() {
    compare("rotation", &[vec![2, 90, 3, 10]], |x| {
        Angles::new(7..97, 10, 100.0).rotate(x[0].clone())
    });
}

#[test]
fn convolutions() {
    for activation in [ConvActivation::Silu, ConvActivation::None] {
        for (t, taps) in [(1, 1), (1, 4), (2, 4), (70, 3), (600, 4), (130, 1)] {
            let d = 37;
            let mut shapes = vec![vec![1, 3, t, d], vec![1, 1, taps, d]];
            if taps > 1 {
                shapes.push(vec![1, 3, taps - 1, d]);
            }
            compare("convolution", &shapes, |x| {
                let tail = x.get(2).map(|tail| tail.clone().squeeze_dim(0));
                let weights = x[1].clone().reshape([taps, d]);
                convolved(weights, x[0].clone().squeeze_dim(0), tail, activation)
            });
        }
    }
}

#[test]
fn losses() {
    for classes in [3, 300] {
        compare("loss", &[vec![1, 2, 70, classes]], |x| {
            let targets: Vec<i64> = (0..140).map(|at| at * at % classes as i64).collect();
            let data = TensorData::new(targets, [2, 70]);
            let targets = Tensor::<2, Int>::from_data(data, &x[0].device());
            LanguageModel::token_losses(x[0].clone().squeeze_dim::<3>(0) * 10.0, targets)
        });
    }
}
