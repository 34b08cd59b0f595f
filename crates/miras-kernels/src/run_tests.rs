use super::*;
use crate::{
    Activation, Bias, Binary, Caps, Form, Link, MapFormula, Node, Op, Order, Over, Program, Read,
    Unary,
};

const D: usize = 20;
const TOKENS: usize = 40;

fn numbers(n: usize, seed: f32, size: f32) -> Vec<f32> {
    (0..n)
        .map(|at| (at as f32 * 0.731 + seed).sin() * size)
        .collect()
}

/// What an instruction set gives: outputs and all gradients of one memory.
fn all<S: Simd>(simd: S, scan: &Scan) -> Vec<f32> {
    let [q, k, v] = [0.1, 0.2, 0.3].map(|seed| numbers(TOKENS * D, seed, 0.3));
    let maps: Vec<_> = (scan.program.maps.iter())
        .map(|map| numbers(map.d_in * map.d_out, 0.4, 0.3))
        .collect();
    let gain = numbers(D, 0.5, 0.3);
    let inputs = Inputs {
        q: &q,
        k: &k,
        v: &v,
        log_decay: &[-0.05; TOKENS],
        step: &[0.2; TOKENS],
        log_momentum: &[-0.7; TOKENS],
        weights: maps.iter().map(|map| &map[..]).collect(),
        slots: maps.iter().map(|map| &map[..]).collect(),
        gains: scan.program.gains.iter().map(|_| &gain[..]).collect(),
        ..Inputs::default()
    };
    let of = OutputGradients {
        y: &v,
        ..OutputGradients::default()
    };
    let mut chunk = Chunk::new(scan);
    let mut output = Output::of(&inputs, D);
    let kept = chunk.scan(simd, &inputs, true, output.memories(1).remove(0));
    let mut gradients = Gradients::of(&inputs);
    let out = gradients.memories(1).remove(0);
    Adjoint::new(scan).scan(simd, &inputs, &kept, &of, &mut chunk, out);
    let Gradients {
        q,
        k,
        v,
        log_decay,
        step,
        log_momentum,
        weights,
        slots,
        gains,
        ..
    } = gradients;
    let maps = [weights, slots, gains].concat().concat();
    [output.y, q, k, v, log_decay, step, log_momentum, maps].concat()
}

fn assert_near(ours: &[f32], theirs: &[f32]) {
    let square = |x: f32| f64::from(x).powi(2);
    let error: f64 = ours.iter().zip(theirs).map(|(a, b)| square(a - b)).sum();
    let size: f64 = theirs.iter().map(|x| square(*x)).sum();
    assert!(error < 1e-10 * size, "off by {error:e} of {size:e}");
}

#[test]
fn vectors_of_every_width_give_the_same() {
    let linear = |map, x| Node::Linear { map, x };
    let kind = Activation::Gelu;
    let nodes = [
        linear(0, 0),
        Node::Activation { kind, x: 1 },
        linear(1, 2),
        Node::LayerNorm { gain: 0, x: 3 },
    ];
    let mlp = Program::new(D, &[[D, 36], [36, D]], &nodes).unwrap();
    let matrix = Program::new(D, &[[D, D]], &[linear(0, 0)]).unwrap();
    let with = |read| Form::ChunkStart {
        read,
        caps: Caps {
            load: Some(0.2),
            gradient: Some(0.5),
            state: Some(2.0),
        },
    };
    let rows = [
        Op::Argument,
        Op::Softmax(0),
        Op::Unary(Unary::Power(1.5), 1),
        Op::Mean(2, Over::All),
        Op::Unary(Unary::Atan, 0),
        Op::Binary(Binary::Add, 3, 4),
    ];
    let number = [
        Op::Argument,
        Op::Unary(Unary::Square, 0),
        Op::Sum(1, Over::All),
        Op::Unary(Unary::Power(-0.5), 2),
    ];
    let [rows, number] = [&rows[..], &number].map(|ops| MapFormula::new(ops).unwrap());
    let order = Order::Before;
    for (program, link, form) in [
        (mlp.clone(), Link::Identity, with(Read::Exact)),
        (mlp.clone(), Link::Scale(number), with(Read::Frozen)),
        (mlp, Link::General(rows), with(Read::Stale)),
        (matrix, Link::Identity, Form::Exact { order }),
    ] {
        let scan = Scan {
            program,
            bias: Bias::Affine { slope: 1.0 },
            chunk: 20,
            keep_every: 2,
            link,
            anchored: false,
            momentum: true,
            form,
        };
        let scalar = all(pulp::Scalar, &scan);
        assert!(scalar.iter().all(|x| x.is_finite()));
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = pulp::x86::V3::try_new() {
                assert_near(&all(simd, &scan), &scalar);
            }
            if let Some(simd) = pulp::x86::V4::try_new() {
                assert_near(&all(simd, &scan), &scalar);
            }
        }
        assert_near(&all(pulp::Scalar256b, &scan), &scalar);
    }
}
