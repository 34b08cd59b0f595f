//! Single operations of the tensor library on a device, at the sizes that models have.
//!
//! The combinations of [`check`](crate::check) are small. What goes wrong on accelerators is often
//! large: the tiles of a product, its reduced precision, sums over long rows.

use burn::tensor::{DType, Device, Int, Tensor, activation, s};
use miras_core::above;

use crate::{
    difference,
    inputs::{placed, random},
    numbers,
};

type Function = fn(&[Tensor<4>]) -> Tensor<4>;

/// An operation, its inputs, and how far float32 may be from float64.
struct Operation {
    name: &'static str,
    shapes: &'static [[usize; 4]],
    /// The inputs are between these.
    range: (f64, f64),
    /// Relative to the largest value, of the result and of each gradient.
    tolerance: f64,
    function: Function,
}

const fn product(name: &'static str, shapes: &'static [[usize; 4]]) -> Operation {
    Operation {
        name,
        shapes,
        range: (-1.0, 1.0),
        // Products in TF32 or bfloat16 are off by 1e-3 and more.
        tolerance: 2e-5,
        function: |x| x[0].clone().matmul(x[1].clone()),
    }
}

const fn unary(
    name: &'static str,
    range: (f64, f64),
    tolerance: f64,
    function: Function,
) -> Operation {
    Operation {
        name,
        shapes: &[[2, 3, 65, 33]],
        range,
        tolerance,
        function,
    }
}

/// What a function of one number may be off: devices compute these by approximations, which their
/// standards allow more than rounding.
const FUNCTION: f64 = 1e-4;

/// What the inner loop and the layers are made of.
const OPERATIONS: &[Operation] = &[
    product("product 64 x 64 x 64", &[[2, 3, 64, 64], [2, 3, 64, 64]]),
    product("product 65 x 130 x 33", &[[2, 3, 65, 130], [2, 3, 130, 33]]),
    product("product 1 x 16 x 16", &[[1, 5, 1, 16], [1, 5, 16, 16]]),
    product(
        "product 128 x 512 x 257",
        &[[1, 1, 128, 512], [1, 1, 512, 257]],
    ),
    Operation {
        name: "product with a transposed factor",
        shapes: &[[2, 2, 64, 48], [2, 2, 64, 48]],
        range: (-1.0, 1.0),
        tolerance: 2e-5,
        function: |x| x[0].clone().matmul(x[1].clone().transpose()),
    },
    Operation {
        name: "sum and product of broadcast rows",
        shapes: &[[2, 3, 65, 33], [2, 3, 65, 1], [1, 1, 1, 33]],
        range: (-2.0, 2.0),
        tolerance: 1e-5,
        function: |x| x[0].clone() * x[1].clone() + x[2].clone(),
    },
    unary("exp", (-30.0, 3.0), FUNCTION, |x| x[0].clone().exp()),
    unary("log", (0.01, 10.0), FUNCTION, |x| x[0].clone().log()),
    unary("square root", (0.01, 10.0), 1e-5, |x| x[0].clone().sqrt()),
    unary("reciprocal", (0.1, 10.0), 1e-5, |x| x[0].clone().recip()),
    unary("power", (0.1, 3.0), FUNCTION, |x| {
        x[0].clone().powf_scalar(1.7)
    }),
    unary("tanh", (-4.0, 4.0), FUNCTION, |x| x[0].clone().tanh()),
    unary("erf", (-3.0, 3.0), FUNCTION, |x| x[0].clone().erf()),
    unary("sigmoid", (-9.0, 9.0), FUNCTION, |x| {
        activation::sigmoid(x[0].clone())
    }),
    unary("SiLU", (-9.0, 9.0), FUNCTION, |x| {
        activation::silu(x[0].clone())
    }),
    unary("softplus", (-9.0, 9.0), FUNCTION, |x| {
        activation::softplus(x[0].clone(), 1.0)
    }),
    unary("softmax", (-9.0, 9.0), FUNCTION, |x| {
        activation::softmax(x[0].clone(), 3)
    }),
    unary("log softmax", (-9.0, 9.0), FUNCTION, |x| {
        activation::log_softmax(x[0].clone(), 3)
    }),
    unary("sum along a chunk", (-1.0, 1.0), 1e-5, |x| {
        x[0].clone().sum_dim(2)
    }),
    unary("mean along a row", (-1.0, 1.0), 1e-5, |x| {
        x[0].clone().mean_dim(3)
    }),
    unary("running sum", (-1.0, 1.0), 1e-5, |x| x[0].clone().cumsum(2)),
    unary("clamp", (-2.0, 2.0), 1e-6, |x| {
        x[0].clone().clamp_min(-0.7).clamp_max(1.1)
    }),
    unary("choice by a mask", (-2.0, 2.0), 1e-6, |x| {
        let mask = x[0].clone().lower_elem(0.3);
        x[0].clone().mul_scalar(2.0).mask_where(mask, x[0].clone())
    }),
    unary("fill by a mask of positions", (-2.0, 2.0), 1e-6, |x| {
        let [_, _, rows, columns] = x[0].dims();
        let mask = above([rows, columns], 3, &x[0].device());
        x[0].clone().mask_fill(mask, 0.5)
    }),
    unary("blocks written into zeros", (-2.0, 2.0), 1e-6, |x| {
        let block = x[0].clone().slice(s![.., .., 20..50, 5..33]);
        x[0].zeros_like()
            .slice_assign(s![.., .., 3..33, ..28], block)
    }),
    unary(
        "slices put together in another order",
        (-2.0, 2.0),
        1e-6,
        |x| {
            let part = |from: usize, to: usize| x[0].clone().slice(s![.., .., from..to, ..]);
            Tensor::cat(vec![part(40, 65), part(0, 40), part(7, 9)], 2)
        },
    ),
    unary("rows of a table", (-2.0, 2.0), 1e-5, |x| {
        let [a, b, c, d] = x[0].dims();
        let table = x[0].clone().reshape([a * b * c, d]);
        // Some rows twice, so that their gradients add up.
        let rows: Vec<i32> = (0..200).map(|at| at * 37 % 150).collect();
        let rows = Tensor::<1, Int>::from_ints(rows.as_slice(), &table.device());
        table.select(0, rows).reshape([1, 1, 200, d])
    }),
    unary("heads side by side", (-2.0, 2.0), 1e-6, |x| {
        let [a, b, c, d] = x[0].dims();
        (x[0].clone().swap_dims(1, 2)).reshape([1, a, c, b * d])
    }),
];

