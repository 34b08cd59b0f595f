//! The scan under biases that are not affine.

use miras_kernels::{
    Activation, Bias, Binary, Caps, Form, Formula, Link, MapFormula, Op, Over, Read, Scan, Unary,
};

use crate::{
    case::{Case, Parts, memory},
    reference::Gradient,
};

/// Checks a bias under a memory of depth 2, in chunks that fill no vector.
fn check(name: &str, ops: &[Op], gradient: Gradient<'_>) {
    let parts = Parts::mlp(2);
    let (program, nodes) = memory(parts, Activation::Gelu);
    let scan = Scan {
        program,
        bias: Bias::Formula(Formula::new(ops).unwrap()),
        chunk: 12,
        keep_every: 2,
        link: Link::Identity,
        anchored: false,
        momentum: true,
        form: Form::ChunkStart {
            read: Read::Exact,
            caps: Caps::default(),
        },
    };
    Case::new(scan, nodes, parts, 36, 0.2).check(name, gradient);
}

/// `y`, `v` and `e = y − v`.
const ERROR: [Op; 3] = [Op::Output, Op::Value, Op::Binary(Binary::Sub, 0, 1)];

fn with_error(more: &[Op]) -> Vec<Op> {
    [&ERROR, more].concat()
}

fn error(y: &[f64], v: &[f64]) -> Vec<f64> {
    y.iter().zip(v).map(|(y, v)| y - v).collect()
}

fn norm(e: &[f64], guard: f64) -> f64 {
    (e.iter().map(|e| e * e).sum::<f64>() + guard).sqrt()
}

#[test]
fn huber_of_the_norm() {
    let ops = with_error(&[
        Op::Unary(Unary::Square, 2),
        Op::Sum(3, Over::Row),
        Op::Unary(Unary::Shift(1e-12), 4),
        Op::Unary(Unary::Sqrt, 5),
        Op::Gate(0),
        Op::Unary(Unary::Scale(3.0), 7),
        Op::Binary(Binary::Div, 8, 6),
        Op::Unary(Unary::AtMost(1.0), 9),
        Op::Binary(Binary::Mul, 2, 10),
    ]);
    check("huber norm", &ops, &|y, v, gates| {
        let e = error(y, v);
        let by = (3.0 * gates[0] / norm(&e, 1e-12)).min(1.0);
        e.iter().map(|e| e * by).collect()
    });
}

#[test]
fn huber_of_each_coordinate() {
    let ops = with_error(&[
        Op::Gate(0),
        Op::Unary(Unary::Scale(-1.0), 3),
        Op::Binary(Binary::Min, 2, 3),
        Op::Binary(Binary::Max, 5, 4),
    ]);
    check("huber coordinate", &ops, &|y, v, gates| {
        let e = error(y, v);
        e.iter().map(|e| e.clamp(-gates[0], gates[0])).collect()
    });
}

#[test]
fn huber_mixed() {
    let ops = with_error(&[
        Op::Unary(Unary::Square, 2),
        Op::Sum(3, Over::Row),
        Op::Unary(Unary::Shift(1e-12), 4),
        Op::Unary(Unary::Sqrt, 5),
        Op::Gate(0),
        Op::Unary(Unary::Scale(3.0), 7),
        Op::Unary(Unary::Scale(2.0), 2),
        Op::Unary(Unary::Tanh, 9),
        Op::Binary(Binary::Mul, 8, 10),
        Op::Select {
            a: 6,
            b: 8,
            yes: 2,
            no: 11,
        },
    ]);
    check("huber mix", &ops, &|y, v, gates| {
        let e = error(y, v);
        let delta = 3.0 * gates[0];
        let inside = norm(&e, 1e-12) <= delta;
        (e.iter())
            .map(|e| if inside { *e } else { delta * (2.0 * e).tanh() })
            .collect()
    });
}

