//! Tokens a second of one thread: `cargo run --release -p miras-kernels --example speed`.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::Instant;

use miras_kernels::{Activation, Bias, Form, Inputs, Node, OutputGradients, Program, Scan};

const MEMORIES: usize = 4;
const D: usize = 64;
const EXPANSION: usize = 4;
const TOKENS: usize = 1024;

fn mlp(depth: usize) -> (Program, Vec<[usize; 2]>) {
    let hidden = EXPANSION * D;
    let width = |at: usize| if at == 0 || at == depth { D } else { hidden };
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
    (Program::new(D, &maps, &nodes).expect("a program"), maps)
}

fn numbers(n: usize, size: f32) -> Vec<f32> {
    (0..n)
        .map(|at| (at as f32 * 12.9898).sin() * size)
        .collect()
}

/// The best of a few runs, in tokens a second.
fn best(mut run: impl FnMut()) -> f64 {
    let times = (0..8).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    TOKENS as f64 / times.fold(f64::MAX, f64::min)
}

fn main() {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    threads.expect("a thread").install(|| {
        for depth in [1, 2, 4] {
            for momentum in [true, false] {
                for keep_every in [1, 4] {
                    measure(depth, momentum, keep_every);
                }
            }
        }
    });
}

fn measure(depth: usize, momentum: bool, keep_every: usize) {
    let (program, maps) = mlp(depth);
    let scan = Scan {
        program,
        bias: Bias::Affine { slope: 1.0 },
        chunk: 64,
        keep_every,
        anchored: false,
        momentum,
        form: Form::ChunkStart {
            load_cap: Some(0.5),
        },
    };
    let n = MEMORIES * TOKENS;
    let rows = numbers(n * D, 0.17);
    let weights: Vec<_> = (maps.iter())
        .map(|[d_in, d_out]| numbers(MEMORIES * d_in * d_out, 1.0 / (*d_in as f32).sqrt()))
        .collect();
    let slots: Vec<_> = weights.iter().map(|map| vec![0.0; map.len()]).collect();
    let (log_decay, step, log_momentum) = (vec![-0.01; n], vec![0.02; n], vec![-0.5; n]);
    let inputs = Inputs {
        q: &rows,
        k: &rows,
        v: &rows,
        log_decay: &log_decay,
        step: &step,
        log_momentum: if momentum { &log_momentum } else { &[] },
        weights: weights.iter().map(|map| &map[..]).collect(),
        slots: slots
            .iter()
            .take(if momentum { depth } else { 0 })
            .map(|map| &map[..])
            .collect(),
        ..Inputs::default()
    };
    let of = OutputGradients {
        y: &rows,
        ..OutputGradients::default()
    };
    let forward = best(|| {
        scan.forward(&inputs, false);
    });
    let both = best(|| {
        let (_, tape) = scan.forward(&inputs, true);
        scan.backward(&inputs, &tape, &of);
    });
    println!(
        "depth {depth}, momentum {momentum}, a state every {keep_every}: {forward:.0} forward, {both:.0} both"
    );
}
