//! The scan behind links that are not the identity.

use miras_kernels::{
    Activation, Bias, Binary, Caps, Form, Inputs, Link, MapFormula, Op, Over, Read, Scan, Unary,
};

use crate::{
    case::{Case, Parts, memory},
    reference,
};

/// Both readings of a link.
struct Both<'a> {
    /// The size of states, relative to that of weights.
    size: f64,
    ours: Link,
    theirs: reference::Link<'a>,
}

/// Checks a link anchored and not, in chunks that fill no vector.
fn check(name: &str, read: Read, parts: Parts, link: &Both<'_>) {
    for (anchored, momentum) in [(false, true), (true, false)] {
        let (program, nodes) = memory(parts, Activation::Gelu);
        let scan = Scan {
            program,
            bias: Bias::Affine { slope: 1.0 },
            chunk: 12,
            keep_every: 2,
            link: link.ours.clone(),
            anchored,
            momentum,
            form: Form::ChunkStart {
                read,
                caps: Caps {
                    load: Some(0.5),
                    gradient: Some(4.0),
                    state: Some(2.0 * link.size as f32),
                },
            },
        };
        let mut case = Case::new(scan, nodes, parts, 36, 0.2);
        let numbers = &mut case.numbers;
        for states in [
            &mut numbers.weights,
            &mut numbers.slots,
            &mut numbers.anchors,
        ] {
            for x in states.iter_mut().flatten() {
                *x = f64::from((*x * link.size) as f32);
            }
        }
        let name = format!("{name}, {read:?}, anchored {anchored}");
        let gradient =
            |y: &[f64], v: &[f64], _: &[f64]| y.iter().zip(v).map(|(y, v)| y - v).collect();
        let outcome = case.check_linked(&name, &gradient, link.theirs);
        assert!(outcome.capped_states > 0, "{name}: no state was capped");
    }
}

/// Two maps, of which one has more rows than columns.
fn parts() -> Parts {
    Parts {
        residual: true,
        norm: true,
        ..Parts::mlp(2)
    }
}

fn formula(ops: &[Op]) -> MapFormula {
    MapFormula::new(ops).unwrap()
}

fn mean(x: impl ExactSizeIterator<Item = f64>) -> f64 {
    let len = x.len() as f64;
    x.sum::<f64>() / len
}

#[test]
fn a_norm_as_a_scale() {
    for (q, read) in [
        (4.0f32, Read::Frozen),
        (4.0, Read::Stale),
        (3.0, Read::Frozen),
    ] {
        let ours = Link::Scale(formula(&[
            Op::Argument,
            Op::Unary(Unary::Square, 0),
            Op::Unary(Unary::Power(q / 2.0), 1),
            Op::Sum(2, Over::All),
            Op::Unary(Unary::Shift(1e-30), 3),
            Op::Unary(Unary::Power(1.0 / q), 4),
            Op::Unary(Unary::AtLeast(0.1), 5),
            Op::Unary(Unary::Power(2.0 - q), 6),
        ]));
        let q = f64::from(q);
        let scale = |a: &[f64]| {
            let sum: f64 = a.iter().map(|a| a.abs().powf(q)).sum();
            sum.powf(1.0 / q).max(0.1).powf(2.0 - q)
        };
        let theirs = reference::Link::Scale(&scale);
        check(
            &format!("norm {q}"),
            read,
            parts(),
            &Both {
                size: 1.0,
                ours,
                theirs,
            },
        );
    }
}