#[test]
fn powers_of_the_error() {
    for p in [1.5f32, 3.0, 4.0] {
        let ops = with_error(&[
            Op::Unary(Unary::Square, 2),
            Op::Unary(Unary::Shift(1e-3), 3),
            Op::Unary(Unary::Power(0.5 * p - 1.0), 4),
            Op::Unary(Unary::Scale(p), 2),
            Op::Binary(Binary::Mul, 5, 6),
        ]);
        let p = f64::from(p);
        let epsilon = f64::from(1e-3f32);
        check(&format!("lp {p}"), &ops, &|y, v, _| {
            let e = error(y, v);
            (e.iter())
                .map(|e| p * e * (e * e + epsilon).powf(0.5 * p - 1.0))
                .collect()
        });
    }
}

#[test]
fn robust() {
    let ops = with_error(&[
        Op::Unary(Unary::Square, 2),
        Op::Sum(3, Over::Row),
        Op::Unary(Unary::Shift(1e-6), 4),
        Op::Unary(Unary::Sqrt, 5),
        Op::Unary(Unary::Recip, 6),
        Op::Unary(Unary::Scale(0.3), 7),
        Op::Unary(Unary::Shift(1.0), 8),
        Op::Binary(Binary::Mul, 2, 9),
    ]);
    check("robust", &ops, &|y, v, _| {
        let e = error(y, v);
        let by = 1.0 + f64::from(0.3f32) / norm(&e, 1e-6);
        e.iter().map(|e| e * by).collect()
    });
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / sum).collect()
}

#[test]
fn divergence() {
    let both = [
        Op::Output,
        Op::Value,
        Op::Softmax(0),
        Op::Softmax(1),
        Op::Binary(Binary::Sub, 2, 3),
    ];
    let by_logarithm = [
        Op::Output,
        Op::Value,
        Op::LogSoftmax(0),
        Op::LogSoftmax(1),
        Op::Unary(Unary::Exp, 2),
        Op::Unary(Unary::Exp, 3),
        Op::Binary(Binary::Sub, 4, 5),
    ];
    for ops in [&both[..], &by_logarithm] {
        check("kl", ops, &|y, v, _| error(&softmax(y), &softmax(v)));
    }
}

/// Operations that no bias above has.
#[test]
fn the_others() {
    let ops = with_error(&[
        Op::Unary(Unary::Abs, 2),
        Op::Unary(Unary::Softplus, 2),
        Op::Binary(Binary::Add, 3, 4),
        Op::Unary(Unary::AtLeast(0.9), 5),
        Op::Gate(1),
        Op::Gate(0),
        Op::Binary(Binary::Div, 6, 7),
        Op::Binary(Binary::Mul, 9, 8),
        Op::Binary(Binary::Mul, 10, 2),
    ]);
    check("others", &ops, &|y, v, gates| {
        let e = error(y, v);
        (e.iter())
            .map(|e| {
                let sum = e.abs() + e.exp().ln_1p();
                sum.max(f64::from(0.9f32)) / gates[1] * gates[0] * e
            })
            .collect()
    });
}

#[test]
fn what_is_no_formula_is_refused() {
    for (ops, message) in [
        (
            &[Op::Unary(Unary::Tanh, 0)][..],
            "operation 0 needs value 0 before it is made",
        ),
        (
            &[Op::Gate(0)],
            "the last operation has no number for each feature",
        ),
        (&[], "the last operation has no number for each feature"),
        (&[Op::Argument], "operation 0 is one of a map"),
        (
            &[Op::Output, Op::Sum(0, Over::All)],
            "operation 1 is one of a map",
        ),
    ] {
        assert_eq!(Formula::new(ops).unwrap_err().to_string(), message);
    }
    let neither = "the last operation gives neither one number nor a map";
    for (ops, message) in [
        (
            &[Op::Argument, Op::Value][..],
            "operation 1 is one of a bias",
        ),
        (&[Op::Argument, Op::Sum(0, Over::Row)], neither),
        (&[], neither),
    ] {
        assert_eq!(MapFormula::new(ops).unwrap_err().to_string(), message);
    }
}
