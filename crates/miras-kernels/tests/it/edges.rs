//! What is no number, and what is exactly at a bound.

use miras_kernels::{
    Activation, Bias, Binary, Caps, Form, Formula, Inputs, Link, Node, Op, OutputGradients,
    Program, Read, Scan, Unary,
};

fn scan(program: Program, bias: Bias, load_cap: Option<f32>) -> Scan {
    Scan {
        program,
        bias,
        chunk: 2,
        keep_every: 1,
        anchored: false,
        momentum: false,
        link: Link::Identity,
        form: Form::ChunkStart {
            read: Read::Exact,
            caps: Caps {
                load: load_cap,
                ..Caps::default()
            },
        },
    }
}

/// `error`, and what `rest` makes of it.
fn formula(rest: &[Op]) -> Bias {
    let error = [Op::Output, Op::Value, Op::Binary(Binary::Sub, 0, 1)];
    Bias::Formula(Formula::new(&[&error, rest].concat()).unwrap())
}

/// A token that is no number leaves none in what it wrote, whatever the bias and the activation.
#[test]
fn what_is_no_number_does_not_become_one() {
    let biases = [
        Bias::Affine { slope: 1.0 },
        formula(&[Op::Unary(Unary::Tanh, 2)]),
        formula(&[
            Op::Unary(Unary::AtLeast(-1.0), 2),
            Op::Unary(Unary::AtMost(1.0), 3),
        ]),
        formula(&[Op::Binary(Binary::Min, 2, 0), Op::Binary(Binary::Max, 3, 1)]),
        formula(&[
            Op::Unary(Unary::Square, 2),
            Op::Unary(Unary::Shift(1e-6), 3),
            Op::Unary(Unary::Power(0.25), 4),
        ]),
        formula(&[Op::Softmax(2)]),
        formula(&[Op::Unary(Unary::Softplus, 2)]),
    ];
    for kind in [Activation::Gelu, Activation::Silu, Activation::ReluSquared] {
        let nodes = [
            Node::Linear { map: 0, x: 0 },
            Node::Activation { kind, x: 1 },
            Node::Linear { map: 1, x: 2 },
        ];
        let program = Program::new(2, &[[2, 3], [3, 2]], &nodes).unwrap();
        for bias in &biases {
            for load_cap in [None, Some(0.5)] {
                let scan = scan(program.clone(), bias.clone(), load_cap);
                for wrong in ["keys", "values", "weights"] {
                    let nan = |name: &str, n: usize| {
                        let mut x = vec![0.5; n];
                        if name == wrong {
                            x[1] = f32::NAN;
                        }
                        x
                    };
                    let (keys, values) = (nan("keys", 8), nan("values", 8));
                    let weights = nan("weights", 6);
                    let inputs = Inputs {
                        q: &[0.5; 8],
                        k: &keys,
                        v: &values,
                        log_decay: &[-0.1; 4],
                        step: &[0.2; 4],
                        weights: vec![&weights, &[0.5; 6]],
                        ..Inputs::default()
                    };
                    let (output, _) = scan.forward(&inputs, false);
                    let last = &output.y[6..];
                    assert!(
                        last.iter().any(|y| y.is_nan()),
                        "{wrong} under {bias:?}, {kind:?}, {load_cap:?}: {last:?}"
                    );
                }
            }
        }
    }
}

/// A load that is exactly the bound: the step as it is, with the slope of one beyond.
#[test]
fn a_load_at_the_bound_has_the_slope_of_one_beyond() {
    let program = Program::new(1, &[[1, 1]], &[Node::Linear { map: 0, x: 0 }]).unwrap();
    let scan = Scan {
        chunk: 1,
        ..scan(program, Bias::Affine { slope: 1.0 }, Some(0.5))
    };
    let inputs = Inputs {
        q: &[1.0],
        k: &[1.0],
        v: &[1.0],
        log_decay: &[0.0],
        step: &[0.5],
        weights: vec![&[0.0]],
        ..Inputs::default()
    };
    let (output, tape) = scan.forward(&inputs, true);
    assert_eq!(output.y, [0.5]);
    let of = OutputGradients {
        y: &[1.0],
        ..OutputGradients::default()
    };
    // y = θ (θ/κ)^−2.
    assert_eq!(scan.backward(&inputs, &tape, &of).step, [-1.0]);
}