#[test]
fn a_scale_that_looks_at_rows() {
    let ours = Link::Scale(formula(&[
        Op::Argument,
        Op::Mean(0, Over::Row),
        Op::Unary(Unary::Square, 1),
        Op::Mean(2, Over::All),
        Op::Sum(3, Over::All),
        Op::Sum(2, Over::Row),
        Op::Sum(5, Over::All),
        Op::Binary(Binary::Add, 4, 6),
        Op::Unary(Unary::Shift(1.0), 7),
        Op::Unary(Unary::Recip, 8),
    ]));
    // Rows of the one map have 20 numbers.
    let scale = |a: &[f64]| {
        let squares: Vec<f64> = (a.chunks_exact(20))
            .map(|row| mean(row.iter().copied()).powi(2))
            .collect();
        1.0 / (1.0 + mean(squares.iter().copied()) + squares.iter().sum::<f64>())
    };
    let theirs = reference::Link::Scale(&scale);
    check(
        "rows",
        Read::Frozen,
        Parts::mlp(1),
        &Both {
            size: 1.0,
            ours,
            theirs,
        },
    );
}

#[test]
fn the_gradient_of_a_norm() {
    let p = 4.0f32 / 3.0;
    let ours = Link::General(formula(&[
        Op::Argument,
        Op::Unary(Unary::Square, 0),
        Op::Mean(1, Over::All),
        Op::Unary(Unary::Shift(1e-12), 2),
        Op::Unary(Unary::Sqrt, 3),
        Op::Binary(Binary::Div, 0, 4),
        Op::Unary(Unary::Square, 5),
        Op::Unary(Unary::Shift(0.01), 6),
        Op::Unary(Unary::Power(p / 2.0), 7),
        Op::Sum(8, Over::All),
        Op::Unary(Unary::Power((p - 2.0) / p), 9),
        Op::Unary(Unary::Power((p - 2.0) / 2.0), 7),
        Op::Binary(Binary::Mul, 5, 11),
        Op::Binary(Binary::Div, 4, 10),
        Op::Binary(Binary::Mul, 12, 13),
        Op::Unary(Unary::Scale(0.03), 14),
    ]));
    let p = f64::from(p);
    let map = |a: &[f64], _: usize| {
        let size = (mean(a.iter().map(|a| a * a)) + 1e-12).sqrt();
        let squares: Vec<f64> = a
            .iter()
            .map(|a| (a / size).powi(2) + f64::from(0.01f32))
            .collect();
        let sum: f64 = squares.iter().map(|x| x.powf(p / 2.0)).sum();
        let by = f64::from(0.03f32) * size / sum.powf((p - 2.0) / p);
        (a.iter().zip(squares))
            .map(|(a, square)| a / size * square.powf((p - 2.0) / 2.0) * by)
            .collect()
    };
    let theirs = reference::Link::General(&map);
    check(
        "p-norm",
        Read::Stale,
        parts(),
        &Both {
            size: 1.0,
            ours,
            theirs,
        },
    );
}

fn softmax(x: &[f64], sign: f64) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| (sign * x).exp()).sum();
    x.iter().map(|x| (sign * x).exp() / sum).collect()
}

#[test]
fn rows_on_a_simplex() {
    let unsigned = [Op::Argument, Op::Softmax(0), Op::TimesRowLength(1, 0.5)];
    let by_logarithm = [
        Op::Argument,
        Op::LogSoftmax(0),
        Op::Unary(Unary::Exp, 1),
        Op::TimesRowLength(2, 0.5),
    ];
    let both_signs = [
        Op::Argument,
        Op::Softmax(0),
        Op::Unary(Unary::Scale(-1.0), 0),
        Op::Softmax(2),
        Op::Binary(Binary::Sub, 1, 3),
        Op::TimesRowLength(4, 0.5),
    ];
    let wide = Parts {
        d: 132,
        ..Parts::mlp(1)
    };
    for (name, ops, signed) in [
        ("softmax", &unsigned[..], false),
        ("log softmax", &by_logarithm, false),
        ("two softmaxes", &both_signs, true),
    ] {
        let other = f64::from(u8::from(signed));
        let map = |a: &[f64], d_out: usize| {
            let row = |row: &[f64]| -> Vec<f64> {
                let [up, down] = [1.0, -1.0].map(|sign| softmax(row, sign));
                (up.iter().zip(down))
                    .map(|(up, down)| (up - other * down) * (d_out as f64).sqrt())
                    .collect()
            };
            a.chunks_exact(d_out).flat_map(row).collect()
        };
        let both = Both {
            size: 4.0,
            ours: Link::General(formula(ops)),
            theirs: reference::Link::General(&map),
        };
        // Unsigned weights have outputs of one sign, of which a norm would leave little.
        let deep = if signed { parts() } else { Parts::mlp(2) };
        for parts in [deep, Parts::mlp(1), wide] {
            check(name, Read::Stale, parts, &both);
        }
    }
}