/// An operation and how far it is off, relative to the largest value of its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What was computed.
    pub operation: &'static str,
    /// The result, or the gradient of an input.
    pub what: String,
    /// The largest difference from float64.
    pub gap: f64,
    /// The largest that is rounding.
    pub tolerance: f64,
}

/// Every operation in float32 on `device`, against float64 on the CPU: its result and its
/// gradients.
pub fn operations(device: &Device) -> Vec<Measured> {
    let device = device.clone().autodiff();
    (OPERATIONS.iter())
        .map(|operation| measure(operation, &device))
        .collect()
}

fn measure(operation: &Operation, device: &Device) -> Measured {
    let Operation {
        name,
        shapes,
        range: (low, high),
        tolerance,
        function,
    } = operation;
    let here = (device, DType::F32);
    let cpu = Device::flex().autodiff();
    // The same numbers on both sides: what float32 cannot hold is rounded before.
    let rounded: Vec<Tensor<4>> = (shapes.iter().enumerate())
        .map(|(at, shape)| random(&format!("{name} {at}"), *shape, *low, *high))
        .map(|x| placed(&x, (&cpu, DType::F32)))
        .collect();
    let truth = run(*function, &rounded, (&cpu, DType::F64));
    let found = run(*function, &rounded, here);
    let gaps = (found.iter().zip(&truth)).map(|((what, a), (_, b))| (what, difference(a, b)));
    let (what, gap) = gaps
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("an operation has a result");
    Measured {
        operation: name,
        what: what.clone(),
        gap,
        tolerance: *tolerance,
    }
}

/// The result and the gradients of a fixed random functional of it.
fn run(
    function: Function,
    inputs: &[Tensor<4>],
    place: (&Device, DType),
) -> Vec<(String, Vec<f64>)> {
    let leaves: Vec<Tensor<4>> = (inputs.iter())
        .map(|x| placed(x, place).require_grad())
        .collect();
    let y = function(&leaves);
    let weight = random("weight of an operation", y.dims(), -1.0, 1.0);
    let weight = placed(&placed(&weight, (place.0, DType::F32)), place);
    let gradients = (y.clone() * weight).sum().backward();
    let mut found = vec![("result".to_owned(), numbers(y))];
    for (at, leaf) in leaves.iter().enumerate() {
        let gradient = leaf.grad(&gradients).map(numbers);
        let what = format!("gradient of input {at}");
        found.push((what, gradient.unwrap_or_default()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds the factors to 11 bits, as tensor cores do with TF32.
    fn coarse(x: &[Tensor<4>]) -> Tensor<4> {
        let round = |x: &Tensor<4>| {
            if x.dtype() == DType::F64 {
                x.clone()
            } else {
                x.clone().mul_scalar(1024.0).round().div_scalar(1024.0)
            }
        };
        round(&x[0]).matmul(round(&x[1]))
    }

    #[test]
    fn a_product_in_reduced_precision_is_not_taken_for_rounding() {
        for shapes in [&OPERATIONS[0], &OPERATIONS[3]].map(|one| one.shapes) {
            let operation = Operation {
                function: coarse,
                ..product("coarse", shapes)
            };
            let found = measure(&operation, &Device::flex().autodiff());
            assert!(found.gap > 2.0 * found.tolerance, "{found:?}");
        }
    }

    #[test]
    fn every_operation_has_its_own_tolerance_on_the_cpu() {
        let found = operations(&Device::flex());
        assert_eq!(found.len(), OPERATIONS.len());
        for one in found {
            assert!(one.gap < one.tolerance, "{one:?}");
        }
    }
}
