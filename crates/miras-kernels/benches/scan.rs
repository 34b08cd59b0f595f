//! Tokens a second of the inner loop on one thread: `cargo bench -p miras-kernels --bench scan`.
//!
//! Four memories of width 64, expansion 4, chunks of 64, 1,024 tokens. An item is a token of all
//! four.

use std::fmt;

use divan::{Bencher, counter::ItemsCount};
use miras_kernels::{
    Activation, Bias, Binary, Caps, Form, Formula, Inputs, Link, MapFormula, Node, Op, Order,
    OutputGradients, Over, Program, Read, Scan, Unary,
};
use rayon::ThreadPoolBuilder;

const MEMORIES: usize = 4;
const D: usize = 64;
const EXPANSION: usize = 4;
const TOKENS: usize = 1024;

fn main() {
    let threads = ThreadPoolBuilder::new().num_threads(1).build();
    threads.expect("a thread").install(divan::main);
}

/// A memory that is measured.
struct Case {
    name: String,
    scan: Scan,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn cases() -> Vec<Case> {
    let case = |name: &str, scan| Case {
        name: name.to_owned(),
        scan,
    };
    let capped = |read, gradient| Form::ChunkStart {
        read,
        caps: Caps {
            load: Some(0.5),
            gradient,
            ..Caps::default()
        },
    };
    let exact_reads = capped(Read::Exact, None);
    let mut cases = Vec::new();
    for depth in [1, 2, 4] {
        for (momentum, gd) in [(true, "momentum"), (false, "gd")] {
            for keep_every in [1, 4] {
                cases.push(case(
                    &format!("depth {depth}, {gd}, a state every {keep_every}"),
                    scan(depth, exact_reads, momentum, keep_every),
                ));
            }
        }
    }
    let huber = Scan {
        bias: Bias::Formula(huber()),
        ..scan(2, exact_reads, true, 4)
    };
    cases.push(case("depth 2, Huber loss of the norm", huber));
    for (name, read, link) in [
        ("depth 2, a norm as a scale, frozen", Read::Frozen, norm()),
        ("depth 2, rows on a simplex, stale", Read::Stale, simplex()),
    ] {
        let linked = Scan {
            link,
            anchored: true,
            ..scan(2, capped(read, Some(3.0)), false, 4)
        };
        cases.push(case(name, linked));
    }
    let exact = Form::Exact {
        order: Order::Before,
    };
    cases.push(case("gated delta rule", scan(1, exact, false, 4)));
    cases
}

/// A memory of so many maps under the squared error.
fn scan(depth: usize, form: Form, momentum: bool, keep_every: usize) -> Scan {
    let width = |at: usize| {
        if at == 0 || at == depth {
            D
        } else {
            EXPANSION * D
        }
    };
    let maps: Vec<_> = (0..depth).map(|map| [width(map), width(map + 1)]).collect();
    let mut nodes = Vec::new();
    for map in 0..depth {
        if map > 0 {
            let kind = Activation::Gelu;
            nodes.push(Node::Activation {
                kind,
                x: nodes.len(),
            });
        }
        nodes.push(Node::Linear {
            map,
            x: nodes.len(),
        });
    }
    Scan {
        program: Program::new(D, &maps, &nodes).expect("a program"),
        bias: Bias::Affine { slope: 1.0 },
        chunk: 64,
        keep_every,
        link: Link::Identity,
        anchored: false,
        momentum,
        form,
    }
}

/// `e min(1, δ/|e|)` with `e = y − v`.
fn huber() -> Formula {
    let formula = Formula::new(&[
        Op::Output,
        Op::Value,
        Op::Binary(Binary::Sub, 0, 1),
        Op::Unary(Unary::Square, 2),
        Op::Sum(3, Over::Row),
        Op::Unary(Unary::Shift(1e-12), 4),
        Op::Unary(Unary::Sqrt, 5),
        Op::Gate(0),
        Op::Binary(Binary::Div, 7, 6),
        Op::Unary(Unary::AtMost(1.0), 8),
        Op::Binary(Binary::Mul, 2, 9),
    ]);
    formula.expect("a formula")
}

/// `A / ‖A‖₄²`.
fn norm() -> Link {
    let scale = MapFormula::new(&[
        Op::Argument,
        Op::Unary(Unary::Square, 0),
        Op::Unary(Unary::Power(2.0), 1),
        Op::Sum(2, Over::All),
        Op::Unary(Unary::Power(0.25), 3),
        Op::Unary(Unary::AtLeast(0.1), 4),
        Op::Unary(Unary::Power(-2.0), 5),
    ]);
    Link::Scale(scale.expect("a formula"))
}

/// `√d_out (softmax(A) − softmax(−A))` by rows.
fn simplex() -> Link {
    let weights = MapFormula::new(&[
        Op::Argument,
        Op::Softmax(0),
        Op::Unary(Unary::Scale(-1.0), 0),
        Op::Softmax(2),
        Op::Binary(Binary::Sub, 1, 3),
        Op::TimesRowLength(4, 0.5),
    ]);
    Link::General(weights.expect("a formula"))
}

fn numbers(n: usize, size: f32) -> Vec<f32> {
    (0..n)
        .map(|at| (at as f32 * 12.9898).sin() * size)
        .collect()
}

fn slices(all: &[Vec<f32>]) -> Vec<&[f32]> {
    all.iter().map(|x| &x[..]).collect()
}

#[divan::bench(args = cases(), sample_count = 8, sample_size = 1)]
fn forward(bencher: Bencher<'_, '_>, case: &Case) {
    let scan = &case.scan;
    measure(bencher, scan, |inputs, _| {
        divan::black_box(scan.forward(inputs, false));
    });
}

#[divan::bench(args = cases(), sample_count = 8, sample_size = 1)]
fn forward_and_backward(bencher: Bencher<'_, '_>, case: &Case) {
    let scan = &case.scan;
    measure(bencher, scan, |inputs, of| {
        let (_, tape) = scan.forward(inputs, true);
        divan::black_box(scan.backward(inputs, &tape, of));
    });
}

fn measure(
    bencher: Bencher<'_, '_>,
    scan: &Scan,
    pass: impl Fn(&Inputs<'_>, &OutputGradients<'_>) + Sync,
) {
    let n = MEMORIES * TOKENS;
    let rows = numbers(n * D, 0.17);
    let weights: Vec<_> = (scan.program.maps())
        .map(|[d_in, d_out]| numbers(MEMORIES * d_in * d_out, 1.0 / (d_in as f32).sqrt()))
        .collect();
    let (slots, log_momentum) = if scan.momentum {
        (slices(&weights), vec![-0.5; n])
    } else {
        (Vec::new(), Vec::new())
    };
    let (log_decay, step) = (vec![-0.01; n], vec![0.02; n]);
    let inputs = Inputs {
        q: &rows,
        k: &rows,
        v: &rows,
        log_decay: &log_decay,
        step: &step,
        log_momentum: &log_momentum,
        bias_gates: vec![&step; scan.bias.gates()],
        weights: slices(&weights),
        slots,
        anchors: if scan.anchored {
            slices(&weights)
        } else {
            Vec::new()
        },
        ..Inputs::default()
    };
    let of = OutputGradients {
        y: &rows,
        ..OutputGradients::default()
    };
    let bencher = bencher.counter(ItemsCount::new(TOKENS));
    bencher.bench(|| pass(&inputs, &of));
}