#[test]
fn thresholds() {
    let hard = [
        Op::Argument,
        Op::Unary(Unary::AtLeast(-0.13), 0),
        Op::Unary(Unary::AtMost(0.13), 1),
        Op::Binary(Binary::Sub, 0, 2),
    ];
    let smooth = [
        Op::Argument,
        Op::Unary(Unary::Scale(10.0), 0),
        Op::Unary(Unary::Atan, 1),
        Op::Unary(Unary::Scale(std::f32::consts::FRAC_2_PI), 2),
        Op::Unary(Unary::Abs, 0),
        Op::Binary(Binary::Mul, 3, 4),
    ];
    let by_sign = [
        Op::Argument,
        Op::Unary(Unary::Abs, 0),
        Op::Unary(Unary::Sign, 0),
        Op::Unary(Unary::Shift(-0.13), 1),
        Op::Unary(Unary::Scale(0.0), 1),
        Op::Select {
            a: 3,
            b: 4,
            yes: 4,
            no: 3,
        },
        Op::Binary(Binary::Mul, 2, 5),
    ];
    let gamma = f64::from(0.13f32);
    let soft = |a: &[f64], _: usize| -> Vec<f64> {
        a.iter().map(|a| a - a.clamp(-gamma, gamma)).collect()
    };
    let turned = |a: &[f64], _: usize| -> Vec<f64> {
        (a.iter())
            .map(|a| a.abs() * (10.0 * a).atan() * std::f64::consts::FRAC_2_PI)
            .collect()
    };
    for (name, ops, theirs) in [
        ("hard", &hard[..], reference::Link::General(&soft)),
        ("by sign", &by_sign, reference::Link::General(&soft)),
        ("smooth", &smooth, reference::Link::General(&turned)),
    ] {
        let ours = Link::General(formula(ops));
        check(
            name,
            Read::Stale,
            parts(),
            &Both {
                size: 1.0,
                ours,
                theirs,
            },
        );
    }
}

/// A scan of a matrix behind a link, over one token of 0.
fn run(link: Link, read: Read) {
    let parts = Parts::mlp(1);
    let (program, _) = memory(parts, Activation::Gelu);
    let scan = Scan {
        program,
        bias: Bias::Affine { slope: 1.0 },
        chunk: 1,
        keep_every: 1,
        link,
        anchored: false,
        momentum: false,
        form: Form::ChunkStart {
            read,
            caps: Caps::default(),
        },
    };
    let inputs = Inputs {
        q: &[0.0; 24],
        k: &[0.0; 24],
        v: &[0.0; 20],
        log_decay: &[0.0],
        step: &[0.0],
        weights: vec![&[0.0; 480]],
        ..Inputs::default()
    };
    scan.forward(&inputs, false);
}

#[test]
#[should_panic(expected = "reads are exact behind the identity link alone")]
fn an_exact_read_behind_another_link_is_refused() {
    let ops = [Op::Argument, Op::Softmax(0)];
    run(Link::General(formula(&ops)), Read::Exact);
}

#[test]
#[should_panic(expected = "reads are frozen behind a scale alone")]
fn a_frozen_read_without_a_scale_is_refused() {
    run(Link::Identity, Read::Frozen);
}

#[test]
#[should_panic(expected = "a scale is one number, any other link a map")]
fn a_map_is_no_scale() {
    run(Link::Scale(formula(&[Op::Argument])), Read::Frozen);
}
